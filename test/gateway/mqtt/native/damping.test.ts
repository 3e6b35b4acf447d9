import { test } from "uvu";
import * as assert from "uvu/assert";
import { Damping } from "../../../../src/gateway/mqtt/native/damping.js";
import { FakeClock } from "../../../support/fake-clock.js";

function fixture() {
  const clock = new FakeClock();
  const applied: string[] = [];
  const holds: string[] = [];
  const damping = new Damping({ name: "held", clock, timers: clock, onHold: (key) => holds.push(key) });
  const change = (key: string, to: number) =>
    damping.change(key, () => applied.push(`${key}${to} at ${clock.monotonicMs() / 1000}`));
  return { clock, applied, holds, damping, change };
}

test("D.6: the sixth change within 60 s waits for 60 s, and is the latest one by then", () => {
  const { clock, applied, holds, change } = fixture();
  for (let n = 1; n <= 8; n++) {
    change("x", n);
    clock.advanceMs(1000);
  }
  assert.equal(applied, ["x1 at 0", "x2 at 1", "x3 at 2", "x4 at 3", "x5 at 4"]);
  assert.equal(holds, ["x"]);
  clock.advanceMs(60_000);
  assert.equal(applied.slice(5), ["x8 at 65"]);
  change("x", 9);
  assert.equal(applied.slice(6), ["x9 at 68"], "then five more are free");
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

test("one that flaps costs the others nothing; when all is quiet nothing is remembered", () => {
  const { clock, applied, damping, change } = fixture();
  for (let n = 0; n < 10; n++) change("x", n);
  change("y", 1);
  assert.is(applied.filter((text) => text.startsWith("y")).length, 1);
  assert.is(damping.held, 1);
  assert.ok(damping.isHeld("x") && !damping.isHeld("y"));
  clock.advanceMs(200_000);
  change("z", 1);
  assert.is(damping.held, 0);
  assert.is((damping as unknown as { histories: Map<string, unknown> }).histories.size, 1);
  assert.equal(clock.timers(), []);
});

test("clearing forgets what was held", () => {
  const { clock, applied, damping, change } = fixture();
  for (let n = 0; n < 10; n++) change("x", n);
  damping.clear();
  clock.advanceMs(100_000);
  assert.is(applied.length, 5);
  assert.equal(clock.timers(), []);
});

test.run();
