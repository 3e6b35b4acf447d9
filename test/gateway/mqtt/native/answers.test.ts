import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Filter } from "../../../../src/core/filter/syntax.js";
import { Dropped } from "../../../../src/gateway/dropped.js";
import type { Received } from "../../../../src/gateway/mqtt/mqtt-client.js";
import { Answers } from "../../../../src/gateway/mqtt/native/answers.js";
import type { KnownService } from "../../../../src/gateway/mqtt/native/known-services.js";
import { type PublishOptions, publishPacketBytes } from "../../../../src/gateway/mqtt/publish-size.js";
import { outboundTopicsBelow } from "../../../../src/gateway/mqtt/topics.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { known } from "./known.js";

const LIVE: Received = { retained: false, userProperties: {} };

interface Sent {
  readonly atMs: number;
  readonly topic: string;
  readonly payload: string;
  readonly options: PublishOptions;
}

function fixture({ services = [known(0x5f3a, { room: "kitchen" })], version = 5 as 4 | 5, maxPacketBytes = 256 } = {}) {
  const clock = new FakeClock();
  const dropped = new Dropped();
  const sent: Sent[] = [];
  const state = { mine: true, reachable: true, services: services as readonly KnownService[], steps: 0 };
  const asked: { filter: Filter; max: number }[] = [];
  const answers = new Answers({
    topics: outboundTopicsBelow("sd1"),
    publish: (topic, payload, options) => {
      assert.ok(publishPacketBytes(version, topic, payload, options) <= maxPacketBytes, payload);
      assert.not.ok(options.retain);
      sent.push({ atMs: clock.monotonicMs(), topic, payload, options });
      return "sent";
    },
    find: (filter, max) => {
      asked.push({ filter, max });
      return { steps: state.steps, ...(state.steps < 20e6 ? { services: state.services.slice(0, max) } : {}) };
    },
    isMine: () => state.mine,
    isReachable: () => state.reachable,
    version: () => version,
    ...{ maxPacketBytes, clock, timers: clock, dropped },
  });
  const ask = (payload: string, received: Partial<Received> = {}, device = "dev1") =>
    answers.asked(device, Buffer.from(payload), { ...LIVE, ...received });
  const replies = () => sent.splice(0).map(({ topic, payload }) => `${topic} ${payload}`);
  return { clock, dropped, sent, state, asked, answers, ask, replies };
}

const TWO = [known(0x5f3a, { room: "kitchen", fw: 3 }), known(0x5f3b, { room: "cellar" }, { ttlSeconds: 60 })];

test("D.4: one packet per service, with i/n, id, kind and TTL, 20 ms apart", () => {
  const { clock, ask, sent, asked } = fixture({ services: TWO });
  ask("7;3;(&(k=lamp)(room=*))");
  clock.advanceMs(1000);
  assert.equal(
    sent.map(({ topic, payload }) => `${topic} ${payload}`),
    [
      "sd1/r/dev1 7;1/2;0000000000005f3a;lamp;600;fw#3;room=kitchen",
      "sd1/r/dev1 7;2/2;0000000000005f3b;lamp;60;room=cellar",
    ],
  );
  assert.is(sent[1].atMs - sent[0].atMs, 20);
  assert.equal(
    sent.map(({ options }) => options),
    [{ messageExpirySeconds: 30 }, { messageExpirySeconds: 30 }],
  );
  assert.is(asked[0].max, 3);
  assert.equal(clock.timers(), []);
});

test("costly queries: the device waits until its work is worked off, and all do when there was too much", () => {
  const { clock, ask, replies, state, dropped } = fixture();
  state.steps = 12e6;
  for (let n = 1; n <= 3; n++) ask(`${n};1;(k=*a*)`);
  clock.advanceMs(100);
  assert.equal(replies(), [
    "sd1/r/dev1 3;!busy;5",
    "sd1/r/dev1 1;1/1;0000000000005f3a;lamp;600;room=kitchen",
    "sd1/r/dev1 2;1/1;0000000000005f3a;lamp;600;room=kitchen",
  ]);
  clock.advanceMs(4100);
  ask("4;1;(k=*a*)");
  clock.advanceMs(100);
  assert.equal(replies(), ["sd1/r/dev1 4;1/1;0000000000005f3a;lamp;600;room=kitchen"]);
  for (let n = 0; n < 5; n++) ask("5;1;(k=*a*)", {}, `other${n}`);
  clock.advanceMs(100);
  assert.equal(
    replies().map((reply) => reply.replace(/1\/1.*/, "found")),
    [3, 4].map((n) => `sd1/r/other${n} 5;!busy;1`).concat([0, 1, 2].map((n) => `sd1/r/other${n} 5;found`)),
  );
  assert.equal(dropped.counts, { "query-busy": 3 });
});

test("a query that would cost too much is refused like a filter that is none, and has cost all the same", () => {
  const { clock, ask, replies, state, dropped, answers } = fixture();
  state.steps = 20e6;
  ask("1;1;(k=*a*)");
  ask("2;1;(k=lamp)");
  clock.advanceMs(100);
  assert.equal(replies(), ["sd1/r/dev1 2;!busy;1", "sd1/r/dev1 1;!filter"]);
  assert.equal(dropped.counts, { "query-costly": 1, "query-busy": 1 });
  assert.is(answers.answered, 0);
});

test("D.4: nothing found, a filter that is none", () => {
  const { clock, ask, replies } = fixture({ services: [] });
  ask("7;1;(k=lamp)");
  ask("8;1;(k=lamp");
  clock.advanceMs(100);
  assert.equal(replies(), ["sd1/r/dev1 7;0/0", "sd1/r/dev1 8;!filter"]);
});

test("D.4: MQTT 5: answered at the response topic, with the correlation data and without a number", () => {
  const { clock, ask, sent } = fixture({ services: TWO });
  ask("1;(k=lamp)", { responseTopic: "sd1/r/other/x", correlationData: Buffer.from([0, 255]) });
  ask("1;k", { responseTopic: "sd1/r/dev1" });
  clock.advanceMs(100);
  assert.is(sent[0].topic, "sd1/r/other/x");
  assert.is(sent[0].payload, "1/1;0000000000005f3a;lamp;600;fw#3;room=kitchen");
  assert.equal([...sent[0].options.correlationData!], [0, 255]);
  assert.is(sent[0].options.messageExpirySeconds, 30);
  assert.is(sent[1].payload, "!filter");
});

for (const topic of [
  "other/r/x",
  "sd1/r/",
  "sd1/r",
  "sd1/m/lamp/x",
  "sd1/r/+",
  "sd1/r/#",
  "$SYS/x",
  "",
  `sd1/r/${"x".repeat(200)}`,
]) {
  test(`D.4: no answer to a response topic ${JSON.stringify(topic.slice(0, 20))}`, () => {
    const { clock, ask, sent, dropped } = fixture();
    ask("1;(k=lamp)", { responseTopic: topic });
    clock.advanceMs(1000);
    assert.is(sent.length, 0);
    assert.equal(dropped.counts, { "foreign-response-topic": 1 });
  });
}

test("no answer: not ours, kept by the broker, malformed, absurd correlation data", () => {
  const { clock, ask, sent, state, dropped } = fixture();
  state.mine = false;
  ask("7;1;(k=lamp)");
  state.mine = true;
  ask("7;1;(k=lamp)", { retained: true });
  ask("what?");
  ask("1;(k=lamp)", { responseTopic: "sd1/r/a", correlationData: Buffer.alloc(65) });
  clock.advanceMs(1000);
  assert.is(sent.length, 0);
  assert.equal(dropped.counts, { "query-retained": 1, "query-malformed": 1, "correlation-too-long": 1 });
});

test("D.8: answers from memory are marked while the directory cannot be asked", () => {
  const { clock, ask, replies, state } = fixture();
  state.reachable = false;
  ask("7;1;(k=lamp)");
  state.services = [];
  ask("8;1;(k=lamp)");
  clock.advanceMs(100);
  assert.equal(replies(), ["sd1/r/dev1 7;1/1;0000000000005f3a;lamp;600;~;room=kitchen", "sd1/r/dev1 8;0/0;~"]);
});

test("a service without a kind has a dash in its place", () => {
  const { clock, ask, replies, state } = fixture();
  state.services = [{ ...known(1, {}), kind: undefined, mirrored: false }];
  ask("7;1;(room=*)");
  clock.advanceMs(100);
  assert.equal(replies(), ["sd1/r/dev1 7;1/1;0000000000000001;-;600"]);
});

test("no packet is larger than devices take, and a plus tells of the cut", () => {
  const text = "x".repeat(50);
  for (const maxPacketBytes of [128, 256]) {
    for (const version of [4, 5] as const) {
      const service = known(1, { url: "coap://10.0.0.17", a: text, b: text, c: text, d: text });
      const { clock, ask, sent } = fixture({ services: [service], maxPacketBytes, version });
      ask("7;1;(k=lamp)");
      ask("1;(k=lamp)", { responseTopic: `sd1/r/${"y".repeat(20)}`, correlationData: Buffer.alloc(8) });
      clock.advanceMs(100);
      assert.is(sent.length, 2);
      for (const { payload } of sent) assert.match(payload, /;url=coap:\/\/10\.0\.0\.17(;.*)?;\+$/);
    }
  }
});

test("a device that asks all the time is told to wait, and not for every question", () => {
  const { clock, ask, sent, dropped } = fixture();
  for (let n = 0; n < 1000; n++) ask(`${n};8;(k=lamp)`);
  clock.advanceMs(1000);
  assert.is(sent.filter(({ payload }) => payload.includes("!busy;1")).length, 1);
  assert.is(sent.length, 6);
  assert.is(dropped.counts["query-busy"], 995);
  ask("1000;8;(k=lamp)");
  clock.advanceMs(1000);
  assert.is(sent.length, 7);
});

test("a flood from many devices: at most 50 packets a second, and nothing waits for long", () => {
  const services = Array.from({ length: 8 }, (_, n) => known(n, { room: `r${n}` }));
  const { clock, ask, sent, asked, answers } = fixture({ services });
  for (let second = 0; second < 20; second++) {
    for (let n = 0; n < 500; n++) ask("7;8;(k=lamp)", {}, `dev${n}`);
    clock.advanceMs(1000);
  }
  for (const { atMs } of sent.slice(0, 500)) {
    assert.ok(sent.filter((other) => other.atMs >= atMs && other.atMs < atMs + 1000).length <= 50);
  }
  assert.ok(asked.length <= 50 + 20 * 20, `${asked.length} evaluations`);
  assert.match(sent.find(({ payload }) => payload.includes("!busy"))!.payload, /^7;!busy;[2-6]$/);
  const before = sent.length;
  clock.advanceMs(10_000);
  assert.ok(sent.length - before <= 256);
  answers.stop();
  assert.equal(clock.timers(), []);
});

test("when there is no room for answers there is room for refusals, and they come first", () => {
  const services = Array.from({ length: 8 }, (_, n) => known(n, { room: `r${n}` }));
  const { clock, ask, sent, dropped, answers } = fixture({ services });
  for (let n = 0; n < 32; n++) ask("7;8;(k=lamp)", {}, `dev${n}`);
  for (let n = 32; n < 50; n++) ask("7;8;(k=lamp)", {}, `dev${n}`);
  clock.advanceMs(200);
  assert.equal(
    sent.slice(0, 10).map(({ topic, payload }) => `${topic} ${payload}`),
    Array.from({ length: 10 }, (_, n) => `sd1/r/dev${n + 32} 7;!busy;6`),
  );
  assert.is(dropped.counts["replies-waiting"], undefined);
  clock.advanceMs(10_000);
  assert.is(sent.length, 266);
  ask("8;8;(k=lamp)", {}, "dev1");
  ask("8;8;(k=lamp", {}, "dev2");
  answers.stop();
  assert.equal(clock.timers(), []);
});

test("when the broker is lost, old answers are not sent later", () => {
  const { clock, ask, sent, answers } = fixture({ services: TWO });
  ask("7;2;(k=lamp)");
  answers.brokerLost();
  clock.advanceMs(1000);
  assert.is(sent.length, 0);
});

test.run();
