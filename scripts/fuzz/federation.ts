/**
 * Fuzz target for what other boards of a federation tell: recorded messages, disturbed, on disturbed topics, in any order,
 * with a broker that comes and goes. Nothing but the count of what was dropped may come of it: no internal error, no more
 * than the limits allow, nothing written to other boards' topics, no timer left. A record that is taken can be written
 * and read again without change.
 */

import type { Directory } from "../../src/core/directory-access.js";
import type { Logger } from "../../src/core/log.js";
import { sameProperties } from "../../src/core/properties.js";
import { Federation } from "../../src/gateway/mqtt/federation/federation.js";
import { RECORD_LIMITS, readRecord, writeRecord } from "../../src/gateway/mqtt/federation/record.js";
import { FakeClock } from "../../test/support/fake-clock.js";
import { mutate } from "./mutate.js";
import { SeededRandom } from "./random.js";

const record = (board: string, more = "", path = '["site"]') =>
  `{"generation":1700000000000,"ttl":30,"path":${path},"via":["${board}"],"properties":{"name":["lamp"],"port":[80]${more}}}`;

/** On `FEDERATION_TOPICS[i % 3]` and on any other one. */
export const FEDERATION_PAYLOADS: readonly string[] = [
  record("attic"),
  record("cellar", ',"min":[-9223372036854775808],"text":["å😀","\\u0001"],"many":[1,2,"1","2"]'),
  record("attic", ',"src":["gateway:attic"]'),
  record("cellar", "", '["site","north"]'),
  record("attic").replace('["attic"]', '["yard","attic"]'),
  record("attic").replace('"ttl":30', '"ttl":9223372036854775807'),
  record("attic").replace('"ttl":30', '"ttl":0'),
  record("attic", `,"big":["${"x".repeat(3000)}"]`),
  "1;00000000000a;1700;60;3",
  "1;00000000000a;1760;60;3",
  "2;00000000000b;3;5;0",
  "2;00000000000b;3;9999;0;00000000000a",
  "1;00000000000c;9999999999;0;999999999",
  "0;00000000000b",
  "",
];

export const FEDERATION_TOPICS: readonly string[] = [
  "pf1/site/s/attic/0000000000000001",
  "pf1/site/s/cellar/0000000000000001",
  "pf1/site/s/cellar/7fffffffffffffff",
  "pf1/site/s/attic/04da0ba84a66e0c0",
  "pf1/site/s/own/0000000000000002",
  "pf1/site/b/attic",
  "pf1/site/b/cellar",
  "pf1/site/b/own",
];

/** Often left alone, or hardly anything would come through. */
export function disturbedTopic(random: SeededRandom, topic: string): string {
  const levels = topic.split("/");
  const at = random.below(levels.length);
  if (random.below(4) > 0) return topic;
  levels[at] = random.pick([
    "",
    "é",
    "a".repeat(65),
    "__proto__",
    "s",
    "b",
    "8000000000000000",
    String(random.below(9)),
  ]);
  return levels.join("/");
}

export function disturbedPayload(random: SeededRandom): Buffer {
  const payload = Buffer.from(random.pick(FEDERATION_PAYLOADS));
  return random.below(2) === 0 ? payload : mutate(random, payload, Buffer.from(random.pick(FEDERATION_PAYLOADS)));
}

const LIMITS = { maxBoards: 4, maxServicesPerBoard: 3 };

export function federationTarget(seed: number): boolean {
  const random = new SeededRandom(seed);
  const clock = new FakeClock();
  let present = 0;
  const fail = (text: () => string) => {
    throw new Error(`logged: ${text()}`);
  };
  const log: Logger = { debug() {}, info() {}, warning() {}, error: fail };
  const publish = (topic: string, payload: string) => {
    if (!/^pf1\/site\/[sb]\//.test(topic)) throw new Error(`written to ${topic}`);
    if (payload !== "" && !topic.includes("/own")) throw new Error(`written for another board: ${topic}`);
    return random.pick(["sent", "sent", "sent", "not-connected", "too-large"] as const);
  };
  const federation = new Federation(
    { name: "site", board: "own", root: "pf1", filter: undefined, heartbeatSeconds: 60, ...LIMITS },
    { directory: silentDirectory(), clock, timers: clock, random: () => random.unit(), log, publish, replay() {} },
  );
  federation.follow();
  federation.connected();
  for (let left = 20 + random.below(60); left > 0; left--) {
    const topic = disturbedTopic(random, random.pick(FEDERATION_TOPICS));
    const payload = disturbedPayload(random);
    checkRecord(payload);
    federation.message(topic, payload, random.below(2) === 0);
    if (random.below(6) === 0) clock.advanceMs(random.pick([100, 1000, 6000, 20_000, 4_000_000]));
    if (random.below(25) === 0) {
      federation.disconnected();
      clock.advanceMs(random.pick([0, 5000, 15_000]));
      federation.connected();
    }
    const { boards, imported } = federation.counts;
    if (boards > LIMITS.maxBoards || imported > LIMITS.maxBoards * LIMITS.maxServicesPerBoard) {
      throw new Error(`${imported} services of ${boards} boards`);
    }
    present = Math.max(present, imported);
  }
  federation.stop();
  if (clock.timers().length > 0) throw new Error(`timers left: ${clock.timers()}`);
  if (Object.keys(Object.prototype).length > 0) throw new Error("a prototype was changed");
  return present > 0;
}

function checkRecord(payload: Buffer): void {
  let read: ReturnType<typeof readRecord>;
  try {
    read = readRecord(payload);
  } catch (error) {
    if ((error as Error).name !== "AnnouncementError") throw error;
    if ((error as Error).message.length > 300) throw new Error(`an error text of ${(error as Error).message.length}`);
    return;
  }
  const again = readRecord(Buffer.from(writeRecord(read)));
  const plain = ({ generation, ttlSeconds, path, via }: typeof read) => `${generation} ${ttlSeconds} ${path} ${via}`;
  if (plain(read) !== plain(again) || !sameProperties(read.properties, again.properties)) {
    throw new Error(`not the same when it is written: ${payload.toString("latin1").slice(0, 500)}`);
  }
  if (read.via.length > RECORD_LIMITS.hops || read.path.length > RECORD_LIMITS.hops) throw new Error("too many hops");
}

/** Takes everything at once; what comes of it is looked at in the federation's own tests. */
function silentDirectory(): Directory {
  return {
    clientId: 1n,
    publish: async () => "ok",
    unpublish: async () => "ok",
    orphan: async () => {},
    find: async () => undefined,
    subscribe: () => ({ cancel() {} }),
  };
}
