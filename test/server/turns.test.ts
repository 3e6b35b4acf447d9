/** Nobody works for long while others wait: connections take turns. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { InMemoryDomain } from "../support/in-memory.js";
import { message, publish, received, serviceFields } from "./conversation.js";

/** A domain in which a look at the clock takes a millisecond. */
class SlowMachine extends InMemoryDomain {
  working = false;
  constructor() {
    super();
    const { clock } = this;
    const now = clock.monotonicMs.bind(clock);
    clock.monotonicMs = () => {
      if (this.working) clock.passMs(1);
      return now();
    };
  }
}

test("many requests at once: after 5 ms it is the others' turn, and all are answered in order", async () => {
  const memory = new SlowMachine();
  const [busy, other] = [memory.client(1, 2), memory.client(2, 2)];
  memory.working = true;
  const requests = Array.from({ length: 100 }, (_, i) => message("request", "ping", i));
  busy.sendAll(requests);
  const first = received(busy);
  assert.ok(first.length >= 5 && first.length <= 8, `${first.length} answers in the first turn`);
  assert.not(busy.reading);
  other.send(message("request", "ping", 1));
  assert.is(received(other).length, 1, "the other one is served meanwhile");
  const all = [...first];
  let turns = 0;
  for (; all.length < 100 && turns < 100; turns++) {
    memory.advanceMs(10);
    await Promise.resolve(); // what was kept is delivered
    all.push(...received(busy));
  }
  assert.equal(
    all.map((answer) => answer["ta-id"]),
    requests.map((_, i) => i),
  );
  assert.ok(turns > 10, `in ${turns} turns`);
  assert.ok(busy.reading);
});

test("a search through many services that finds none is cut into turns; it stops when the asker goes", () => {
  const memory = new SlowMachine();
  const publisher = memory.client(1, 2);
  for (let id = 0; id < 200; id++) publish(publisher, id, { props: { id: [id] } });
  const words = memory.domain.directory.store.usedWords;
  memory.working = true;
  const [searcher, leaver] = [memory.client(2, 2), memory.client(3, 2)];
  searcher.send(message("request", "services", 7, { filter: "(id>1000)" }));
  leaver.send(message("request", "services", 8, { filter: "(id>1000)" }));
  leaver.leave();
  assert.equal(
    received(searcher).map((answer) => answer["msg-type"]),
    ["accept"],
  );
  let turns = 0;
  while (searcher.received.length === 0 && turns < 1000) {
    memory.advanceMs(10);
    turns++;
  }
  assert.ok(turns > 10 && turns < 60, `${turns} turns`);
  assert.equal(
    received(searcher).map((answer) => answer["msg-type"]),
    ["complete"],
  );
  assert.is(memory.domain.directory.store.usedWords, words, "both filters are released");
});

test("changes during a subscription's first matches, between two turns, are told exactly once", () => {
  const memory = new SlowMachine();
  const publisher = memory.client(1, 2);
  for (let id = 0; id < 50; id++) publish(publisher, id, { props: { id: [id] } });
  const subscriber = memory.client(2, 2);
  memory.working = true;
  subscriber.send(message("request", "subscribe", 7, { "subscription-id": 1, filter: "(id>9)" }));
  memory.working = false;
  publish(publisher, 3, { generation: 1, props: { id: [300] } }); // the walk has passed it, and it matches now
  publish(publisher, 45, { generation: 1, props: { id: [1] } }); // the walk will come to it, and it does not match any more
  publish(publisher, 46, { generation: 1, props: { id: [460] } });
  publish(publisher, 99, { props: { id: [99] } });
  for (let turn = 0; turn < 100; turn++) memory.advanceMs(10);
  const appeared = received(subscriber).filter((answer) => answer["match-type"]);
  assert.equal(
    appeared.map((answer) => answer["match-type"]).filter((type) => type !== "appeared"),
    [],
  );
  const expected = Array.from({ length: 40 }, (_, i) => i + 10).filter((id) => id !== 45);
  assert.equal(
    appeared.map((answer) => answer["service-id"]).sort((a, b) => a - b),
    [3, ...expected, 99],
  );
});

/** One request that takes `ms`: time passes while the directory compares its filter. */
class DearRequests extends InMemoryDomain {
  takesMs = 0;
  constructor() {
    super();
    const { directory } = this.domain;
    const publish = directory.publish.bind(directory);
    directory.publish = (...args) => {
      this.clock.passMs(this.takesMs);
      return publish(...args);
    };
  }
}

test("after a request that took long, those of others wait for a turn each, pings do not", () => {
  const memory = new DearRequests();
  const peers = [1, 2, 3, 4].map((id) => memory.client(id, 2));
  memory.takesMs = 200;
  const request = message("request", "publish", 7, serviceFields(1));
  for (const peer of peers) peer.send(request);
  assert.equal(
    peers.map((peer) => received(peer).length),
    [1, 0, 0, 0],
    "only the first has been served in this round",
  );
  const pinger = memory.client(9, 2);
  pinger.send(message("request", "ping", 1));
  assert.is(received(pinger).length, 1);
  memory.takesMs = 0;
  memory.advanceMs(1);
  assert.equal(
    peers.map((peer) => received(peer).length),
    [0, 1, 1, 1],
  );
});

test("rests pass at the same time, and those of connections that have gone delay nobody", () => {
  const memory = new DearRequests();
  const dear = Array.from({ length: 20 }, (_, i) => memory.client(i + 1, 2));
  memory.takesMs = 500;
  for (const peer of dear) {
    peer.send(message("request", "publish", 7, serviceFields(dear.indexOf(peer))));
    memory.advanceMs(1); // each in a round of its own
  }
  memory.takesMs = 0;
  for (const peer of dear.slice(1)) peer.leave();
  const [first] = dear;
  first.send(message("request", "ping", 8));
  memory.advanceMs(1000);
  assert.ok(first.reading, "its rest was over within a second");
  for (const peer of [first]) peer.leave();
  memory.advanceMs(10);
  assert.equal(
    memory.clock.timers().filter((name) => name === "turn"),
    [],
  );
});

test("a client that had to wait for its turn has not been silent", () => {
  const memory = new DearRequests();
  const honest = memory.client(1, 3);
  publish(honest, 1, { ttl: 4 });
  memory.takesMs = 3000;
  for (let i = 0; i < 10; i++) {
    // Whatever it sends while it rests is not read; each rest is a second, after 3 s of work.
    honest.send(message("request", "publish", 7, serviceFields(2, { generation: i })));
    assert.not(honest.reading);
    honest.sendAll([message("request", "ping", 8)]);
    memory.advanceMs(1000);
    assert.not(honest.closedByServer, `round ${i}`);
  }
});

test.run();
