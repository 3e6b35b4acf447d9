import { generate } from "mqtt-packet";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type PublishOptions, publishPacketBytes } from "../../../src/gateway/mqtt/publish-size.js";

/** The size of what mqtt.js writes. */
function written(version: 4 | 5, topic: string, payload: string, options: PublishOptions): number {
  const { qos = 0, retain = false, responseTopic, correlationData, messageExpirySeconds, userProperties } = options;
  const properties = {
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlationData: Buffer.from(correlationData) }),
    ...(messageExpirySeconds === undefined ? {} : { messageExpiryInterval: messageExpirySeconds }),
    ...(userProperties === undefined ? {} : { userProperties }),
  };
  const packet = { cmd: "publish", topic, payload, qos, retain, dup: false, messageId: 7 } as const;
  return generate({ ...packet, ...(version === 5 ? { properties } : {}) }, { protocolVersion: version }).length;
}

for (const [what, topic, payload, options] of [
  ["nothing", "sd1/s/x", "", {}],
  ["a mirror", "sd1/m/lamp/5f3a9c0047d21e08", "4;600;room=kitchen;fw#3;url=coap://10.0.0.17", { retain: true }],
  ["an expiry", "sd1/m/lamp/5f3a9c0047d21e08", "4;600", { messageExpirySeconds: 1200 }],
  ["a reply", "sd1/r/a", "x", { responseTopic: "sd1/r/b", correlationData: Buffer.from("7"), qos: 1 }],
  ["user properties", "a", "é€😀", { userProperties: { sdid: "5f3a", sdgw: "attic", "": "" } }],
  ["a size at the first step", "t", "x".repeat(124), {}],
  ["a size behind the first step", "t", "x".repeat(125), {}],
  ["a size at the second step", "t", "x".repeat(16_380), { qos: 1 }],
  ["a size behind the second step", "t", "x".repeat(16_381), {}],
  ["a size behind the third step", "t", "x".repeat(2_097_150), {}],
  ["properties beyond a byte of length", "t", "x", { userProperties: { long: "y".repeat(300) } }],
] as [string, string, string, PublishOptions][]) {
  for (const version of [4, 5] as const) {
    test(`the size of a packet with ${what} in MQTT ${version === 4 ? "3.1.1" : "5"}`, () => {
      const expected = written(version, topic, payload, options);
      assert.is(publishPacketBytes(version, topic, payload, options), expected);
      assert.is(publishPacketBytes(version, topic, Buffer.from(payload), options), expected);
    });
  }
}

test("part D.2: the mirror of the example is 75 bytes, 81 with an expiry", () => {
  const [topic, payload] = ["sd1/m/lamp/5f3a9c0047d21e08", "4;600;room=kitchen;fw#3;url=coap://10.0.0.17"];
  assert.is(publishPacketBytes(4, topic, payload), 75);
  assert.is(publishPacketBytes(5, topic, payload, { messageExpirySeconds: 1200 }), 81);
});

test.run();
