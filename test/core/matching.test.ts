/** The matching index and the directory's notifications, against brute force over all subscriptions. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { evaluateNaively } from "../../scripts/fuzz/filter-reference.js";
import { SeededRandom } from "../../scripts/fuzz/random.js";
import type { Client, Subscription } from "../../src/core/entries.js";
import { type Filter, parseFilter } from "../../src/core/filter/syntax.js";
import type { Properties, PropertyValue } from "../../src/core/properties.js";
import { ServiceDirectory } from "../../src/core/service-directory.js";
import { FakeClock } from "../support/fake-clock.js";

const KEYS = ["a", "b", "c"];

function randomFilter(random: SeededRandom, depth: number): string {
  const key = random.pick(KEYS);
  const kind = random.below(depth > 0 ? 8 : 5);
  if (kind < 2) return `(${key}=${random.below(6)})`;
  if (kind === 2) return `(${key}=*)`;
  if (kind === 3) return `(${key}>${random.below(6)})`;
  if (kind === 4) return `(${key}=*${random.below(3)})`;
  if (kind === 5) return `(!${randomFilter(random, depth - 1)})`;
  return `(${kind === 6 ? "&" : "|"}${randomFilter(random, depth - 1)}${randomFilter(random, depth - 1)})`;
}

function randomProps(random: SeededRandom): Properties {
  const props = new Map<string, PropertyValue[]>();
  for (const key of KEYS) {
    const values = Array.from({ length: random.below(3) }, () =>
      random.pick<PropertyValue>([BigInt(random.below(6)), String(random.below(6)), "12"]),
    );
    if (values.length > 0) props.set(key, values);
  }
  return props;
}

test("random filters, services and changes are notified as brute force says, in order of creation", () => {
  for (let seed = 0; seed < 40; seed++) {
    const random = new SeededRandom(seed);
    const clock = new FakeClock();
    const directory = new ServiceDirectory({ clock, timers: clock, random: () => random.unit() });
    const client = directory.connect(0, 1, "u") as Client;
    const seen: string[] = [];
    const sink = {
      onMatch: (subscription: Subscription, type: number) => void seen.push(`${subscription.idLo}:${type}`),
    };
    const filters = new Map<number, { filter: Filter | undefined; subscription: Subscription }>();
    const services = new Map<number, Properties>();
    const empty = directory.store.usedWords;
    let next = 1;
    for (let step = 0; step < 600; step++) {
      const action = random.below(10);
      if (action < 2) {
        const text = random.below(12) === 0 ? undefined : randomFilter(random, 3);
        const subscription = directory.subscribe(client, 0, next, text, sink) as Subscription;
        const { initial, program } = subscription;
        while (initial && !initial.done) directory.advance(initial, program);
        filters.set(next++, { filter: text === undefined ? undefined : parseFilter(text), subscription });
        continue;
      }
      if (action === 2 && filters.size > 0) {
        const id = random.pick([...filters.keys()]);
        directory.removeSubscription(filters.get(id)!.subscription);
        filters.delete(id);
        continue;
      }
      const id = random.below(12);
      const before = services.get(id);
      const after = before && random.below(4) === 0 ? undefined : randomProps(random);
      const holds = (filter: Filter | undefined, props: Properties | undefined) =>
        props !== undefined && (!filter || evaluateNaively(filter, props));
      const expected: string[] = [];
      for (const [subscription, { filter }] of filters) {
        const [was, is] = [holds(filter, before), holds(filter, after)];
        if (was || is) expected.push(`${subscription}:${is ? (was ? 1 : 0) : 2}`);
      }
      seen.length = 0;
      if (after) {
        directory.builder.fromProperties(after);
        assert.is(directory.publish(client, 0, id, 0, step, 0, 5), "ok");
        services.set(id, after);
      } else {
        assert.is(directory.unpublish(client, 0, id), "ok");
        services.delete(id);
      }
      if (seen.join() !== expected.join())
        assert.unreachable(`seed ${seed}, step ${step}: ${seen} instead of ${expected}`);
    }
    for (const { subscription } of filters.values()) directory.removeSubscription(subscription);
    for (const id of services.keys()) directory.unpublish(client, 0, id);
    const { byPair, byName, always } = (
      directory as unknown as {
        index: { byPair: Map<unknown, unknown>; byName: Map<unknown, unknown>; always: unknown[] };
      }
    ).index;
    assert.equal([byPair.size, byName.size, always.length, directory.store.usedWords - empty], [0, 0, 0, 0]);
  }
});

test("a change visits only subscriptions that its properties can concern", () => {
  const clock = new FakeClock();
  const directory = new ServiceDirectory({ clock, timers: clock, random: () => 0.5 });
  const client = directory.connect(0, 1, "u") as Client;
  const sink = { onMatch() {} };
  for (let i = 0; i < 1000; i++) directory.subscribe(client, 0, i, `(&(name=service-${i})(!(x=1)))`, sink);
  directory.builder.fromProperties(new Map([["name", ["service-7"]]]));
  directory.publish(client, 0, 1, 0, 0, 0, 1);
  const index = (directory as unknown as { index: { lookup(before: number, after: number): readonly unknown[] } })
    .index;
  assert.is(index.lookup(-1, directory.service(0, 1)!.record).length, 1);
});

test.run();
