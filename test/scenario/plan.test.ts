/** The plan of a scenario depends on the seed alone and keeps to what the servers can take. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { planOf } from "../../scripts/scenario/plan.js";
import { transportsOf } from "../../scripts/scenario/transports.js";

const OPTIONS = {
  durationMs: 300_000,
  transports: ["tcp", "tcp", "tcp"],
  producers: 20,
  consumers: 20,
  hosts: ["east", "west"],
  network: true,
} as const;

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

test("no packet is lost between a server and its UNIX socket", () => {
  for (let seed = 0; seed < 20; seed++) {
    for (const step of planOf({ ...OPTIONS, transports: ["tcp", "ux", "tls"], seed })) {
      if (!("fault" in step) || step.fault.kind === "spoil" || step.fault.server !== 1) continue;
      assert.ok(["kill", "terminate", "freeze", "remove"].includes(step.fault.kind), step.fault.kind);
    }
  }
});

test("mixed transports depend on the seed, and no two servers have the same", () => {
  const drawn = (seed: number) => transportsOf("mixed", seed, 2);
  const seeds = Array.from({ length: 40 }, (_, seed) => seed);
  assert.equal(seeds.map(drawn), seeds.map(drawn));
  assert.is(new Set(seeds.map((seed) => drawn(seed).join(" "))).size, 6);
  for (const seed of seeds) assert.is(new Set(drawn(seed)).size, 2);
  assert.equal(transportsOf("ux", 1, 3), ["ux", "ux", "ux"]);
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
