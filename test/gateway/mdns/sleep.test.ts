/** That the machine slept: by the clocks, on a fake one. */

import { uptime } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Sleep } from "../../../src/gateway/mdns/sleep.js";
import { FakeClock } from "../../support/fake-clock.js";

function bench() {
  const clock = new FakeClock();
  return { clock, sleep: new Sleep(clock, () => clock.unixSeconds()) };
}

test("a sleep is noticed at the next look, once", () => {
  const { clock, sleep } = bench();
  clock.advanceMs(60_000);
  assert.is(sleep.isOver(), false);
  clock.sleepMs(5000);
  clock.advanceMs(1000);
  assert.equal([sleep.isOver(), sleep.isOver()], [true, false]);
  clock.advanceMs(1000);
  assert.is(sleep.isOver(), false);
});

test("a nap of less than five seconds is none; looks are a second apart at least", () => {
  const { clock, sleep } = bench();
  clock.sleepMs(4999);
  clock.advanceMs(1000);
  assert.is(sleep.isOver(), false);
  clock.sleepMs(60_000);
  clock.advanceMs(999);
  assert.is(sleep.isOver(), false);
  clock.advanceMs(1);
  assert.is(sleep.isOver(), true);
});

test("a process that stood still did not sleep", () => {
  const { clock, sleep } = bench();
  clock.stallMs(3_600_000);
  assert.is(sleep.isOver(), false);
});

test("this machine's clocks run alike", async () => {
  const sleep = new Sleep({ monotonicMs: () => performance.now() + 2000 * looks++ }, uptime);
  assert.is(sleep.isOver(), false);
});
let looks = 0;

test.run();
