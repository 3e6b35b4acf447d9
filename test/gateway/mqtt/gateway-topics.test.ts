/** What gateways write is known again, so that no mapping imports it. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { writeRecord } from "../../../src/gateway/mqtt/federation/record.js";
import { federationTopics } from "../../../src/gateway/mqtt/federation/topics.js";
import { gatewayTopics } from "../../../src/gateway/mqtt/gateway-topics.js";
import { outboundTopicsBelow } from "../../../src/gateway/mqtt/topics.js";

const record = writeRecord({ generation: 4n, ttlSeconds: 60n, path: ["site"], via: ["attic"], properties: new Map() });
const MIRROR = "4;600;room=kitchen";

const CASES: readonly [topic: string, payload: string, isOurs: boolean, why: string][] = [
  [outboundTopicsBelow("home/sd1").mirror("lamp", "5f3a9c0047d21e08"), MIRROR, true, "a mirror of ours"],
  [outboundTopicsBelow("home/sd1").mirror("lamp", "5f3a9c0047d21e08"), "", true, "it is gone"],
  ["home/sd1/m/anything", "x", true, "our tree, whatever stands there"],
  ["home/sd1/r/dev1/more", "7;0/0", true, "a reply"],
  ["home/sd1/g/attic", "1;10;1795325967", true, "a gateway"],
  ["home/sd1/q/dev1", "7;1;(k=*)", true, "a query"],
  ["home/sd1/a/dev1", "lamp;600", true, "an announcement, which the native convention reads"],
  ["home/sd1/x/dev1", "lamp;600", false, "no tree of ours"],
  ["home/sd10/g/attic", "1", false, "not our root"],
  ["hall/m/lamp/5f3a9c0047d21e08", MIRROR, true, "the mirror of another root"],
  ["hall/m/lamp/5f3a9c0047d21e08", "4;60", true, "the same, without properties"],
  ["hall/m/lamp/5f3a9c0047d21e08", "21.5;ok", false, "somebody's sensor that is called so"],
  ["hall/m/lamp/5F3A9C0047D21E08", MIRROR, false, "no id"],
  [federationTopics("pf1", "site").service("attic", 4n), record, true, "a federation"],
  [federationTopics("deep/root", "a.b").service("attic", 4n), record, true, "whatever it is called"],
  [federationTopics("pf1", "site").service("attic", 4n), '{"temperature":4}', false, "somebody's sensor"],
  ["zigbee/s/plug/00158d0001a2b3c4", "on", false, "somebody's plug"],
];

for (const [topic, payload, isOurs, why] of CASES) {
  test(`${topic} ${payload.slice(0, 20)}: ${why}`, () => {
    assert.is(gatewayTopics("home/sd1", true)(topic, Buffer.from(payload)), isOurs);
  });
}

test("announcements are left to mappings where the native convention does not read them", () => {
  assert.is(gatewayTopics("sd1", false)("sd1/a/dev1", Buffer.from("lamp;600")), false);
  assert.is(gatewayTopics("sd1", false)("sd1/m/lamp/5f3a9c0047d21e08", Buffer.from(MIRROR)), true);
});

test.run();
