import { test } from "uvu";
import * as assert from "uvu/assert";
import { MemoryTrim } from "../../src/daemon/memory-trim.js";
import { FakeClock } from "../support/fake-clock.js";

function fixture() {
  const clock = new FakeClock();
  const state = { trims: 0 };
  const memory = new MemoryTrim(clock, () => void state.trims++);
  const end = (count: number) => {
    for (let i = 0; i < count; i++) memory.connectionEnded(false);
  };
  return { clock, state, memory, end };
}

test("memory is given back when no connection has ended for 5 s after the hundredth, and again after a hundred more", () => {
  const { clock, state, end } = fixture();
  end(99);
  assert.equal(clock.timers(), [], "a few connections wake nobody");
  end(1);
  assert.equal(clock.timers(), ["memory"]);
  clock.advanceMs(4000);
  end(50);
  clock.advanceMs(5999);
  assert.is(state.trims, 0, "the rush goes on");
  clock.advanceMs(1);
  assert.is(state.trims, 1);
  assert.equal(clock.timers(), []);
  end(99);
  assert.equal(clock.timers(), []);
  end(1);
  clock.advanceMs(5000);
  assert.is(state.trims, 2);
});

test("a rush without an end: once a minute", () => {
  const { clock, state, end } = fixture();
  for (let second = 0; second < 181; second++) {
    end(100);
    clock.advanceMs(1000);
  }
  assert.is(state.trims, 3);
});

test("one connection for which much was waiting is enough", () => {
  const { clock, state, memory } = fixture();
  memory.connectionEnded(true);
  clock.advanceMs(5000);
  assert.is(state.trims, 1);
});

test.run();
