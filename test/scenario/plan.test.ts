/** The plan of a scenario depends on the seed alone and keeps to what the servers can take. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { planOf } from "../../scripts/scenario/plan.js";

const OPTIONS = {
  durationMs: 300_000,
  servers: 3,
  producers: 20,
  consumers: 20,
  hosts: ["east", "west"],
  network: true,
};

test("the same seed gives the same plan, another one another", () => {
  const [a, b, c] = [1, 1, 2].map((seed) => planOf({ ...OPTIONS, seed }));
  assert.equal(a, b);
  assert.not.equal(a, c);
});

test("every kind of fault and order comes, one fault at a time for each server, and all are over in time", () => {
  const kinds = new Set<string>();
  for (let seed = 0; seed < 20; seed++) {
    const free = [0, 0, 0];
    for (const step of planOf({ ...OPTIONS, seed })) {
      kinds.add("fault" in step ? step.fault.kind : step.order.kind);
      if (!("fault" in step) || step.fault.kind === "spoil") continue;
      const { server } = step.fault;
      assert.ok(free[server]! <= step.atMs, `seed ${seed}: server ${server} at ${step.atMs}`);
      free[server] = step.atMs + step.lastsMs;
      assert.ok(free[server]! < OPTIONS.durationMs);
    }
  }
  const faults = ["kill", "terminate", "freeze", "cut", "lossy", "flap", "remove", "deafen", "spoil"];
  const orders = ["publish", "modify", "ttl", "unpublish", "close", "abandon", "resubscribe"];
  assert.equal([...kinds].sort(), [...faults, ...orders].sort());
});

test("without a network of its own nothing is cut", () => {
  const kinds = planOf({ ...OPTIONS, network: false, seed: 3 }).flatMap((step) =>
    "fault" in step ? [step.fault.kind] : [],
  );
  for (const kind of kinds) assert.ok(["kill", "terminate", "freeze", "remove", "spoil"].includes(kind), kind);
});

test("a producer changes and withdraws only what it has published", () => {
  const alive = new Set<string>();
  for (const step of planOf({ ...OPTIONS, seed: 5 })) {
    if (!("order" in step) || !("producer" in step.order)) continue;
    const { order } = step;
    if (!("key" in order)) {
      for (const key of alive) if (key.startsWith(`p${order.producer}-`)) alive.delete(key);
      continue;
    }
    if (order.kind === "publish") alive.add(order.key);
    else assert.ok(alive.has(order.key), `${order.kind} ${order.key}`);
    if (order.kind === "unpublish") alive.delete(order.key);
  }
  assert.ok(alive.size > 0);
});

test.run();
