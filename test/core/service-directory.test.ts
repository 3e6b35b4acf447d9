/** The tables of pathfinder-protocol.md, 10.2 to 11.1, on a fake clock. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { SeededRandom } from "../../scripts/fuzz/random.js";
import type { Client, ServiceEntry, Subscription } from "../../src/core/entries.js";
import type { DomainLimits } from "../../src/core/limits.js";
import { UNLIMITED } from "../../src/core/limits.js";
import { properties } from "../../src/core/properties.js";
import { ServiceDirectory } from "../../src/core/service-directory.js";
import { fromBigInt, Uint63 } from "../../src/core/uint63.js";
import { FakeClock } from "../support/fake-clock.js";

type Props = Parameters<typeof properties>[0];
const TYPES = ["appeared", "modified", "disappeared"];

function fixture(limits?: DomainLimits) {
  const clock = new FakeClock();
  const random = new SeededRandom(1);
  const directory = new ServiceDirectory({
    clock,
    timers: clock,
    random: () => random.unit(),
    ...(limits ? { limits } : {}),
  });
  const seen: string[] = [];
  const sink = {
    onMatch(_: Subscription, type: number, service: ServiceEntry) {
      const state = `g${service.generationLo} owner ${service.owner.idLo}${service.isOrphan ? " orphan" : ""}`;
      seen.push(type === 2 ? `disappeared ${service.idLo}` : `${TYPES[type]} ${service.idLo} ${state}`);
    },
  };
  const connect = (id: number, user = "u") => directory.connect(0, id, user) as Client;
  const watcher = connect(99, "watcher");
  const publish = (client: Client, id: number, generation: number, props: Props, ttl: bigint | number = 5) => {
    const { hi, lo } = fromBigInt(BigInt(ttl), new Uint63(), "ttl");
    directory.builder.fromProperties(properties(props));
    return directory.publish(client, 0, id, 0, generation, hi, lo);
  };
  let subscriptions = 0;
  const subscribe = (filter?: string, by = sink) => {
    const made = directory.subscribe(watcher, 1, ++subscriptions, filter, by) as Subscription;
    while (made.initial && !made.initial.done) directory.advance(made.initial, made.program);
    return made;
  };
  /** What was seen since the last call. */
  const news = () => seen.splice(0);
  return { clock, directory, connect, publish, subscribe, news, sink, seen, watcher };
}

interface Change {
  readonly generation: number;
  readonly by?: number;
  readonly props?: Props;
  readonly ttl?: number;
  readonly orphan?: boolean;
}

for (const [what, act, outcome, notified] of [
  ["equal, owner, no orphan", { generation: 5 }, "ok", []],
  ["equal, owner, orphan", { generation: 5, orphan: true }, "ok", ["modified 1 g5 owner 1"]],
  ["equal, another client of the user", { generation: 5, by: 2 }, "ok", ["modified 1 g5 owner 2"]],
  ["equal, another client, orphan", { generation: 5, by: 2, orphan: true }, "ok", ["modified 1 g5 owner 2"]],
  ["equal, other properties", { generation: 5, props: { a: 2 } }, "same-generation-but-different", []],
  ["equal, other TTL", { generation: 5, ttl: 6 }, "same-generation-but-different", []],
  ["equal, other properties, another client", { generation: 5, by: 2, props: {} }, "same-generation-but-different", []],
  ["higher, identical", { generation: 6 }, "ok", ["modified 1 g6 owner 1"]],
  ["higher, skipping", { generation: 600, props: { a: 2 } }, "ok", ["modified 1 g600 owner 1"]],
  ["higher, another client", { generation: 6, by: 2 }, "ok", ["modified 1 g6 owner 2"]],
  ["higher, orphan", { generation: 6, orphan: true }, "ok", ["modified 1 g6 owner 1"]],
  ["lower", { generation: 4 }, "old-generation", []],
  ["lower, another client", { generation: 4, by: 2 }, "old-generation", []],
  ["another user, equal", { generation: 5, by: 3 }, "permission-denied", []],
  ["another user, lower", { generation: 4, by: 3 }, "permission-denied", []],
] as [string, Change, string, string[]][]) {
  test(`10.2 publish: ${what}`, () => {
    const { clock, directory, connect, publish, subscribe, news } = fixture();
    let owner = connect(1);
    const clients: Record<number, Client> = { 2: connect(2), 3: connect(3, "other") };
    publish(owner, 1, 5, { a: 1 });
    subscribe("(a=*)");
    if (act.orphan) {
      directory.disconnect(owner);
      owner = connect(1);
      assert.equal(news(), ["modified 1 g5 owner 1 orphan"]);
    }
    assert.is(
      publish(act.by ? clients[act.by]! : owner, 1, act.generation, act.props ?? { a: 1 }, act.ttl ?? 5),
      outcome,
    );
    assert.equal(news(), notified);
    // Whoever owns it now keeps it: time alone removes nothing.
    clock.advanceMs(100_000);
    assert.equal(news(), []);
    assert.is(directory.serviceCount, 1);
  });
}

for (const [was, is, expected] of [
  [false, true, "appeared"],
  [true, true, "modified"],
  [true, false, "disappeared"],
  [false, false, undefined],
] as const) {
  test(`11.1 a change from ${was ? "match" : "no match"} to ${is ? "match" : "no match"}`, () => {
    const { connect, publish, subscribe, news } = fixture();
    const owner = connect(1);
    publish(owner, 1, 0, was ? { a: 1 } : { b: 1 });
    subscribe("(a=1)");
    publish(owner, 1, 1, is ? { a: 1, c: 1 } : { b: 2 });
    assert.equal(
      news().map((line) => line.split(" ")[0]),
      expected ? [expected] : [],
    );
  });
}

test("10.4 unpublish by the owner, of an orphan, by another client, by another user, of nothing", () => {
  const { directory, connect, publish, subscribe, news } = fixture();
  const [owner, other, stranger] = [connect(1), connect(2), connect(3, "other")];
  subscribe();
  for (const id of [1, 2, 3]) publish(owner, id, 7, {});
  news();
  assert.is(directory.unpublish(owner, 0, 1), "ok");
  assert.equal(news(), ["disappeared 1"]);
  assert.is(directory.unpublish(stranger, 0, 2), "permission-denied");
  assert.is(directory.unpublish(other, 0, 2), "ok");
  assert.equal(news(), ["modified 2 g7 owner 2", "disappeared 2"]);
  directory.disconnect(owner);
  news();
  const back = connect(1);
  assert.is(directory.unpublish(back, 0, 3), "ok");
  assert.equal(news(), ["modified 3 g7 owner 1", "disappeared 3"]);
  assert.is(directory.unpublish(back, 0, 3), "non-existent-service-id");
  publish(back, 1, 2, {});
  assert.equal(news(), ["appeared 1 g2 owner 1"], "the id is forgotten, a lower generation is fine");
});

test("10.3 orphans go when their TTL has passed and not before; all have the same time; subscriptions go first", () => {
  const { clock, directory, connect, publish, subscribe, news, sink } = fixture();
  const owner = connect(1);
  publish(owner, 1, 0, {}, 5);
  publish(owner, 2, 0, {}, 0);
  publish(owner, 3, 0, {}, 2n ** 63n - 1n);
  directory.subscribe(owner, 0, 1, undefined, sink);
  subscribe();
  clock.advanceMs(1234);
  directory.disconnect(owner);
  assert.equal(
    news(),
    [1, 2, 3].map((id) => `modified ${id} g0 owner 1 orphan`),
    "nothing from its own subscription",
  );
  assert.equal(
    [1, 2, 3].map((id) => directory.service(0, id)!.orphanSinceUnix),
    [1, 1, 1].map(() => clock.unixSeconds()),
  );
  clock.advanceMs(0);
  assert.equal(news(), ["disappeared 2"]);
  clock.advanceMs(4999);
  assert.equal(news(), []);
  clock.advanceMs(1);
  assert.equal(news(), ["disappeared 1"]);
  clock.advanceMs(2 ** 50);
  assert.is(directory.serviceCount, 1);
});

test("10.3 services become orphans in the order in which their owner published them first", () => {
  const { directory, connect, publish, subscribe, news } = fixture();
  const owner = connect(1);
  for (const id of [1, 2, 3]) publish(owner, id, 0, {});
  publish(owner, 1, 1, { a: 1 });
  subscribe();
  directory.disconnect(owner);
  assert.equal(
    news().map((line) => line.split(" ")[1]),
    ["1", "2", "3"],
  );
});

test("10.3 a reclaimed service is orphaned again by the second disconnect", () => {
  for (const generation of [0, 1]) {
    const { clock, directory, connect, publish, subscribe, news } = fixture();
    let owner = connect(1);
    publish(owner, 1, 0, {}, 5);
    subscribe();
    for (let round = 0; round < 3; round++) {
      directory.disconnect(owner);
      assert.match(news().join(), /^modified 1 .* orphan$/);
      clock.advanceMs(4000);
      owner = connect(1);
      assert.is(owner.lowestTtlSeconds, Infinity, "orphans do not count before they are published again");
      assert.is(publish(owner, 1, generation * (round + 1), {}, 5), "ok");
      assert.is(owner.lowestTtlSeconds, 5);
      assert.is(news().length, 1);
    }
    directory.disconnect(owner);
    clock.advanceMs(5000);
    assert.is(news().at(-1), "disappeared 1");
    assert.equal(clock.timers(), []);
    assert.is(directory.client(0, 1), undefined, "a client without connection and services is forgotten");
  }
});

test("after a transfer the former owner's end changes nothing, the new owner's does", () => {
  const { directory, connect, publish, subscribe, news } = fixture();
  const [former, owner] = [connect(1), connect(2)];
  publish(former, 1, 0, {});
  subscribe();
  publish(former, 1, 1, {});
  publish(owner, 1, 1, {});
  news();
  directory.disconnect(former);
  assert.equal(news(), []);
  directory.disconnect(owner);
  assert.equal(news(), ["modified 1 g1 owner 2 orphan"]);
});

test("the lowest TTL follows publishing, changes, transfers and withdrawal", () => {
  const { directory, connect, publish } = fixture();
  const [a, b] = [connect(1), connect(2)];
  for (const [act, ofA, ofB] of [
    [() => publish(a, 1, 0, {}, 30), 30, Infinity],
    [() => publish(a, 2, 0, {}, 10), 10, Infinity],
    [() => publish(a, 2, 1, {}, 20), 20, Infinity],
    [() => publish(b, 2, 2, {}, 4), 30, 4],
    [() => publish(b, 2, 3, {}, 0), 30, 0],
    [() => directory.orphan(b, 0, 2), 30, Infinity],
    [() => publish(a, 2, 3, {}, 0), 0, Infinity],
    [() => directory.unpublish(a, 0, 2), 30, Infinity],
    [() => directory.unpublish(a, 0, 1), Infinity, Infinity],
  ] as const) {
    act();
    assert.equal([a.lowestTtlSeconds, b.lowestTtlSeconds], [ofA, ofB]);
  }
});

test("connect: the id of a live client, another user's orphans, limits", () => {
  const { directory, connect, publish } = fixture({
    total: { ...UNLIMITED, services: 2 },
    user: { clients: 2, services: 1, subscriptions: 0 },
  });
  const owner = connect(1);
  assert.is(directory.connect(0, 1, "u"), "client-id-exists");
  connect(2);
  assert.is(directory.connect(0, 3, "u"), "insufficient-resources");
  publish(owner, 1, 0, {}, 10);
  assert.is(publish(owner, 2, 0, {}), "insufficient-resources");
  assert.is(publish(owner, 1, 1, {}, 10), "ok", "a service that exists needs no token");
  assert.is(directory.subscribe(owner, 0, 1, undefined, { onMatch() {} }), "insufficient-resources");
  directory.disconnect(owner);
  assert.is(directory.connect(0, 1, "other"), "permission-denied");
  assert.is(directory.counter.used("services"), 1, "orphans keep their token");
  assert.is(typeof directory.connect(0, 3, "u"), "object");
});

test("properties that are too large are refused and leave no trace", () => {
  const { directory, connect, publish, subscribe, news } = fixture();
  const owner = connect(1);
  const huge: Props = { a: "x".repeat(30_000), b: "\u0001".repeat(10_000) };
  subscribe();
  assert.is(publish(owner, 1, 0, huge), "insufficient-resources");
  assert.is(directory.counter.used("services"), 0);
  publish(owner, 1, 0, {});
  assert.is(publish(owner, 1, 0, huge), "same-generation-but-different");
  assert.is(publish(owner, 1, 1, huge), "insufficient-resources");
  assert.equal(news(), ["appeared 1 g0 owner 1"]);
});

test("walks: random changes between the steps; each service at most once, only those that were there, in order", () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = new SeededRandom(seed);
    const { directory, connect, publish } = fixture();
    const owner = connect(1);
    let next = 0;
    for (; next < 12; next++) publish(owner, next, 0, { a: random.below(2) });
    const cursor = directory.openCursor();
    const program = directory.compileFilter("(a=1)");
    const removed = new Set<number>();
    const walked: number[] = [];
    for (let generation = 1; !cursor.done; generation++) {
      const id = random.below(next + 1);
      if (random.below(2) === 0 && directory.unpublish(owner, 0, id) === "ok") removed.add(id);
      else if (!removed.has(id)) publish(owner, Math.min(id, next), generation, { a: 1 });
      if (id === next) next++;
      if (random.below(3) === 0) {
        const entry = directory.advance(cursor, program);
        if (entry) {
          assert.not(removed.has(entry.idLo));
          walked.push(entry.idLo);
        }
      }
    }
    assert.ok(
      walked.every((id, i) => id < 12 && (i === 0 || id > walked[i - 1]!)),
      walked.join(),
    );
    assert.is((directory as unknown as { cursors: Set<unknown> }).cursors.size, 0);
  }
});

test("initial walk: nothing is announced twice, nothing changes or disappears that was not announced", () => {
  for (let seed = 0; seed < 400; seed++) {
    const random = new SeededRandom(seed);
    const { directory, connect, publish, watcher } = fixture();
    const owner = connect(1);
    for (let id = 0; id < 10; id++) publish(owner, id, 0, { a: random.below(2) });
    const known = new Map<number, number>();
    const onMatch = (_: unknown, type: number, service: ServiceEntry) => {
      if (known.has(service.idLo) !== (type !== 0)) assert.unreachable(`${TYPES[type]} ${service.idLo}, seed ${seed}`);
      if (type === 2) known.delete(service.idLo);
      else known.set(service.idLo, service.generationLo);
    };
    const subscription = directory.subscribe(watcher, 2, 1, "(a=1)", { onMatch }) as Subscription;
    for (let generation = 1; generation < 60; generation++) {
      const id = random.below(13);
      const action = random.below(4);
      if (action === 0) directory.unpublish(owner, 0, id);
      else if (action < 3) publish(owner, id, generation, { a: random.below(2) });
      else if (subscription.initial) {
        const entry = directory.advance(subscription.initial, subscription.program);
        if (entry) onMatch(undefined, 0, entry);
        if (subscription.initial.done) subscription.initial = undefined;
      }
    }
    while (subscription.initial && !subscription.initial.done) {
      const entry = directory.advance(subscription.initial, subscription.program);
      if (entry) onMatch(undefined, 0, entry);
    }
    const program = directory.compileFilter("(a=1)");
    const cursor = directory.openCursor();
    const there: [number, number][] = [];
    while (!cursor.done) {
      const entry = directory.advance(cursor, program);
      if (entry) there.push([entry.idLo, entry.generationLo]);
    }
    assert.equal([...known].sort(), there.sort(), `seed ${seed}`);
  }
});

test("a subscription id may be used once in the domain, and again when it is free; an invalid filter leaves no trace", () => {
  const { directory, watcher, sink } = fixture();
  const first = directory.subscribe(watcher, 0, 1, "(a=1)", sink) as Subscription;
  assert.is(directory.subscribe(watcher, 0, 1, undefined, sink), "subscription-id-exists");
  assert.throws(() => directory.subscribe(watcher, 0, 2, "(a", sink));
  assert.is(directory.counter.used("subscriptions"), 1);
  directory.removeSubscription(first);
  directory.removeSubscription(first);
  assert.is(directory.counter.used("subscriptions"), 0);
  assert.is(typeof directory.subscribe(watcher, 0, 1, undefined, sink), "object");
});

test("a client id of a gateway that left may be taken over by a connection of the same user, which then counts", () => {
  const { directory, publish } = fixture();
  const local = directory.connect(0, 5, "u", true) as Client;
  publish(local, 1, 0, {}, 100);
  directory.disconnect(local);
  const before = directory.counter.used("clients");
  directory.disconnect(directory.connect(0, 5, "u") as Client);
  assert.is(directory.counter.used("clients"), before);
});

test.run();
