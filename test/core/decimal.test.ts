import { test } from "uvu";
import * as assert from "uvu/assert";
import { SeededRandom } from "../../scripts/fuzz/random.js";
import { canonicalDecimal, compareDecimal, fitsInt64 } from "../../src/core/decimal.js";

for (const [text, canonical] of [
  ["5", "5"],
  ["-5", "-5"],
  ["+7", "7"],
  ["007", "7"],
  ["-007", "-7"],
  ["0", "0"],
  ["-0", "0"],
  ["+000", "0"],
  ["99999999999999999999", "99999999999999999999"],
  ...["", "-", "+", "--5", "+-5", "5.0", "1e3", "0x10", " 5", "5 ", "5\n", "1_000", "١٢", "abc", "*"].map(
    (bad) => [bad, undefined] as const,
  ),
] as const) {
  test(`${JSON.stringify(text)} is ${canonical ?? "no integer"}`, () => assert.is(canonicalDecimal(text), canonical));
}

test("compares as bigints do, for any number of digits", () => {
  const random = new SeededRandom(11);
  for (let i = 0; i < 100_000; i++) {
    const [a, b] = [0, 1].map(() => random.bigint(random.pick([4, 70, 200])) * random.pick([1n, -1n])) as [
      bigint,
      bigint,
    ];
    const bytes = Buffer.from(`${a}|${b}`);
    const bar = bytes.indexOf("|");
    const order = Math.sign(compareDecimal(bytes, 0, bar, bytes, bar + 1, bytes.length));
    if (order !== (a < b ? -1 : a > b ? 1 : 0)) assert.unreachable(`${a} and ${b}: ${order}`);
  }
});

for (let delta = -2n; delta <= 2n; delta++) {
  for (const edge of [2n ** 63n, -(2n ** 63n), 10n ** 18n, -(10n ** 18n), 10n ** 19n, 0n]) {
    const value = edge + delta;
    test(`${value} ${BigInt.asIntN(64, value) === value ? "fits" : "does not fit"} 64 bits`, () => {
      const bytes = Buffer.from(`9${value}9`);
      assert.is(fitsInt64(bytes, 1, bytes.length - 1), BigInt.asIntN(64, value) === value);
    });
  }
}

test.run();
