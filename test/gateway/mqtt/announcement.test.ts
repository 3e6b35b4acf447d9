import { test } from "uvu";
import * as assert from "uvu/assert";
import { type PropertyValue, properties, sameProperties } from "../../../src/core/properties.js";
import { AnnouncementError } from "../../../src/gateway/mqtt/announced.js";
import { parseAnnouncement } from "../../../src/gateway/mqtt/announcement.js";

type Shown = Record<string, PropertyValue | readonly PropertyValue[]>;
const bytes = (text: string) => Buffer.from(text, "utf8");
const big = "x".repeat(1024);
const values = (count: number) => Array.from({ length: count }, (_, i) => `p#${i}`).join(";");
const allValues = (count: number) => ({ p: Array.from({ length: count }, (_, i) => BigInt(i)) });

const VALID: readonly [payload: string | Buffer, kind: string, ttlSeconds: number, props: Shown][] = [
  [
    "lamp;600;room=kitchen;fw#3;url=coap://10.0.0.17",
    "lamp",
    600,
    { room: "kitchen", fw: 3n, url: "coap://10.0.0.17" },
  ],
  ["lamp", "lamp", 600, {}],
  ["lamp;", "lamp", 600, {}],
  ["lamp;;a=b", "lamp", 600, { a: "b" }],
  ["lamp;0", "lamp", 60, {}],
  ["lamp;59", "lamp", 60, {}],
  ["lamp;60", "lamp", 60, {}],
  ["lamp;86400", "lamp", 86_400, {}],
  ["lamp;86401", "lamp", 86_400, {}],
  [`lamp;${"9".repeat(400)}`, "lamp", 86_400, {}],
  ["lamp;0000600", "lamp", 600, {}],
  ["lamp;600;", "lamp", 600, {}],
  ["lamp;600;;a=b;;", "lamp", 600, { a: "b" }],
  ["A_b-9;600;a=1;a=2;a#1;a=1", "A_b-9", 600, { a: ["1", "2", 1n] }],
  ["lamp;600;a=", "lamp", 600, { a: "" }],
  ["lamp;600;a=b=c#d", "lamp", 600, { a: "b=c#d" }],
  ["lamp;600;a=%25%3B%3b%0a%09", "lamp", 600, { a: "%;;\n\t" }],
  ["lamp;600;a=caf%C3%A9;b=café", "lamp", 600, { a: "café", b: "café" }],
  ["lamp;600;a=%EF%BB%BFx", "lamp", 600, { a: "\ufeffx" }],
  ["l%61mp;6%300;%61=b", "lamp", 600, { a: "b" }],
  ["lamp;600;a#9223372036854775807", "lamp", 600, { a: 9223372036854775807n }],
  ["lamp;600;a#-9223372036854775808", "lamp", 600, { a: -9223372036854775808n }],
  ["lamp;600;a#9007199254740993", "lamp", 600, { a: 9007199254740993n }],
  ["lamp;600;a#007;b#-0", "lamp", 600, { a: 7n, b: 0n }],
  ["lamp;600;name=Lamp 1", "lamp", 600, { name: "Lamp 1" }],
  ["lamp;600;__proto__=x;constructor=y", "lamp", 600, { ["__proto__"]: "x", constructor: "y" }],
  [`lamp;600;a=${big}`, "lamp", 600, { a: big }],
  [`lamp;600;${"k".repeat(64)}=v`, "lamp", 600, { ["k".repeat(64)]: "v" }],
  [`lamp;600;${values(64)}`, "lamp", 600, allValues(64)],
  [
    '{"k":"lamp","ttl":600,"p":{"room":"kitchen","fw":3,"url":"coap://10.0.0.17"}}',
    "lamp",
    600,
    { room: "kitchen", fw: 3n, url: "coap://10.0.0.17" },
  ],
  ['{"k":"lamp"}', "lamp", 600, {}],
  ['{ "ttl" : 7 , "k" : "lamp" , "p" : { } }\n', "lamp", 60, {}],
  ['{"k":"lamp","p":{"a":["x",1,"x"],"b":[]}}', "lamp", 600, { a: ["x", 1n] }],
  [
    '{"k":"lamp","p":{"a":9223372036854775807,"b":-9223372036854775808}}',
    "lamp",
    600,
    { a: 2n ** 63n - 1n, b: -(2n ** 63n) },
  ],
  ['{"k":"lamp","p":{"a":9007199254740993}}', "lamp", 600, { a: 9007199254740993n }],
  ['{"k":"l\\u0061mp","p":{"a":"\\"\\\\\\n\\ud83d\\ude00;%41"}}', "lamp", 600, { a: '"\\\n😀;%41' }],
  ['{"v":[1.5e3,{"x":null}],"k":"lamp","later":true}', "lamp", 600, {}],
];

for (const [payload, kind, ttlSeconds, shown] of VALID) {
  test(`announcement ${payload.toString().slice(0, 60)}`, () => {
    const announcement = parseAnnouncement(Buffer.isBuffer(payload) ? payload : bytes(payload));
    assert.is(announcement.kind, kind);
    assert.is(announcement.ttlSeconds, ttlSeconds);
    assert.ok(
      sameProperties(announcement.properties, properties(shown)),
      `got ${[...announcement.properties].map(([k, v]) => `${k}: ${v}`).join(", ")}`,
    );
    assert.equal(announcement.refusedKeys, []);
    assert.is(announcement.mirrored, false);
  });
}

const INVALID: readonly [payload: string | Buffer, reason: RegExp][] = [
  [";600", /kind ""/],
  ["la mp;600", /kind "la mp"/],
  [`${"k".repeat(21)};600`, /kind/],
  ["lámpa;600", /kind/],
  ["lamp;ten", /time to live "ten"/],
  ["lamp;-1", /time to live/],
  ["lamp;6.5", /time to live/],
  ["lamp;+60", /time to live/],
  ["lamp;600;novalue", /field 3: "novalue" is neither/],
  ["lamp;600;=x", /neither/],
  ["lamp;600;#1", /neither/],
  ["lamp;600;a b=x", /property name "a b"/],
  ["lamp;600;é=x", /property name/],
  [`lamp;600;${"k".repeat(65)}=v`, /property name/],
  ["lamp;600;a#", /not an integer/],
  ["lamp;600;a#1.5", /not an integer/],
  ["lamp;600;a#+1", /not an integer/],
  ["lamp;600;a#0x10", /not an integer/],
  ["lamp;600;a#9223372036854775808", /not an integer/],
  ["lamp;600;a#-9223372036854775809", /not an integer/],
  [`lamp;600;a#${"1".repeat(300)}`, /not an integer/],
  ["lamp;600;a=%", /two hexadecimal/],
  ["lamp;600;a=%4", /two hexadecimal/],
  ["lamp;600;a=%4;b=c", /two hexadecimal/],
  ["lamp;600;a=%zz", /two hexadecimal/],
  ["lamp;600;a=x\n", /control byte 10/],
  ["lamp;600;a=\u0000", /control byte 0/],
  ["lamp;600;a=%00", /NUL/],
  [Buffer.from([0x6c, 0x3b, 0x3b, 0x61, 0x3d, 0xff]), /field 3 is not valid UTF-8/],
  [Buffer.from("lamp;600;a=%C3"), /field 3 is not valid UTF-8/],
  [Buffer.from("lamp;600;a=%ED%A0%80"), /field 3 is not valid UTF-8/],
  [Buffer.from("lamp;600;a=%C0%80"), /field 3 is not valid UTF-8/],
  [`lamp;600;a=${big}x`, /more than 1024 bytes/],
  [`lamp;600;a=${"é".repeat(513)}`, /more than 1024 bytes/],
  [`lamp;600;${values(65)}`, /more than 64 property values/],
  ["x".repeat(4097), /4097 bytes \(at most 4096/],
  [Buffer.alloc(1_000_000, "{"), /1000000 bytes/],
  ["{", /expected a string/],
  ["{}", /no kind/],
  ['{"ttl":600}', /no kind/],
  ['{"k":5}', /expected a string/],
  ['{"k":"lamp"} x', /nothing may follow/],
  ['{"k":"lamp"', /expected ,/],
  ['{"k":"lamp",}', /expected a string/],
  ["{'k':'lamp'}", /expected a string/],
  ['{"k":"lamp","ttl":"600"}', /expected an integer/],
  ['{"k":"lamp","ttl":1e3}', /expected an integer/],
  ['{"k":"lamp","ttl":-60}', /time to live/],
  ['{"k":"lamp","p":[]}', /expected {/],
  ['{"k":"lamp","p":{"a":1.5}}', /expected an integer/],
  ['{"k":"lamp","p":{"a":01}}', /expected an integer/],
  ['{"k":"lamp","p":{"a":true}}', /expected a string or an integer/],
  ['{"k":"lamp","p":{"a":null}}', /expected a string or an integer/],
  ['{"k":"lamp","p":{"a":[["x"]]}}', /expected a string or an integer/],
  ['{"k":"lamp","p":{"a":{}}}', /expected a string or an integer/],
  ['{"k":"lamp","p":{"a":9223372036854775808}}', /not an integer/],
  ['{"k":"lamp","p":{"a":"\\ud800"}}', /surrogate/],
  ['{"k":"lamp","p":{"a":"\\u0000"}}', /NUL/],
  ['{"k":"lamp","p":{"a":"\\x"}}', /not a valid JSON string/],
  ['{"k":"lamp","p":{"a":"\t"}}', /not a valid JSON string/],
  ['{"k":"lamp","p":{"a":"x', /ends inside a string/],
  ['{"k":"lamp","p":{"":"x"}}', /property name ""/],
  [`{"k":"lamp","v":${"[".repeat(2000)}`, /nested more than 8/],
  [`{"k":"lamp","p":{"a":[${"1,".repeat(64)}1]}}`, /more than 64 property values/],
  [Buffer.from([0x7b, 0x22, 0xff, 0x22]), /payload is not valid UTF-8/],
];

for (const [payload, reason] of INVALID) {
  test(`no announcement: ${payload.toString().slice(0, 60)}`, () => {
    assert.throws(
      () => parseAnnouncement(Buffer.isBuffer(payload) ? payload : bytes(payload)),
      (error: unknown) =>
        error instanceof AnnouncementError && reason.test(error.message) && error.message.length < 200,
    );
  });
}

test("reserved names are left out and reported, the rest stays", () => {
  const text = parseAnnouncement(bytes("lamp;600;src=evil;kind#1;mqtt.device=x;gw=y;src=z;room=a"));
  const json = parseAnnouncement(
    bytes('{"k":"lamp","p":{"src":"evil","kind":1,"mqtt.device":"x","gw":"y","room":"a"}}'),
  );
  for (const { properties: shown, refusedKeys } of [text, json]) {
    assert.equal([...shown], [["room", ["a"]]]);
    assert.equal(refusedKeys, ["src", "kind", "mqtt.device", "gw"]);
  }
});

test("what a gateway made is recognised", () => {
  for (const payload of ["lamp;600;sdid=5f3a", '{"k":"lamp","sdid":"5f3a"}', '{"k":"lamp","p":{"sdid":"5f3a"}}']) {
    assert.is(parseAnnouncement(bytes(payload)).mirrored, true, payload);
  }
});

/** A small deterministic generator (xorshift), so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

test("300,000 mutated payloads give an announcement within the limits, or an AnnouncementError", () => {
  const next = random(20261122);
  const pick = (below: number) => Math.floor(next() * below);
  const seeds = [...VALID, ...INVALID].map(([payload]) => Buffer.from(payload)).filter(({ length }) => length < 300);
  const spice = [...'{}[]":,;=#%\\-0123456789abcdefu', "\0", "\n", "\xff", "\xc3"].map((c) => c.charCodeAt(0));
  let parsed = 0;
  for (let round = 0; round < 300_000; round++) {
    let payload = Buffer.from(seeds[pick(seeds.length)]);
    for (let changes = 1 + pick(4); changes > 0; changes--) {
      const at = pick(payload.length + 1);
      const how = pick(4);
      const byte = pick(3) === 0 ? pick(256) : spice[pick(spice.length)];
      if (how === 0 && at < payload.length) payload[at] = byte;
      else if (how === 1) payload = Buffer.concat([payload.subarray(0, at), Buffer.of(byte), payload.subarray(at)]);
      else if (how === 2) payload = payload.subarray(0, at);
      else payload = Buffer.concat([payload.subarray(0, at), seeds[pick(seeds.length)].subarray(pick(20))]);
    }
    try {
      const announcement = parseAnnouncement(payload);
      parsed++;
      assert.ok(announcement.ttlSeconds >= 60 && announcement.ttlSeconds <= 86_400);
      let count = 0;
      for (const [key, of] of announcement.properties) {
        assert.match(key, /^[A-Za-z0-9._-]{1,64}$/);
        assert.is(new Set(of).size, of.length);
        for (const value of of) {
          count++;
          if (typeof value === "bigint") assert.is(BigInt.asIntN(64, value), value);
          else assert.ok(Buffer.byteLength(value) <= 1024 && !value.includes("\0") && !/\p{Surrogate}/u.test(value));
        }
      }
      assert.ok(count <= 64);
    } catch (error) {
      if (!(error instanceof AnnouncementError)) {
        throw new Error(`round ${round}, payload ${payload.toString("hex")}: ${String(error)}`);
      }
    }
  }
  assert.ok(parsed > 10_000 && parsed < 290_000, `${parsed} of 300,000 were announcements: the mutation is no good`);
});

test.run();
