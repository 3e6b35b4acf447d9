/** Matches for a reader that takes its time: what it is told is what it needs to know. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { DomainMatch } from "../../src/client/domain-match.js";
import { MatchIterator } from "../../src/client/match-iterator.js";
import type { MergedMatch } from "../../src/client/match-merge.js";
import { properties } from "../../src/core/properties.js";

const test = suite("match-iterator");

const make = () => {
  let ends = 0;
  const iterator = new MatchIterator(() => ends++);
  return { iterator, ends: () => ends };
};
const match = (text: string): MergedMatch => {
  const [type, id, value = "0"] = text.split(" ");
  const serviceId = BigInt(id!);
  if (type === "disappeared") return { type, serviceId };
  const shown = properties({ v: value });
  const service = { id: serviceId, generation: 0n, ttlSeconds: 0n, owner: 0n, properties: shown };
  return { type: type as "appeared" | "modified", serviceId, properties: shown, service };
};
const show = (told: DomainMatch) =>
  `${told.type} ${told.serviceId}${told.type === "disappeared" ? "" : ` ${told.properties.get("v")![0]}`}`;

/** What a reader is told that comes only now. */
async function waiting(iterator: MatchIterator, count: number): Promise<string[]> {
  const told: string[] = [];
  for (let i = 0; i < count; i++) {
    const { value } = await iterator.next();
    told.push(value ? show(value) : "end");
  }
  return told;
}

for (const [what, news, told] of [
  ["different services, in order", ["appeared 1", "appeared 2", "modified 1 x"], ["appeared 1 x", "appeared 2 0"]],
  ["appeared and modified: appeared", ["appeared 1", "modified 1 a", "modified 1 b"], ["appeared 1 b"]],
  ["appeared and disappeared: nothing", ["appeared 1", "modified 1 x", "disappeared 1"], []],
  ["modified and disappeared", ["modified 1 x", "disappeared 1"], ["disappeared 1"]],
  ["disappeared and appeared: modified", ["disappeared 1", "appeared 1 x"], ["modified 1 x"]],
  ["gone, back, and gone again", ["disappeared 1", "appeared 1 x", "disappeared 1"], ["disappeared 1"]],
  ["new, gone, and new again", ["appeared 1", "disappeared 1", "appeared 1 y"], ["appeared 1 y"]],
] as const) {
  test(`read late: ${what}`, async () => {
    const { iterator } = make();
    for (const text of news) iterator.push(match(text));
    iterator.push(match("appeared 99"));
    assert.equal(await waiting(iterator, told.length + 1), [...told, "appeared 99 0"]);
  });
}

test("readers that wait are served in order; the reader sees each match if it keeps up", async () => {
  const { iterator } = make();
  const readers = [iterator.next(), iterator.next()];
  iterator.push(match("appeared 1"));
  iterator.push(match("modified 1 x"));
  const told = await Promise.all(readers);
  assert.equal(
    told.map(({ value }) => show(value!)),
    ["appeared 1 0", "modified 1 x"],
  );
});

test("the end: readers that wait are told, what was not read is dropped, later news too; once", async () => {
  const { iterator, ends } = make();
  const reader = iterator.next();
  iterator.end();
  assert.equal(await reader, { done: true, value: undefined });
  iterator.push(match("appeared 1"));
  assert.equal(await iterator.next(), { done: true, value: undefined });
  iterator.end();
  await iterator.return();
  assert.is(ends(), 1);
});

test("leaving the loop ends it", async () => {
  const { iterator, ends } = make();
  for (let id = 0; id < 5; id++) iterator.push(match(`appeared ${id}`));
  const seen: string[] = [];
  for await (const told of iterator) {
    seen.push(show(told));
    if (seen.length === 2) break;
  }
  assert.equal([seen, ends()], [["appeared 0 0", "appeared 1 0"], 1]);
});

test("what waits is bounded by the services that the reader knows, however long it does not read", async () => {
  const { iterator } = make();
  for (let id = 0; id < 1000; id++) {
    iterator.push(match(`appeared ${id}`));
    for (let change = 0; change < 100; change++) iterator.push(match(`modified ${id} ${change}`));
    if (id !== 500) iterator.push(match(`disappeared ${id}`));
  }
  assert.equal(await waiting(iterator, 1), ["appeared 500 99"]);
  const next = iterator.next();
  iterator.push(match("disappeared 500"));
  assert.is(show((await next).value!), "disappeared 500");
});

test.run();
