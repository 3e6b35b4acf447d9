/** Records and topics of a federation: what is written is read again, exactly; hostile ones are errors, never more. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { mutate } from "../../../../scripts/fuzz/mutate.js";
import { SeededRandom } from "../../../../scripts/fuzz/random.js";
import type { PropertyValue } from "../../../../src/core/properties.js";
import { AnnouncementError } from "../../../../src/gateway/mqtt/announced.js";
import {
  type FederatedService,
  RECORD_LIMITS,
  readRecord,
  withOrigin,
  withoutOrigin,
  writeRecord,
} from "../../../../src/gateway/mqtt/federation/record.js";
import { federationTopics } from "../../../../src/gateway/mqtt/federation/topics.js";

const LIMITS: FederatedService = {
  generation: 2n ** 63n - 1n,
  ttlSeconds: 0n,
  path: ["north", "south"],
  via: ["attic", "cellar"],
  properties: new Map<string, readonly PropertyValue[]>([
    ["port", [-(2n ** 63n), 2n ** 63n - 1n, "80"]],
    ['"\\\n', ["\u0001 ä 🙂 \\u0041", ""]],
    ["__proto__", [1n]],
  ]),
};

test("what is written is read again, to the last digit", () => {
  assert.equal(readRecord(Buffer.from(writeRecord(LIMITS))), LIMITS);
});

test("an import's origin is in its properties, in order, and is taken out again", () => {
  const via = Array.from({ length: RECORD_LIMITS.hops }, (_, i) => `board${9 - i}`);
  const service = { ...LIMITS, via };
  const shown = withOrigin("south", service);
  assert.equal(shown.get("federation.board"), ["board9"]);
  // A directory keeps values as a set, in whatever order.
  const stored = new Map([...shown].map(([key, values]) => [key, [...values].reverse()]));
  const { properties, via: again, path } = withoutOrigin(stored);
  assert.equal([again, path], [via, LIMITS.path]);
  assert.equal([...properties.keys()], [...LIMITS.properties.keys()]);
});

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ["", /expected \{/],
  ["{}", /no generation/],
  ['{"generation":1,"ttl":1}', /no origin/],
  ['{"generation":9223372036854775808,"ttl":1}', /generation "9223372036854775808": expected 0 to 2\^63-1/],
  ['{"generation":1e3,"ttl":1}', /expected an integer/],
  ['{"generation":1,"ttl":-1}', /ttl "-1"/],
  ['{"via":["a/b"]}', /via: "a\/b" is not a name/],
  [`{"via":[${Array(9).fill('"a"').join()}]}`, /via: more than 8/],
  ['{"properties":{"a\\u0000":[1]}}', /NUL/],
  ['{"properties":{"a":["\\u0000"]}}', /NUL/],
  ['{"properties":{"a":1}}', /expected \[/],
  [`{"properties":{"a":[${Array(4097).fill(0).join()}]}}`, /more than 4096 values/],
  ['{"properties":{"federation.via":["0:x"]}}', /only a federation sets it/],
  ['{"generation":1,"ttl":1,"path":["a"],"via":["b"],"properties":{}} x', /nothing may follow/],
];
for (const [text, message] of REFUSED) {
  test(`refused: ${text.slice(0, 70)}`, () => {
    assert.throws(
      () => readRecord(Buffer.from(text)),
      (error: Error) => error instanceof AnnouncementError && message.test(error.message),
    );
  });
}

test("a payload above the limit is refused before it is looked at", () => {
  assert.throws(() => readRecord(Buffer.alloc(RECORD_LIMITS.payloadBytes + 1, 0x7b)), /more than 131072 bytes/);
});

test("mutated records are read or refused, and never anything else", () => {
  const random = new SeededRandom(7);
  const valid = Buffer.from(writeRecord(LIMITS));
  const other = Buffer.from(writeRecord({ ...LIMITS, via: ["yard"], properties: new Map() }));
  let read = 0;
  for (let i = 0; i < 20_000; i++) {
    try {
      const record = readRecord(mutate(random, valid, other));
      assert.ok(record.via.length > 0 && record.generation >= 0n);
      read++;
    } catch (error) {
      assert.instance(error, AnnouncementError);
    }
  }
  assert.ok(read > 0);
});

const TOPICS = federationTopics("plant/pf1", "site");
for (const [topic, expected] of [
  [TOPICS.service("attic", 255n), { kind: "service", board: "attic", id: 255n }],
  [TOPICS.service("a.b-c_1", 2n ** 63n - 1n), { kind: "service", board: "a.b-c_1", id: 2n ** 63n - 1n }],
  [TOPICS.presence("attic"), { kind: "presence", board: "attic" }],
] as const) {
  test(`topic ${topic}`, () => assert.equal(TOPICS.parse(topic), expected));
}

for (const topic of [
  "pf1/site/b/attic",
  "plant/pf1/other/b/attic",
  "plant/pf1/site/b",
  "plant/pf1/site/b/attic/x",
  "plant/pf1/site/s/attic",
  "plant/pf1/site/s/attic/00000000000000FF",
  "plant/pf1/site/s/attic/ffffffffffffffff",
  "plant/pf1/site/s//0000000000000001",
  `plant/pf1/site/b/${"x".repeat(65)}`,
]) {
  test(`no topic of the federation: ${topic.slice(0, 50)}`, () => assert.is(TOPICS.parse(topic).kind, "foreign"));
}

test.run();
