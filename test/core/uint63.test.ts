import { test } from "uvu";
import * as assert from "uvu/assert";
import { SeededRandom } from "../../scripts/fuzz/random.js";
import {
  compare,
  fromBigInt,
  readDecimal,
  toBigInt,
  toHex,
  toNumber,
  UINT63_DIGITS,
  UINT63_MAX,
  Uint63,
  writeDecimal,
} from "../../src/core/uint63.js";

/** Everything around each power of two and of ten. */
const VALUES: bigint[] = [];
for (const [base, exponents] of [
  [2n, 63],
  [10n, 18],
] as const) {
  for (let exponent = 0; exponent <= exponents; exponent++) {
    for (let delta = -3n; delta <= 3n; delta++) {
      const value = base ** BigInt(exponent) + delta;
      if (value >= 0n && value <= UINT63_MAX) VALUES.push(value);
    }
  }
}

function read(text: string): bigint | false {
  const bytes = Buffer.from(`x${text}x`);
  const into = new Uint63();
  if (!readDecimal(bytes, 1, bytes.length - 1, into)) return false;
  assert.is(into.hi, into.hi | 0);
  assert.is(into.lo, into.lo | 0);
  return toBigInt(into.hi, into.lo);
}

function written(value: bigint): string {
  const bytes = Buffer.alloc(UINT63_DIGITS + 2, "x");
  const { hi, lo } = fromBigInt(value, new Uint63(), "value");
  const end = writeDecimal(bytes, 1, hi, lo);
  assert.is(bytes.toString("latin1", end), "x".repeat(bytes.length - end));
  return bytes.toString("latin1", 1, end);
}

function checkRoundTrip(value: bigint): void {
  if (read(String(value)) !== value) assert.is(read(String(value)), value);
  if (written(value) !== String(value)) assert.is(written(value), String(value));
}

test("reads and writes around every power of two and of ten", () => {
  VALUES.forEach(checkRoundTrip);
  assert.is(VALUES.at(-1), 10n ** 18n + 3n);
  assert.ok(VALUES.includes(UINT63_MAX));
});

test("reads and writes 200,000 random values", () => {
  const random = new SeededRandom(63);
  for (let i = 0; i < 200_000; i++) checkRoundTrip(random.bigint(63));
});

for (const text of [
  "9223372036854775808",
  "9223372036854775817",
  "18446744073709551616",
  "99999999999999999999",
  `1${"0".repeat(60_000)}`,
  "9".repeat(65_000),
]) {
  test(`${text.slice(0, 22)} is too large`, () => assert.is(read(text), false));
}

test("leading zeros change nothing", () => assert.is(read(`${"0".repeat(1000)}9223372036854775807`), UINT63_MAX));

test("compares as bigints do", () => {
  const random = new SeededRandom(7);
  const halves = (value: bigint) => fromBigInt(value, new Uint63(), "value");
  const agree = (a: bigint, b: bigint) => {
    const [x, y] = [halves(a), halves(b)];
    const expected = a < b ? -1 : a > b ? 1 : 0;
    if (Math.sign(compare(x.hi, x.lo, y.hi, y.lo)) !== expected) assert.unreachable(`${a} and ${b}`);
  };
  for (const a of VALUES) for (const b of VALUES) agree(a, b);
  for (let i = 0; i < 50_000; i++) agree(random.bigint(63), random.bigint(63));
});

test("numbers and hexadecimal", () => {
  const { hi, lo } = fromBigInt(0x1fff_ffff_ffff_ffn, new Uint63(), "value");
  assert.is(toNumber(hi, lo), 0x1fff_ffff_ffff_ff);
  assert.is(toHex(0, -1), "0xffffffff");
  assert.is(toHex(0x7fff_ffff, -1), "0x7fffffffffffffff");
});

for (const value of [-1n, UINT63_MAX + 1n]) {
  test(`${value} is refused by name`, () => {
    assert.throws(
      () => fromBigInt(value, new Uint63(), "service id"),
      `service id ${value} is out of range (0 to 9223372036854775807 accepted)`,
    );
  });
}

test.run();
