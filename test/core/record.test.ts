/** Property records; random ones are compared with `Properties` by the fuzz target "record". */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { PairHash } from "../../src/core/pair-hash.js";
import { type Properties, properties, sameProperties } from "../../src/core/properties.js";
import {
  MAX_PROPERTIES_JSON,
  MAX_VALUES,
  RecordBuilder,
  recordJsonLength,
  recordValues,
  toProperties,
} from "../../src/core/record.js";

const builder = () => new RecordBuilder(new PairHash(1, 2));

for (const [what, props, expected] of [
  ["empty", {}, {}],
  ["one value", { a: "x" }, { a: ["x"] }],
  ['duplicates collapse, 1 and "1" are different', { a: ["x", "x", 1n, 1n, "1"] }, { a: ["x", 1n, "1"] }],
  ["a name without values does not exist", { a: [], b: 1n }, { b: [1n] }],
  ["empty name and empty value", { "": "" }, { "": [""] }],
  ["extreme integers", { a: [2n ** 63n - 1n, -(2n ** 63n), 0n] }, { a: [2n ** 63n - 1n, -(2n ** 63n), 0n] }],
  ["names that objects treat specially", { constructor: "x", "1": "y" }, { "1": ["y"], constructor: ["x"] }],
  ["unpaired surrogates", { "\ud800": "\udc00" }, { "\ud800": ["\udc00"] }],
] as const) {
  test(`round trip: ${what}`, () => {
    const record = builder();
    record.fromProperties(properties(props as never));
    assert.not(record.tooLarge);
    assert.equal(new Map([...toProperties(record.page, 0)].sort()), new Map(Object.entries(expected).sort()) as never);
  });
}

for (const value of [2n ** 63n, -(2n ** 63n) - 1n]) {
  test(`${value} is refused by name, and the next record is in order`, () => {
    const record = builder();
    assert.throws(
      () => record.fromProperties(new Map([["n", [value]]])),
      `property "n" has the value ${value} (-2^63 to 2^63-1 accepted)`,
    );
    record.fromProperties(properties({ a: 1 }));
    assert.equal([...toProperties(record.page, 0)], [["a", [1n]]]);
  });
}

const values = (count: number): Properties => new Map([["n", Array.from({ length: count }, (_, i) => BigInt(i))]]);

for (const [what, props, tooLarge] of [
  [`${MAX_VALUES} values`, values(MAX_VALUES), false],
  [`${MAX_VALUES + 1} values`, values(MAX_VALUES + 1), true],
  ["a text of 65,536 bytes", properties({ a: "x".repeat(65_536) }), true],
  ["a name of 70,000 characters", properties({ ["x".repeat(70_000)]: 1 }), true],
] as const) {
  test(`limits: ${what}`, () => {
    const record = builder();
    record.fromProperties(props);
    assert.is(record.tooLarge, tooLarge);
    if (!record.tooLarge) assert.ok(sameProperties(toProperties(record.page, 0), props));
    record.fromProperties(properties({ a: 1 }));
    assert.not(record.tooLarge, "the next one fits");
    assert.equal([...toProperties(record.page, 0)], [["a", [1n]]]);
  });
}

test("the JSON text may be as long as MAX_PROPERTIES_JSON, and not longer", () => {
  const record = builder();
  const escaped = (last: number) =>
    properties({ a: ["1", "2", "3"].map((c) => c.repeat(16_000)).concat("\u0001".repeat(last)) });
  record.fromProperties(escaped(0));
  const room = Math.floor((MAX_PROPERTIES_JSON - recordJsonLength(record.page, 0)) / 6);
  record.fromProperties(escaped(room));
  assert.not(record.tooLarge);
  record.fromProperties(escaped(room + 1));
  assert.ok(record.tooLarge);
});

test("values of earlier occurrences of a name do not count towards the limit", () => {
  const record = builder();
  record.begin();
  for (let round = 0; round < 8000; round++) {
    record.endName(Buffer.from("name").copy(record.nameBuffer));
    const at = record.beginValue();
    record.endValue(at + Buffer.from(String(round)).copy(record.page.bytes, at), true);
  }
  record.finish();
  assert.not(record.tooLarge);
  assert.is(recordValues(record.page, 0), 1);
  assert.equal([...toProperties(record.page, 0)], [["name", [7999n]]]);
});

for (const [what, text] of [
  ["ASCII", "a".repeat(60_000)],
  ["of three bytes a character", "\u20ac".repeat(20_000)],
] as const) {
  test(`a long text, ${what}, fits as name and as value`, () => {
    for (const props of [{ [text]: "x" }, { x: text }]) {
      const record = builder();
      record.fromProperties(properties(props));
      assert.is(record.tooLarge, false);
      assert.ok(sameProperties(toProperties(record.page, 0), properties(props)));
    }
  });
}

test.run();
