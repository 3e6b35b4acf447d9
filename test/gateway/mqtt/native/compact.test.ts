import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Properties, properties } from "../../../../src/core/properties.js";
import { byteLength } from "../../../../src/core/text.js";
import { parseAnnouncement } from "../../../../src/gateway/mqtt/announcement.js";
import { compactFields, cutFields } from "../../../../src/gateway/mqtt/native/compact.js";
import { payloadRoom, publishPacketBytes } from "../../../../src/gateway/mqtt/publish-size.js";

const LAMP = properties({
  room: "kitchen",
  fw: 3,
  url: "coap://10.0.0.17",
  name: "a1b2c3d4e5f6",
  kind: "lamp",
  "mqtt.device": "a1b2c3d4e5f6",
  src: "mqtt:local",
});

test("D.2: the device of the example is mirrored and answered in the bytes that the table gives", () => {
  const mirror = cutFields("4;600", compactFields(LAMP), 1000)!;
  assert.is(mirror, "4;600;url=coap://10.0.0.17;fw#3;room=kitchen");
  assert.is(publishPacketBytes(4, "sd1/m/lamp/5f3a9c0047d21e08", mirror), 75);
  assert.is(publishPacketBytes(5, "sd1/m/lamp/5f3a9c0047d21e08", mirror, { messageExpirySeconds: 1200 }), 81);
  const reply = cutFields("7;1/2;5f3a9c0047d21e08;lamp;600", compactFields(LAMP), 1000)!;
  assert.is(publishPacketBytes(4, "sd1/r/a1b2c3d4e5f6", reply), 92);
  const five = cutFields("1/2;5f3a9c0047d21e08;lamp;600", compactFields(LAMP), 1000)!;
  const how = { correlationData: Buffer.from("7"), messageExpirySeconds: 30 };
  assert.is(publishPacketBytes(5, "sd1/r/a1b2c3d4e5f6", five, how), 100);
});

for (const [packet, mirror, reply] of [
  [128, 97, 106],
  [256, 224, 233],
] as const) {
  test(`D.2: room left for the payload in a packet of ${packet} bytes`, () => {
    assert.is(payloadRoom(4, "sd1/m/lamp/5f3a9c0047d21e08", {}, packet), mirror);
    assert.is(payloadRoom(4, "sd1/r/a1b2c3d4e5f6", {}, packet), reply);
  });
}

test("the room is exactly what fits, around every step of the length", () => {
  for (const packet of [5, 30, 128, 129, 130, 131, 132, 256, 16_385, 16_386, 16_387, 16_388, 65_535]) {
    for (const version of [4, 5] as const) {
      const room = payloadRoom(version, "t", { messageExpirySeconds: 1 }, packet);
      if (room < 0) continue;
      const bytes = (length: number) =>
        publishPacketBytes(version, "t", "x".repeat(length), { messageExpirySeconds: 1 });
      assert.ok(bytes(room) <= packet && bytes(room + 1) > packet, `${packet}, MQTT ${version}: ${room}`);
    }
  }
});

for (const [what, given, order, expected] of [
  [
    "addresses first, the rest by name",
    { z: "1", a: "2", port: 80, addr: "10.0.0.1", url: "u" },
    undefined,
    "url=u;addr=10.0.0.1;port#80;a=2;z=1",
  ],
  [
    "several values, in an order of their own",
    { addr: ["10.0.0.2", "10.0.0.1"] },
    undefined,
    "addr=10.0.0.1;addr=10.0.0.2",
  ],
  [
    "names and TXT come last",
    { name: "x", "txt.b": "1", "mdns.host": "h", room: "r" },
    undefined,
    "room=r;name=x;txt.b=1;mdns.host=h",
  ],
  [
    "an order of the configuration",
    { a: "1", b: "2", "txt.x": "3", "txt.y": "4" },
    ["txt.y", "*", "txt.*"],
    "txt.y=4;a=1;b=2;txt.x=3",
  ],
  ["without a star the others come last", { a: "1", b: "2", c: "3" }, ["c"], "c=3;a=1;b=2"],
  ["escapes", { a: "1;2%3\n\u0000=#€" }, undefined, "a=1%3B2%253%0A%00=#€"],
  ["negative and large integers", { a: -5, b: 9_007_199_254_740_991 }, undefined, "a#-5;b#9007199254740991"],
  [
    "what is in the topic or for gateways only",
    { kind: "k", src: "s", gw: "g", sdid: "1", sdgw: "2", "mqtt.topic": "t", "federation.board": "b" },
    undefined,
    "",
  ],
  ["a name of its own", { name: "Lamp", "mqtt.device": "x" }, undefined, "name=Lamp"],
  ["nothing", {}, undefined, ""],
] as [string, Record<string, string | number | string[]>, string[] | undefined, string][]) {
  test(`fields: ${what}`, () => {
    const { fields, complete } = compactFields(properties(given), order);
    assert.is(fields.join(";"), expected);
    assert.ok(complete);
  });
}

test("names that the form cannot express are left out, and a plus tells", () => {
  const fields = compactFields(properties({ "a b": "1", ä: "2", ok: "3" }));
  assert.is(cutFields("1;60", fields, 100), "1;60;ok=3;+");
});

test("cut at property boundaries, never longer than allowed, and what fits is there", () => {
  const fields = compactFields(properties({ url: "x".repeat(40), addr: "10.0.0.1", room: "kitchen", fw: 3 }));
  const whole = `1;600;url=${"x".repeat(40)};addr=10.0.0.1;fw#3;room=kitchen`;
  assert.is(cutFields("1;600", fields, whole.length), whole);
  for (let max = 7; max < whole.length; max++) {
    const cut = cutFields("1;600", fields, max)!;
    assert.ok(byteLength(cut) <= max, `${max}: ${cut}`);
    assert.ok(cut.startsWith("1;600") && cut.endsWith(";+"), cut);
    for (const field of cut.split(";").slice(2, -1)) assert.ok(fields.fields.includes(field), cut);
  }
  assert.is(cutFields("1;600", fields, whole.length - 1), `1;600;url=${"x".repeat(40)};addr=10.0.0.1;fw#3;+`);
  assert.is(cutFields("1;600", fields, 30), "1;600;addr=10.0.0.1;fw#3;+", "one long value does not hide the others");
  assert.is(cutFields("1;600", fields, 7), "1;600;+");
  assert.is(cutFields("1;600", fields, 6), undefined);
});

test("what is written can be read back by the reader of announcements, whatever the values", () => {
  const alphabet = ["a", ";", "%", "=", "#", "\n", "\u001f", "€", "😀", " ", "+", "%3B"];
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let round = 0; round < 500; round++) {
    const given = new Map<string, (string | bigint)[]>();
    for (let n = random(6); n >= 0; n--) {
      const text = Array.from({ length: random(8) }, () => alphabet[random(alphabet.length)]).join("");
      given.set(`k${n}`, random(3) === 0 ? [BigInt(random(1000)) - 500n] : [text, `${text}2`]);
    }
    const text = cutFields("lamp;600", compactFields(given as Properties), 10_000)!;
    const read = parseAnnouncement(Buffer.from(text)).properties;
    assert.equal(
      [...read].map(([key, values]) => [key, [...values].sort()]).sort(),
      [...given].map(([key, values]) => [key, [...values].sort()]).sort(),
      text,
    );
  }
});

test.run();
