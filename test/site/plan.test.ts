/** The plan of a site depends on the seed alone, and asks nothing of anybody that could not be done. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BOARDS, BRIDGE_FAULTS, BROKERS, FAULTS, planOf } from "../../scripts/site/plan.js";
import { DAMPING } from "../../src/gateway/damping.js";

const OPTIONS = { durationMs: 180_000, devices: 15 } as const;
const SEEDS = Array.from({ length: 30 }, (_, seed) => seed);

test("the same seed gives the same plan, another one another", () => {
  const [a, b, c] = [1, 1, 2].map((seed) => planOf({ ...OPTIONS, seed }));
  assert.equal(a, b);
  assert.not.equal(a, c);
});

test("every few seconds one of the five, or the bridge, is in trouble, first only boards; one board is always there", () => {
  const kinds = new Set<string>();
  for (const seed of SEEDS) {
    const until = new Map<string, number>();
    const plan = planOf({ ...OPTIONS, seed }).filter((step) => "fault" in step);
    assert.ok(plan.length > 20, `${plan.length} faults`);
    for (const { atMs, fault, lastsMs } of plan) {
      kinds.add(`${fault.kind} ${fault.part}`);
      if (atMs <= OPTIONS.durationMs * 0.4) assert.ok(BOARDS.some((board) => board === fault.part));
      assert.ok((until.get(fault.part) ?? 0) <= atMs, `seed ${seed}: ${fault.part} at ${atMs}`);
      until.set(fault.part, atMs + lastsMs);
      assert.ok(atMs + lastsMs < OPTIONS.durationMs);
      assert.ok(BOARDS.some((board) => (until.get(board) ?? 0) <= atMs));
    }
  }
  assert.is(kinds.size, FAULTS.length * (BOARDS.length + BROKERS.length) + BRIDGE_FAULTS.length);
});

test("everything is over in time", () => {
  for (const seed of SEEDS) {
    for (const { atMs } of planOf({ ...OPTIONS, seed })) assert.ok(atMs < OPTIONS.durationMs);
  }
});

test("devices do every kind of thing, and rest in between: more than five changes a minute would be held", () => {
  const kinds = new Set<string>();
  for (const seed of SEEDS) {
    const acted = new Map<number, number>();
    for (const step of planOf({ ...OPTIONS, seed })) {
      if (!("order" in step) || !("device" in step.order)) continue;
      kinds.add(step.order.kind);
      if (step.order.kind === "come") continue;
      const before = acted.get(step.order.device);
      assert.ok(before === undefined || step.atMs - before >= 30_000);
      acted.set(step.order.device, step.atMs);
    }
  }
  assert.equal([...kinds].sort(), ["change", "come", "die", "leave", "sleep"]);
});

test("no service changes so often that a federation would hold it", () => {
  for (const seed of SEEDS) {
    const changes = new Map<string, number[]>();
    for (const step of planOf({ ...OPTIONS, seed })) {
      if (!("order" in step) || step.order.kind !== "modify") continue;
      const recent = (changes.get(step.order.key) ?? []).filter((atMs) => atMs > step.atMs - 60_000);
      changes.set(step.order.key, [...recent, step.atMs]);
      assert.ok(recent.length < DAMPING.changes, `seed ${seed}: ${step.order.key} at ${step.atMs}`);
    }
  }
});

test("only what is published is changed and withdrawn", () => {
  for (const seed of SEEDS) {
    const alive = new Set<string>();
    for (const step of planOf({ ...OPTIONS, seed })) {
      if (!("order" in step) || !("board" in step.order)) continue;
      const { kind, key } = step.order;
      assert.is(alive.has(key), kind !== "publish", `${kind} ${key}`);
      if (kind === "publish") alive.add(key);
      if (kind === "unpublish") alive.delete(key);
    }
  }
});

test.run();
