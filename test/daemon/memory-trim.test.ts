import { test } from "uvu";
import * as assert from "uvu/assert";
import { MemoryTrim } from "../../src/daemon/memory-trim.js";
import { FakeClock } from "../support/fake-clock.js";

test("memory is given back 5 s after the hundredth end of a connection, and again after a hundred more", () => {
  const clock = new FakeClock();
  let trims = 0;
  const memory = new MemoryTrim(clock, () => void trims++);
  const end = (count: number) => {
    for (let i = 0; i < count; i++) memory.connectionEnded();
  };
  end(99);
  assert.equal(clock.timers(), [], "a few connections wake nobody");
  end(1000);
  assert.equal(clock.timers(), ["memory"]);
  clock.advanceMs(4999);
  assert.is(trims, 0);
  clock.advanceMs(1);
  assert.is(trims, 1);
  assert.equal(clock.timers(), []);
  end(99);
  assert.equal(clock.timers(), []);
  end(1);
  clock.advanceMs(5000);
  assert.is(trims, 2);
});

test.run();
