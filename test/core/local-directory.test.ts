import { test } from "uvu";
import * as assert from "uvu/assert";
import { SeededRandom } from "../../scripts/fuzz/random.js";
import type { Match, ServiceState } from "../../src/core/directory-access.js";
import { UNLIMITED } from "../../src/core/limits.js";
import { LocalDirectory } from "../../src/core/local-directory.js";
import { properties } from "../../src/core/properties.js";
import { ServiceDirectory } from "../../src/core/service-directory.js";
import { FakeClock } from "../support/fake-clock.js";

function fixture(subscriptions = Infinity) {
  const clock = new FakeClock();
  const random = new SeededRandom(3);
  const limits = { total: { ...UNLIMITED, subscriptions }, user: { clients: 0, services: 0, subscriptions: 0 } };
  const inner = new ServiceDirectory({ clock, timers: clock, random: () => random.unit(), limits });
  const local = new LocalDirectory(inner, "gateway", () => random.unit());
  const publish = (id: bigint, generation: bigint, props = {}) =>
    local.publish({ id, generation, ttlSeconds: 5n, properties: properties(props) });
  const seen: string[] = [];
  const onMatch = (match: Match) =>
    void seen.push(
      match.type === "disappeared"
        ? `disappeared ${match.serviceId}`
        : `${match.type} ${match.service.id} g${match.service.generation}${match.service.orphanSince === undefined ? "" : " orphan"}`,
    );
  const news = async () => {
    await Promise.resolve();
    await Promise.resolve();
    return seen.splice(0);
  };
  return { clock, inner, local, publish, onMatch, news, seen };
}

test("answers come in the order of the calls; matches are delivered later, as things were at the change", async () => {
  const { local, publish, onMatch, news, seen } = fixture();
  const order: string[] = [];
  local.subscribe("(a=*)", onMatch);
  const calls = [
    publish(1n, 0n, { a: 1 }),
    publish(1n, 0n, { a: 2 }),
    publish(1n, 1n, { a: 3 }),
    local.unpublish(1n),
    local.unpublish(1n),
  ];
  assert.equal(seen, [], "nothing is delivered from within a call");
  await Promise.all(calls.map((call) => call.then((outcome) => order.push(outcome))));
  assert.equal(order, ["ok", "same-generation-but-different", "ok", "ok", "non-existent-service-id"]);
  assert.equal(await news(), ["appeared 1 g0", "modified 1 g1", "disappeared 1"]);
});

test("a subscription gets what is there, and nothing after it was cancelled", async () => {
  const { inner, local, publish, onMatch, news } = fixture();
  await publish(1n, 0n, { a: 1 });
  await publish(2n, 0n, { b: 1 });
  const subscription = local.subscribe("(a=1)", onMatch);
  assert.equal(await news(), ["appeared 1 g0"]);
  void publish(1n, 1n, { a: 1 });
  subscription.cancel();
  subscription.cancel();
  assert.equal(await news(), []);
  assert.is(inner.counter.used("subscriptions"), 0);
  assert.throws(
    () => local.subscribe("(a", onMatch),
    (error: Error) => error.name === "FilterSyntaxError",
  );
});

test("find and orphan: an orphan goes with its TTL unless it is published again", async () => {
  const { clock, local, publish, onMatch, news } = fixture();
  const id = 2n ** 63n - 1n;
  local.subscribe(undefined, onMatch);
  await publish(id, 3n, { a: [1, "1"] });
  const found = await local.find(id);
  assert.equal([found!.id, found!.generation, found!.ttlSeconds, found!.orphanSince], [id, 3n, 5n, undefined]);
  assert.equal([...found!.properties], [["a", [1n, "1"]]]);
  await local.orphan(id);
  await local.orphan(id);
  assert.is((await local.find(id))!.orphanSince, clock.unixSeconds());
  await publish(id, 3n, { a: ["1", 1] });
  clock.advanceMs(100_000);
  await local.orphan(id);
  clock.advanceMs(5000);
  assert.is(await local.find(id), undefined);
  assert.equal(await news(), [
    `appeared ${id} g3`,
    `modified ${id} g3 orphan`,
    `modified ${id} g3`,
    `modified ${id} g3 orphan`,
    `disappeared ${id}`,
  ]);
});

test("closing orphans the services; ids out of range are refused by name; a total limit is told", async () => {
  const { clock, inner, local, publish, onMatch } = fixture(0);
  await publish(1n, 0n);
  for (const [call, what] of [
    [() => publish(-1n, 0n), "service id"],
    [() => publish(1n, 2n ** 63n), "generation"],
    [() => local.unpublish(2n ** 63n), "service id"],
  ] as const) {
    const error = await call().then(
      () => undefined,
      (reason: Error) => reason,
    );
    assert.match(error!.message, new RegExp(`^${what} -?\\d+ is out of range`));
  }
  assert.throws(() => local.subscribe(undefined, onMatch), /subscription limit/);
  local.close();
  assert.is(inner.service(0, 1)!.isOrphan, true);
  clock.advanceMs(5000);
  assert.is(inner.serviceCount, 0);
});

test("what a caller yields to is not replaced", async () => {
  const { local, publish } = fixture();
  await publish(1n, 0n, { a: 1 });
  const service = { id: 1n, generation: 1n, ttlSeconds: 5n, properties: properties({ a: 2 }) };
  const seen: bigint[] = [];
  const yields = (answer: boolean) => (present: ServiceState) => {
    seen.push(present.generation);
    return answer;
  };
  assert.is(await local.publish(service, yields(true)), "yielded");
  assert.is((await local.find(1n))?.generation, 0n);
  assert.is(await local.publish(service, yields(false)), "ok");
  assert.equal(seen, [0n, 0n]);
});

test("a service of another client is removed only if the caller takes it, an orphan of our own always", async () => {
  const { inner, local, publish } = fixture();
  const other = new LocalDirectory(inner, "gateway", () => 0.5);
  const taken: (bigint | undefined)[] = [];
  const takes = (answer: boolean) => (present: ServiceState) => {
    taken.push(present.owner);
    return answer;
  };
  assert.is(await local.unpublish(1n, takes(true)), "non-existent-service-id");
  await publish(1n, 0n);
  assert.is(await other.unpublish(1n), "yielded");
  assert.is(await other.unpublish(1n, takes(false)), "yielded");
  assert.is((await local.find(1n))?.owner, local.clientId);
  await other.publish({ id: 1n, generation: 0n, ttlSeconds: 5n, properties: properties({}) });
  assert.is(await local.unpublish(1n), "yielded", "it was ours");
  await local.orphan(1n);
  assert.is((await local.find(1n))?.orphanSince, undefined);
  await other.orphan(1n);
  assert.is(await local.unpublish(1n), "yielded");
  assert.is(await local.unpublish(1n, takes(true)), "ok");
  assert.equal(taken, [local.clientId, other.clientId]);
  await publish(2n, 0n);
  await local.orphan(2n);
  assert.is(await local.unpublish(2n), "ok");
});

test.run();
