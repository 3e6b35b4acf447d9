/** What happens to a peer that does not read, and that nobody else is the worse for it (13.1). */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT_OUTPUT_QUEUE } from "../../src/server/output-queues.js";
import { InMemoryDomain, type Peer } from "../support/in-memory.js";
import {
  type Answer,
  ask,
  helloFields,
  matches,
  message,
  publish,
  received,
  recordingLog,
  subscribe,
} from "./conversation.js";

const SERVICES = 10_000;
/** Where the server pauses; what one turn has made before it is looked at comes on top. */
const QUEUE_LIMIT = 128;
const ONE_TURN = 4_096;

/** A domain with 10,000 services of a version 2 client (which no silence ends), ids from 0. */
function crowded() {
  const memory = new InMemoryDomain();
  const publisher = memory.client(1, 2);
  for (let id = 0; id < SERVICES; id++) publish(publisher, id, { props: { id: [id], even: [id % 2] } });
  return { memory, publisher };
}

/** A connected version 2 client that does not read. */
function slowReader(memory: InMemoryDomain): Peer {
  const peer = memory.client(2, 2);
  peer.reads = false;
  return peer;
}

/** Reads step by step until nothing comes any more; `between` runs after each step. Returns everything that came. */
function readAll(peer: Peer, { most = QUEUE_LIMIT + ONE_TURN, between = (_step: number) => {} } = {}): Answer[] {
  const all: Answer[] = [];
  for (let step = 0; peer.backlog.length > 0; step++) {
    assert.ok(peer.queuedMessages <= most, `${peer.queuedMessages} messages wait`);
    peer.drain();
    all.push(...received(peer));
    between(step);
  }
  return all;
}

const notifications = (answers: readonly Answer[]) => answers.filter((a) => a["msg-type"] === "notify");

test("a slow reader of 10,000 services: little waits at any time, and all come in order", () => {
  const { memory } = crowded();
  const reader = slowReader(memory);
  reader.send(message("request", "services", 5));
  assert.not(reader.reading, "the server reads nothing while it waits");
  let steps = 0;
  const all = readAll(reader, { between: () => steps++ });
  assert.equal(
    notifications(all).map((a) => a["service-id"]),
    [...Array(SERVICES).keys()],
  );
  assert.is(all[0]["msg-type"], "accept");
  assert.is(all.at(-1)!["msg-type"], "complete");
  assert.ok(steps > 2, "it was made in steps");
  assert.ok(reader.reading);
});

test("services that change, vanish or come during a listing: each is listed as it is then, or not; none twice", () => {
  const { memory, publisher } = crowded();
  const reader = slowReader(memory);
  reader.send(message("request", "services", 5));
  const listed = readAll(reader, {
    between: (step) => {
      if (step !== 0) return;
      publish(publisher, SERVICES - 1, { generation: 7, props: { changed: [1] } });
      for (let id = 5000; id < 9000; id++) ask(publisher, "unpublish", { "service-id": id });
      publish(publisher, 5000, { generation: 9 });
      publish(publisher, SERVICES, { generation: 9 });
      ask(publisher, "unpublish", { "service-id": 0 });
    },
  });
  const ids = notifications(listed).map((a) => a["service-id"] as number);
  assert.is(new Set(ids).size, ids.length, "none twice");
  const expected = [...Array(SERVICES).keys()].filter((id) => id < 5000 || id >= 9000);
  const early = ids.filter((id) => id >= 5000 && id < 9000);
  assert.equal(
    ids.filter((id) => id < 5000 || id >= 9000),
    expected,
  );
  assert.equal(
    early,
    [...Array(early.length).keys()].map((i) => 5000 + i),
    "what was listed before it vanished",
  );
  assert.ok(early.length < 4000);
  assert.not.ok(ids.includes(SERVICES), "the new one is not part of the snapshot");
  const changed = notifications(listed).find((a) => a["service-id"] === SERVICES - 1)!;
  assert.equal([changed.generation, changed["service-props"]], [7, { changed: [1] }]);
});

test("the end of a reader in the middle of a listing leaves nothing behind", () => {
  const { memory, publisher } = crowded();
  const words = memory.domain.directory.store.usedWords;
  for (const end of [
    (peer: Peer) => peer.leave(),
    (peer: Peer) => memory.domain.connectionOf(memory.domain.directory.client(0, 2))!.drop("test") ?? peer,
  ]) {
    const reader = slowReader(memory);
    reader.send(message("request", "subscribe", 6, { "subscription-id": 3, filter: "(even=1)" }));
    reader.reading = true; // or the second request would wait
    reader.send(message("request", "services", 5, { filter: "(even=0)" }));
    end(reader);
    assert.is(memory.domain.directory.store.usedWords, words, "the filters are released");
  }
  for (let id = 0; id < SERVICES; id += 100) ask(publisher, "unpublish", { "service-id": id });
  assert.is(memory.domain.connectionCount, 1);
});

/** Applies notifications as a client does; fails on any that does not fit the state. */
function follow(state: Map<number, Answer>, answers: readonly Answer[]): void {
  for (const a of notifications(answers)) {
    const id = a["service-id"] as number;
    const known = state.has(id);
    if (a["match-type"] === "appeared") assert.not(known, `${id} appeared twice`);
    else assert.ok(known, `${id} ${a["match-type"]} before it appeared`);
    if (a["match-type"] === "disappeared") state.delete(id);
    else state.set(id, a);
  }
}

for (const filter of [undefined, "(even=1)", "(!(even=1))"]) {
  test(`the initial burst of a slow subscriber (${filter ?? "no filter"}) stays consistent under changes`, () => {
    const { memory, publisher } = crowded();
    const reader = slowReader(memory);
    reader.send(message("request", "subscribe", 5, { "subscription-id": 3, ...(filter ? { filter } : {}) }));
    const state = new Map<number, Answer>();
    let seed = 42;
    const random = (n: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return Math.floor((seed / 0x8000_0000) * n);
    };
    let generation = 1;
    const all = readAll(reader, {
      most: QUEUE_LIMIT + ONE_TURN + 400,
      between: (step) => {
        if (step > 20) return;
        for (let i = 0; i < 200; i++) {
          const id = random(SERVICES + 200);
          if (random(3) === 0) ask(publisher, "unpublish", { "service-id": id });
          else publish(publisher, id, { generation: generation++, props: { id: [id], even: [random(2)] } });
        }
      },
    });
    follow(state, all);
    const truth = ask(publisher, "services", filter ? { filter } : {}).filter((a) => a["msg-type"] === "notify");
    assert.equal(
      [...state.keys()].sort((a, b) => a - b),
      truth.map((a) => a["service-id"] as number).sort((a, b) => a - b),
    );
    for (const service of truth) {
      const seen = state.get(service["service-id"])!;
      assert.equal([seen.generation, seen["service-props"]], [service.generation, service["service-props"]]);
    }
    assert.is(memory.clock.timers().length, 0);
  });
}

test("subscriptions and clients are listed in steps too, without those that came or went meanwhile", () => {
  const memory = new InMemoryDomain();
  const owner = memory.client(1, 2);
  for (let id = 1; id <= SERVICES; id++) subscribe(owner, id, { filter: `(x=${id})` });
  const reader = slowReader(memory);
  reader.send(message("request", "subscriptions", 5));
  const listed = readAll(reader, {
    between: (step) => {
      if (step !== 0) return;
      ask(owner, "unsubscribe", { "subscription-id": SERVICES });
      subscribe(owner, 77_777);
    },
  });
  assert.equal(
    notifications(listed).map((a) => a["subscription-id"]),
    [...Array(SERVICES - 1).keys()].map((i) => i + 1),
  );
  const others = Array.from({ length: 6000 }, (_, i) => memory.client(100 + i, 2));
  reader.reads = false;
  reader.reading = true;
  reader.send(message("request", "clients", 6));
  const clients = readAll(reader, {
    between: (step) => {
      if (step !== 0) return;
      others.at(-1)!.leave();
      memory.client(99_999, 2);
    },
  });
  assert.is(notifications(clients).length, 2 + 6000 - 1);
  assert.is(clients.at(-1)!["msg-type"], "complete");
});

const FLOODS: { readonly [name: string]: (peer: Peer, i: number) => string } = {
  pings: (_, i) => message("request", "ping", i),
  "repeated hellos": (_, i) => message("request", "hello", i, helloFields(2)),
  "refused publishes": (_, i) => message("request", "unpublish", i, { "service-id": 12345 }),
  "track queries": () => message("inform", "track", 99_999, { "track-type": "query" }),
};
for (const [name, make] of Object.entries(FLOODS)) {
  test(`${name} of a client that does not read: reading stops at ${QUEUE_LIMIT} waiting answers and goes on later`, async () => {
    const memory = new InMemoryDomain();
    const peer = memory.client(2);
    peer.send(message("request", "track", 99_999));
    received(peer);
    peer.reads = false;
    for (let i = 0; i < 1000; i++) peer.send(make(peer, i));
    assert.is(peer.queuedMessages, QUEUE_LIMIT + 1, "it is looked at before the last answer has gone to the socket");
    assert.not(peer.reading);
    let answers = 0;
    for (let round = 0; round < 100 && peer.queuedMessages > 0; round++) {
      assert.ok(peer.queuedMessages <= 1000);
      peer.drain();
      answers += received(peer).length;
      await Promise.resolve(); // what was not read yet is delivered in a microtask
    }
    assert.is(answers, 1000);
    assert.ok(peer.reading);
  });
}

test(`requests before hello are bounded in the same way`, () => {
  const memory = new InMemoryDomain();
  const peer = memory.connect();
  peer.reads = false;
  for (let i = 0; i < 1000; i++) peer.send(message("request", "ping", i));
  assert.is(peer.queuedMessages, QUEUE_LIMIT + 1, "it is looked at before the last answer has gone to the socket");
  assert.not(peer.reading);
  memory.advanceMs(3000);
  assert.ok(peer.closedByServer);
});

test("a subscriber that does not read is dropped at the documented size, with a line that says so; others notice nothing", () => {
  const { lines, log } = recordingLog();
  const memory = new InMemoryDomain({ log });
  const publisher = memory.client(1, 2);
  const slow = memory.client(0xbad, 2);
  const quick = memory.client(3, 2);
  subscribe(slow, 1);
  subscribe(quick, 2);
  publish(slow, 4711, { ttl: 5 });
  received(quick);
  slow.reads = false;
  const text = "x".repeat(30_000);
  let generation = 0;
  while (!slow.closedByServer && generation < 1000) {
    publish(publisher, 7, { generation: generation++, props: { text: [text] } });
    assert.equal(matches(received(quick)).length, 1, "the quick one is told each time, at once");
    memory.advanceMs(1);
  }
  assert.ok(slow.closedByServer);
  const least = DEFAULT_OUTPUT_QUEUE.connection / (text.length + 200);
  assert.ok(generation > least && generation < least + 5, `after ${generation} changes, ${least} at least`);
  const warnings = lines.filter((line) => line.startsWith("WARNING"));
  assert.is(warnings.length, 1);
  assert.match(
    warnings[0],
    /^WARNING <0xbad> Does not read what it asked for: 16\d{6} bytes wait \(16777216 accepted\); dropping the connection\.$/,
  );
  assert.equal(matches(received(quick)), ["modified 4711 orphan"]);
  assert.is(ask(publisher, "subscriptions").length, 3);
});

test("answers to its own requests never get a client dropped, however large they are", () => {
  const memory = new InMemoryDomain();
  const publisher = memory.client(1, 2);
  const text = "x".repeat(60_000);
  for (let id = 0; id < 600; id++) publish(publisher, id, { props: { text: [text] } });
  for (const [command, fields] of [
    ["services", {}],
    ["subscribe", { "subscription-id": 1 }],
  ] as const) {
    const reader = slowReader(memory);
    reader.send(message("request", command, 5, fields));
    // What is asked for is made while less than 256 KiB wait; the arena may hold as much again.
    assert.ok(reader.queuedBytes < 2 * 256 * 1024 + 65_536, `${reader.queuedBytes}`);
    assert.is(notifications(readAll(reader)).length, 600);
    memory.advanceMs(10);
    assert.not(reader.closedByServer);
    reader.leave();
  }
});

test("the queues of a domain together have a limit: who lets most pile up goes, nobody else", () => {
  const { lines, log } = recordingLog();
  const memory = new InMemoryDomain({ log, outputQueue: { connection: 1_000_000, domain: 1_500_000 } });
  const publisher = memory.client(1, 2);
  const [slow, slower, slowest] = [2, 3, 4].map((id) => memory.client(id, 2));
  // The slowest is told of everything, the others of two thirds and of one third.
  for (const [peer, id, filter] of [
    [slow, 1, "(part=1)"],
    [slower, 2, "(|(part=1)(part=2))"],
    [slowest, 3, "(part=*)"],
  ] as const) {
    subscribe(peer, id, { filter });
    peer.reads = false;
  }
  let changes = 0;
  for (; !slowest.closedByServer && changes < 1000; changes++) {
    publish(publisher, changes, { props: { part: [1 + (changes % 3)], text: ["x".repeat(10_000)] } });
    memory.advanceMs(1);
  }
  const told = changes * (1 + 2 / 3 + 1 / 3);
  assert.ok(Math.abs(told - 150) < 10, `dropped after ${told} notifications of 10 KB to all three`);
  assert.equal(
    [slow, slower].map((peer) => peer.closedByServer),
    [false, false],
  );
  const warnings = lines.filter((line) => line.startsWith("WARNING"));
  assert.is(warnings.length, 1);
  assert.match(
    warnings[0],
    /^WARNING <0x4> .*: 15\d{5} bytes wait for all clients of the domain \(1500000 accepted\), 7\d{5} of them for this one, the most; dropping the connection\.$/,
  );
  // What the slowest had is free again: the next one pays only when as much has come together once more.
  const before = changes;
  for (; !slower.closedByServer && changes < 1000; changes++) {
    publish(publisher, changes, { props: { part: [1 + (changes % 3)], text: ["x".repeat(10_000)] } });
    memory.advanceMs(1);
  }
  assert.ok(changes - before > 50, `${changes - before}`);
  assert.not(slow.closedByServer);
  assert.is(notifications(readAll(slow, { most: 1000 })).length, Math.ceil(changes / 3));
  assert.is(memory.domain.outputQueues.bytes, 0);
});

test.run();
