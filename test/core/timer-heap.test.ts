import { test } from "uvu";
import * as assert from "uvu/assert";
import { SeededRandom } from "../../scripts/fuzz/random.js";
import type { Timer } from "../../src/core/clock.js";
import { TimerHeap } from "../../src/core/timer-heap.js";

function fixture() {
  const state = { now: 0, alarms: [] as (number | undefined)[] };
  const clock = { monotonicMs: () => state.now, unixSeconds: () => 0 };
  const heap = new TimerHeap(clock, (delayMs) => void state.alarms.push(delayMs));
  return { state, heap };
}

test("fires in order of deadline, then of creation, as a sorted list does", () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = new SeededRandom(seed);
    const { state, heap } = fixture();
    let model: { at: number; order: number; timer: Timer }[] = [];
    const fired: number[] = [];
    const expected: number[] = [];
    for (let step = 0; step < 300; step++) {
      const action = random.below(10);
      if (action < 6) {
        const delay = random.below(50) - 5;
        const order = step;
        model.push({
          at: state.now + Math.max(0, delay),
          order,
          timer: heap.after("t", delay, () => fired.push(order)),
        });
      } else if (action < 8 && model.length > 0) {
        const [gone] = model.splice(random.below(model.length), 1);
        gone!.timer.cancel();
        gone!.timer.cancel();
      } else {
        state.now += random.below(20);
        heap.run();
        const due = model.filter(({ at }) => at <= state.now).sort((a, b) => a.at - b.at || a.order - b.order);
        expected.push(...due.map(({ order }) => order));
        model = model.filter(({ at }) => at > state.now);
      }
      assert.is(heap.size, model.length);
      const first = Math.min(...model.map(({ at }) => at));
      if (model.length > 0) assert.is(heap.list()[0]!.remainingMs, first - state.now);
    }
    assert.equal(fired, expected);
  }
});

test("the alarm is set for the earliest timer only, moved when that changes, and an idle heap disarms it", () => {
  const { state, heap } = fixture();
  const late = heap.after("late", 100, () => {});
  heap.after("later", 200, () => {}).cancel();
  const early = heap.after("early", 50, () => {});
  early.cancel();
  late.cancel();
  late.cancel();
  assert.equal(state.alarms, [100, 50, 100, undefined]);
});

test("an alarm that comes early fires nothing and is set again for the rest", () => {
  const { state, heap } = fixture();
  let fired = 0;
  heap.after("t", 100, () => fired++);
  state.now = 99.5;
  heap.run();
  assert.is(fired, 0);
  assert.equal(state.alarms, [100, 0.5]);
  state.now = 100;
  heap.run();
  assert.is(fired, 1);
  assert.equal(state.alarms, [100, 0.5], "nothing is armed any more");
});

test("the farthest deadlines are kept", () => {
  const { state, heap } = fixture();
  heap.after("for ever", Number(2n ** 63n - 1n) * 1000, () => assert.unreachable());
  heap.after("soon", 1, () => {});
  state.now = 2 ** 40;
  heap.run();
  assert.is(heap.size, 1);
  assert.ok(state.alarms.at(-1)! > 9e21);
});

test("a timer may cancel others and set new ones; those wait for the next run, even if due", () => {
  const { state, heap } = fixture();
  const fired: string[] = [];
  let second: Timer;
  heap.after("first", 10, () => {
    fired.push("first");
    second.cancel();
    heap.after("third", 0, () => fired.push("third"));
  });
  second = heap.after("second", 10, () => fired.push("second"));
  state.now = 10;
  heap.run();
  assert.equal(fired, ["first"]);
  assert.is(state.alarms.at(-1), 0);
  heap.run();
  assert.equal(fired, ["first", "third"]);
});

test("a timer that throws loses no other", () => {
  const { state, heap } = fixture();
  let fired = 0;
  heap.after("bad", 1, () => {
    throw new Error("bad");
  });
  heap.after("good", 2, () => fired++);
  state.now = 5;
  assert.throws(() => heap.run(), "bad");
  assert.is(state.alarms.at(-1), 0);
  heap.run();
  assert.is(fired, 1);
});

test.run();
