import { test } from "uvu";
import * as assert from "uvu/assert";
import { DampedChanges } from "../../../../src/gateway/mqtt/native/damped-changes.js";
import { FakeClock } from "../../../support/fake-clock.js";

function fixture(limit = 100) {
  const clock = new FakeClock();
  const applied: string[] = [];
  const holds: string[] = [];
  const states = new Map<string, number>();
  const changes = new DampedChanges({
    ...{ name: "held", clock, timers: clock, limit },
    carryOut: (key) => applied.push(`${key}${states.get(key)} at ${clock.monotonicMs() / 1000}`),
    onHold: (key) => holds.push(key),
  });
  const change = (key: string, to: number) => {
    states.set(key, to);
    changes.change(key);
  };
  return { clock, applied, holds, changes, change };
}

test("D.6: after more than five changes within 60 s the next one waits for 60 s, and is the latest one by then", () => {
  const { clock, applied, holds, change } = fixture();
  for (let n = 1; n <= 9; n++) {
    change("x", n);
    clock.advanceMs(1000);
  }
  assert.equal(applied, ["x1 at 0", "x2 at 1", "x3 at 2", "x4 at 3", "x5 at 4", "x6 at 5"]);
  assert.equal(holds, ["x"]);
  clock.advanceMs(60_000);
  assert.equal(applied.slice(6), ["x9 at 65"]);
  for (let n = 10; n < 20; n++) change("x", n);
  assert.is(applied.length, 12, "then five more are free");
});

test("five changes in 60 s are none too many, however long they go on", () => {
  const { clock, applied, holds, change } = fixture();
  for (let n = 0; n < 50; n++) {
    change("x", n);
    clock.advanceMs(12_000);
  }
  assert.is(applied.length, 50);
  assert.equal(holds, []);
});

test("several are held at different times, by one timer; the others go on", () => {
  const { clock, applied, holds, changes, change } = fixture();
  for (const [key, afterMs] of [
    ["x", 0],
    ["y", 10_000],
    ["z", 10_000],
  ] as const) {
    clock.advanceMs(afterMs);
    for (let n = 0; n < 8; n++) change(key, n);
  }
  change("free", 1);
  assert.equal(holds, ["x", "y", "z"]);
  assert.equal(clock.timers(), ["held"]);
  assert.ok(changes.isWaiting("x") && !changes.isWaiting("free"));
  applied.length = 0;
  clock.advanceMs(200_000);
  assert.equal(applied, ["x7 at 60", "y7 at 70", "z7 at 80"]);
  assert.equal(clock.timers(), []);
});

test("a change that is cancelled while it waits is not carried out; the hold goes on", () => {
  const { clock, applied, changes, change } = fixture();
  for (let n = 0; n < 7; n++) change("x", n);
  changes.cancel("x");
  assert.is(changes.isWaiting("x"), false);
  clock.advanceMs(30_000);
  change("x", 8);
  assert.is(applied.length, 6);
  changes.cancel("x");
  clock.advanceMs(100_000);
  assert.is(applied.length, 6);
});

test("what has been quiet is forgotten, and of too many those that changed longest ago", () => {
  const { clock, changes, change } = fixture(3);
  const { histories } = (changes as unknown as { damping: { histories: Map<string, unknown> } }).damping;
  for (const key of "abcde") change(key, 1);
  assert.equal([...histories.keys()], ["c", "d", "e"]);
  for (const key of "vwxyz") for (let n = 0; n < 8; n++) change(key, n);
  assert.is((changes as unknown as { holds: Map<string, unknown> }).holds.size, 3);
  clock.advanceMs(200_000);
  change("z", 1);
  assert.equal([...histories.keys()], ["z"]);
});

test("clearing forgets what was held", () => {
  const { clock, applied, changes, change } = fixture();
  for (let n = 0; n < 10; n++) change("x", n);
  changes.clear();
  clock.advanceMs(100_000);
  assert.is(applied.length, 6);
  assert.equal(clock.timers(), []);
  change("x", 11);
  assert.is(applied.length, 7);
});

test.run();
