/** What a relay sends next (libpaf-client.md, 6). */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MAX_OUTSTANDING, type Pending, Relay } from "../../src/client/relay.js";
import type { Service } from "../../src/core/directory-access.js";

const test = suite("relay");

const service = (id: number, generation = 0): Service => ({
  id: BigInt(id),
  generation: BigInt(generation),
  ttlSeconds: 30n,
  properties: new Map(),
});
const REFUSAL = new Error("refused");
const subscription = (id: number) => ({ id: BigInt(id), filter: undefined });

function shown({ operation }: Pending): string {
  switch (operation.type) {
    case "publish":
      return `publish ${operation.service.id}/${operation.service.generation}`;
    case "subscribe":
      return `subscribe ${operation.subscription.id}`;
    default:
      return `${operation.type} ${operation.id}`;
  }
}

/** Everything that is to be sent now. */
function all(relay: Relay): Pending[] {
  const pending: Pending[] = [];
  for (let next = relay.next(); next; next = relay.next()) pending.push(next);
  return pending;
}

/** The one thing that is to be sent now. */
function one(relay: Relay, expected: string): Pending {
  const pending = all(relay);
  assert.equal(pending.map(shown), [expected]);
  return pending[0]!;
}

const nothing = (relay: Relay) => assert.equal(all(relay).map(shown), []);

test("services before subscriptions, in the order they were wanted, at most 32 at a time", () => {
  const relay = new Relay();
  for (let id = 0; id < 20; id++) relay.subscribe(subscription(100 + id));
  for (let id = 0; id < 40; id++) relay.publish(service(id));
  const sent = all(relay);
  assert.equal(
    sent.map(shown),
    Array.from({ length: 32 }, (_, id) => `publish ${id}/0`),
  );
  assert.is(MAX_OUTSTANDING, 32);
  sent[7]!.done();
  one(relay, "publish 32/0");
  sent[8]!.refused(REFUSAL);
  one(relay, "publish 33/0");
  for (const pending of sent.slice(9)) pending.done();
  const rest = all(relay).map(shown);
  assert.equal(rest.slice(0, 8), [
    ...[34, 35, 36, 37, 38, 39].map((id) => `publish ${id}/0`),
    "subscribe 100",
    "subscribe 101",
  ]);
  assert.is(rest.length, 23);
});

test("changed while unsynced: only the latest state is sent", () => {
  const relay = new Relay();
  relay.publish(service(1, 0));
  relay.publish(service(1, 1));
  relay.publish(service(1, 2));
  one(relay, "publish 1/2");
});

test("changed while syncing: the latest state is sent after the answer, none in between", () => {
  const relay = new Relay();
  relay.publish(service(1, 0));
  const first = one(relay, "publish 1/0");
  relay.publish(service(1, 1));
  relay.publish(service(1, 2));
  nothing(relay);
  first.done();
  one(relay, "publish 1/2").done();
  nothing(relay);
  relay.publish(service(1, 3));
  one(relay, "publish 1/3").done();
});

test("unpublished while unsynced: just dropped", () => {
  const relay = new Relay();
  relay.publish(service(1));
  relay.unpublish(1n);
  nothing(relay);
  assert.ok(relay.withdrawn);
});

test("unpublished while syncing: taken back after the answer, also if it was changed meanwhile", () => {
  const relay = new Relay();
  relay.publish(service(1));
  const publish = one(relay, "publish 1/0");
  relay.publish(service(1, 1));
  relay.unpublish(1n);
  nothing(relay);
  publish.done();
  const unpublish = one(relay, "unpublish 1");
  assert.not(relay.withdrawn);
  unpublish.done();
  assert.ok(relay.withdrawn);
});

test("unpublished while syncing, and the publish is refused: there is nothing to take back", () => {
  const relay = new Relay();
  relay.publish(service(1));
  const publish = one(relay, "publish 1/0");
  relay.unpublish(1n);
  publish.refused(REFUSAL);
  nothing(relay);
  assert.ok(relay.withdrawn);
});

test("refused: not sent again until the retry, or until something else is wanted", () => {
  const relay = new Relay();
  relay.publish(service(1));
  one(relay, "publish 1/0").refused(REFUSAL);
  nothing(relay);
  assert.ok(relay.hasRefused);
  relay.retry();
  assert.not(relay.hasRefused);
  one(relay, "publish 1/0").refused(REFUSAL);
  relay.publish(service(1, 1));
  assert.not(relay.hasRefused);
  one(relay, "publish 1/1").done();
  relay.retry();
  nothing(relay);
});

test("a change that is refused: what the server has is still taken back", () => {
  const relay = new Relay();
  relay.publish(service(1));
  one(relay, "publish 1/0").done();
  relay.publish(service(1, 1));
  one(relay, "publish 1/1").refused(REFUSAL);
  relay.unpublish(1n);
  one(relay, "unpublish 1").refused(REFUSAL); // e.g. non-existent-service-id
  nothing(relay);
  assert.ok(relay.withdrawn);
  assert.not(relay.hasRefused);
});

test("a subscription: given up while unsynced, while syncing, when synced", () => {
  const relay = new Relay();
  relay.subscribe(subscription(1));
  relay.unsubscribe(1n);
  nothing(relay);
  relay.subscribe(subscription(2));
  const subscribe = one(relay, "subscribe 2");
  relay.unsubscribe(2n);
  nothing(relay);
  subscribe.done();
  one(relay, "unsubscribe 2").done();
  nothing(relay);
});

test("withdraw: services are taken back, those being published first complete, subscriptions are left alone", () => {
  const relay = new Relay();
  relay.publish(service(1));
  one(relay, "publish 1/0").done();
  relay.publish(service(2));
  const syncing = one(relay, "publish 2/0");
  relay.subscribe(subscription(5));
  one(relay, "subscribe 5").done();
  relay.publish(service(3));
  relay.subscribe(subscription(6));
  relay.withdraw();
  const first = one(relay, "unpublish 1");
  syncing.done();
  const second = one(relay, "unpublish 2");
  first.done();
  assert.not(relay.withdrawn);
  second.done();
  assert.ok(relay.withdrawn);
  nothing(relay);
});

test("what is forgotten is neither taken back nor tried again; wanted again, it is sent again", () => {
  const relay = new Relay();
  relay.publish(service(1));
  one(relay, "publish 1/0").done();
  relay.forget(1n);
  relay.forget(2n);
  nothing(relay);
  relay.publish(service(1, 1));
  const busy = one(relay, "publish 1/1");
  relay.forget(1n);
  busy.done();
  nothing(relay);
  relay.publish(service(1, 2));
  const refused = one(relay, "publish 1/2");
  relay.forget(1n);
  refused.refused(new Error("no"));
  relay.retry();
  nothing(relay);
  relay.withdraw();
  assert.ok(relay.withdrawn);
});

test.run();
