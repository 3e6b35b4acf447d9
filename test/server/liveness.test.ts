/** track and the idle supervision of version 3 clients (6.2, 9.2, 9.3, 9.5) on the fake clock. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { maxIdleSeconds } from "../../src/server/liveness.js";
import { InMemoryDomain, type Peer } from "../support/in-memory.js";
import { ask, message, outcome, publish, received, recordingLog } from "./conversation.js";

const query = (taId: number) => ({ "ta-cmd": "track", "ta-id": taId, "msg-type": "notify", "track-type": "query" });
const reply = (taId: number) => ({ ...query(taId), "track-type": "reply" });

function tracking(memory: InMemoryDomain, id = 1, taId = 5): Peer {
  const peer = memory.client(id);
  peer.send(message("request", "track", taId));
  received(peer);
  return peer;
}

const inform = (peer: Peer, type: string, taId = 5) =>
  peer.send(message("inform", "track", taId, { "track-type": type }));

/** `random` that makes every warning time exactly half of the idle time. */
const EXACT = { random: () => 0.5 };

/** Milliseconds, in steps of `stepMs`, until the server drops the peer. */
function lifetimeMs(memory: InMemoryDomain, peer: Peer, stepMs = 1): number {
  const began = memory.clock.monotonicMs();
  while (!peer.closedByServer && memory.clock.monotonicMs() - began < 200_000) memory.advanceMs(stepMs);
  return memory.clock.monotonicMs() - began;
}

test("track: accepted; the client's queries are answered at once, any number of them", () => {
  const peer = new InMemoryDomain().client(1);
  peer.send(message("request", "track", 5));
  assert.equal(received(peer), [{ "ta-cmd": "track", "ta-id": 5, "msg-type": "accept" }]);
  for (let i = 0; i < 3; i++) {
    inform(peer, "query");
    assert.equal(received(peer), [reply(5)]);
  }
  assert.not(peer.closedByServer);
});

test("track-exists: a second track transaction", () => {
  const peer = tracking(new InMemoryDomain());
  assert.is(outcome(peer, "track"), "track-exists");
  inform(peer, "query");
  assert.equal(received(peer), [reply(5)], "the first one goes on");
});

test("the server's query comes after half the time; its latency is what clients show", () => {
  const memory = new InMemoryDomain({ ...EXACT, idle: { min: 4, max: 30 } });
  const peer = tracking(memory);
  memory.advanceMs(14_999);
  assert.equal(received(peer), []);
  memory.advanceMs(1);
  assert.equal(received(peer), [query(5)]);
  assert.not("latency" in ask(memory.client(2), "clients")[1], "none was measured yet");
  memory.advanceMs(250);
  inform(peer, "reply");
  assert.is(ask(peer, "clients")[1].latency, 0.25);
  assert.not("latency" in ask(memory.client(3, 2), "clients")[1], "version 2 does not know of it");
});

test("one query at a time: other traffic keeps the client alive, but no second query is sent until the reply", () => {
  const memory = new InMemoryDomain({ ...EXACT, idle: { min: 4, max: 30 } });
  const peer = tracking(memory);
  memory.advanceMs(15_000);
  assert.equal(received(peer), [query(5)]);
  for (let i = 0; i < 5; i++) {
    ask(peer, "ping");
    memory.advanceMs(20_000);
    assert.equal(received(peer), []);
  }
  assert.not(peer.closedByServer);
  inform(peer, "reply");
  memory.advanceMs(15_000);
  assert.equal(received(peer), [query(5)]);
});

for (const random of [0, 0.5, 0.999_999]) {
  test(`a silent client lives 0.95 to 1.05 of its time (random ${random})`, () => {
    for (const tracks of [true, false]) {
      const memory = new InMemoryDomain({ random: () => random, idle: { min: 4, max: 30 } });
      const peer = tracks ? tracking(memory) : memory.client(1);
      const expected = 30_000 * (0.5 + 0.5 * (0.9 + 0.2 * random));
      assert.ok(Math.abs(lifetimeMs(memory, peer) - expected) <= 1, `${tracks} ${expected}`);
      assert.equal(memory.clock.timers(), []);
    }
  });
}

for (const [min, max, ttl, expected] of [
  [4, 30, Infinity, 30],
  [4, 30, 100, 30],
  [4, 30, 30, 30],
  [4, 30, 10, 10],
  [4, 30, 4, 4],
  [4, 30, 2, 4],
  [4, 30, 0, 4],
  [1, 30, 2, 2],
  [2, 30, 0, 2],
  [5, 5, 1, 5],
] as const) {
  test(`idle ${min}…${max}, lowest TTL ${ttl}: ${expected} s`, () => {
    assert.is(maxIdleSeconds({ min, max }, ttl), expected);
    const memory = new InMemoryDomain({ ...EXACT, idle: { min, max } });
    const peer = memory.client(1);
    if (ttl !== Infinity) {
      publish(peer, 6, { ttl: 1000 });
      publish(peer, 7, { ttl });
    }
    assert.is(lifetimeMs(memory, peer), expected * 1000);
  });
}

test("a TTL of 2^63-1 is as good as none", () => {
  const memory = new InMemoryDomain(EXACT);
  const peer = memory.client(1);
  peer.send(
    '{"ta-cmd":"publish","ta-id":1,"msg-type":"request","service-id":1,"generation":0,"service-props":{},"ttl":9223372036854775807}',
  );
  assert.is(lifetimeMs(memory, peer, 10), 30_000);
  memory.advanceMs(10 * 365 * 86_400_000);
  assert.is(memory.domain.directory.serviceCount, 1, "and the orphan outlives ten years");
});

test("a low TTL shortens the time at once; a higher generation with a longer one gives it back", () => {
  const memory = new InMemoryDomain({ ...EXACT, idle: { min: 1, max: 30 } });
  const peer = memory.client(1);
  memory.advanceMs(1000);
  publish(peer, 7, { ttl: 2 });
  memory.advanceMs(1999);
  assert.not(peer.closedByServer);
  publish(peer, 7, { ttl: 2, generation: 1 });
  publish(peer, 7, { ttl: 20, generation: 2 });
  assert.is(lifetimeMs(memory, peer), 20_000);
});

test("unpublishing the service with the lowest TTL lengthens the time", () => {
  const memory = new InMemoryDomain({ ...EXACT, idle: { min: 1, max: 30 } });
  const peer = memory.client(1);
  publish(peer, 7, { ttl: 2 });
  publish(peer, 8, { ttl: 10 });
  assert.is(outcome(peer, "unpublish", { "service-id": 7 }), "complete");
  assert.is(lifetimeMs(memory, peer), 10_000);
});

test("a service that somebody else took over does not count any more; for the new owner it does", () => {
  const memory = new InMemoryDomain({ ...EXACT, idle: { min: 1, max: 30 } });
  const former = memory.client(1);
  publish(former, 7, { ttl: 2 });
  const next = memory.client(2);
  publish(next, 7, { ttl: 2, generation: 1 });
  assert.is(lifetimeMs(memory, next), 2000);
  assert.not(former.closedByServer);
  assert.is(lifetimeMs(memory, former), 28_000);
});

test("16: services reclaimed after a reconnect count", () => {
  const memory = new InMemoryDomain({ ...EXACT, idle: { min: 1, max: 30 } });
  const first = memory.client(1);
  publish(first, 7, { ttl: 6 });
  first.leave();
  const again = memory.client(1);
  memory.advanceMs(1000);
  publish(again, 7, { ttl: 6 });
  assert.is(lifetimeMs(memory, again), 6000);
  assert.ok("orphan-since" in ask(memory.client(2), "services")[1], "and the second end orphans it again");
});

test("orphans of the same client id that nobody reclaimed do not count", () => {
  const memory = new InMemoryDomain({ ...EXACT, idle: { min: 1, max: 30 } });
  const first = memory.client(1);
  publish(first, 7, { ttl: 6 });
  first.leave();
  assert.is(lifetimeMs(memory, memory.client(1)), 30_000);
});

const TRAFFIC: { readonly [name: string]: (peer: Peer) => void } = {
  ping: (peer) => ask(peer, "ping"),
  "a refused publish": (peer) => publish(peer, 7, { generation: 0, ttl: 99 }),
  "a repeated hello": (peer) =>
    ask(peer, "hello", { "client-id": 1, "protocol-minimum-version": 2, "protocol-maximum-version": 3 }),
  "a refused hello": (peer) =>
    ask(peer, "hello", { "client-id": 2, "protocol-minimum-version": 2, "protocol-maximum-version": 3 }),
  "a track query": (peer) => inform(peer, "query"),
  "a listing": (peer) => ask(peer, "services"),
  "a second track": (peer) => ask(peer, "track"),
};
for (const [name, speak] of Object.entries(TRAFFIC)) {
  test(`${name} keeps a client alive`, () => {
    const memory = new InMemoryDomain({ ...EXACT, idle: { min: 4, max: 30 } });
    const owner = memory.client(9);
    publish(owner, 7, { ttl: 30 });
    const peer = tracking(memory);
    for (let i = 0; i < 10; i++) {
      memory.advanceMs(29_999);
      assert.not(peer.closedByServer, `after ${i} rounds`);
      received(peer);
      speak(peer);
      ask(owner, "ping");
    }
    assert.is(lifetimeMs(memory, peer), 30_000);
  });
}

test("what the server sends keeps nobody alive", () => {
  const memory = new InMemoryDomain({ ...EXACT, idle: { min: 4, max: 30 } });
  const peer = memory.client(1);
  peer.send(message("request", "subscribe", 5, { "subscription-id": 1 }));
  const publisher = memory.client(2, 2);
  for (let i = 0; i < 30; i++) {
    memory.advanceMs(1000);
    publish(publisher, 7, { generation: i });
  }
  assert.ok(peer.closedByServer);
});

test("a version 2 client is never dropped for its silence, whatever its TTLs", () => {
  const memory = new InMemoryDomain({ idle: { min: 1, max: 2 } });
  const peer = memory.client(1, 2);
  publish(peer, 7, { ttl: 1 });
  memory.advanceMs(1_000_000);
  assert.not(peer.closedByServer);
  assert.equal(memory.clock.timers(), [], "and wakes nobody");
});

test("a stopped process that goes on hears its clients before it drops them", () => {
  const memory = new InMemoryDomain({ ...EXACT, idle: { min: 4, max: 30 } });
  const peer = tracking(memory);
  memory.outbox.enter();
  memory.clock.stallMs(100_000);
  memory.outbox.leave();
  assert.not(peer.closedByServer, "the query comes first");
  assert.equal(received(peer), [query(5)]);
  inform(peer, "reply");
  memory.advanceMs(29_000);
  assert.not(peer.closedByServer);
});

test("idle timeouts are logged at debug level, ends at info", () => {
  const { lines, log } = recordingLog();
  const memory = new InMemoryDomain({ log });
  lifetimeMs(memory, memory.client(0xab), 1000);
  assert.ok(lines.some((line) => line.startsWith("DEBUG <0xab> Silent for too long")));
  assert.ok(lines.some((line) => line.startsWith("INFO <0xab> Disconnected")));
});

test("traffic costs no timers: a thousand pings leave one", () => {
  const memory = new InMemoryDomain();
  const peer = memory.client(1);
  for (let i = 0; i < 1000; i++) ask(peer, "ping");
  assert.equal(memory.clock.timers(), ["idle"]);
});

test.run();
