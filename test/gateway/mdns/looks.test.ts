/** When the interfaces are looked at: after a word of the system, or regularly where there is none. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { Looks } from "../../../src/gateway/mdns/looks.js";
import { FakeClock } from "../../support/fake-clock.js";

class Bench {
  readonly clock = new FakeClock();
  /** The times of the looks. */
  readonly looks: number[] = [];
  /** Whether the system would tell of a change, or waits for `resume`; absent: it does not tell at all. */
  watch: "armed" | "told" | "closed" | undefined;
  againMs: number | undefined;
  readonly subject: Looks;
  private onChange = () => {};

  constructor(tells = true) {
    this.subject = new Looks({
      clock: this.clock,
      timers: this.clock,
      pollMs: 5000,
      watch: (onChange) => {
        if (!tells) return undefined;
        this.onChange = onChange;
        this.watch = "armed";
        return { resume: () => (this.watch = "armed"), close: () => (this.watch = "closed") };
      },
      look: () => {
        this.looks.push(this.clock.monotonicMs());
        return this.againMs;
      },
    });
    this.subject.start();
  }

  change(): void {
    if (this.watch !== "armed") return;
    this.watch = "told";
    this.onChange();
  }
}

test("while nothing changes, nothing is done", () => {
  const { clock, looks } = new Bench();
  assert.equal([clock.timers(), looks], [[], [0]]);
});

test("a change is looked at 100 ms later, but not sooner than 500 ms after the look before", () => {
  const bench = new Bench();
  bench.clock.advanceMs(10_000);
  bench.change();
  bench.clock.advanceMs(200);
  bench.change();
  bench.clock.advanceMs(10_000);
  assert.equal(bench.looks, [0, 10_100, 10_600]);
  assert.is(bench.watch, "armed");
});

test("changes all the time: ten looks at twice a second, then one every five seconds; and the same after a pause", () => {
  const bench = new Bench();
  const looksWhileChanging = () => {
    const before = bench.looks.length;
    const beganMs = bench.clock.monotonicMs();
    for (let ms = 0; ms < 12_000; ms += 10) {
      bench.change();
      bench.clock.advanceMs(10);
    }
    return bench.looks.slice(before).map((atMs) => atMs - beganMs);
  };
  const rapid = Array.from({ length: 9 }, (_, i) => 500 * (i + 1));
  assert.equal(looksWhileChanging(), [...rapid, 5000, 10_000]);
  bench.clock.advanceMs(10_000);
  assert.equal(looksWhileChanging(), [100, ...rapid.map((ms) => ms + 100), 9600]);
});

test("a look that is wanted takes place, once, and no later because of a change", () => {
  const bench = new Bench();
  bench.subject.lookAt(3000);
  bench.subject.lookAt(4000);
  bench.clock.advanceMs(2950);
  bench.change();
  bench.clock.advanceMs(10_000);
  assert.equal(bench.looks, [0, 3000]);
});

test("a look after a change does not forget that another one is wanted", () => {
  const bench = new Bench();
  bench.againMs = 3000;
  bench.change();
  bench.clock.advanceMs(2000);
  bench.againMs = undefined;
  bench.clock.advanceMs(10_000);
  assert.equal(bench.looks, [0, 500, 3000]);
});

test("where the system does not tell, a look every five seconds, and none besides", () => {
  const bench = new Bench(false);
  bench.subject.lookAt(1000);
  bench.againMs = 1000;
  bench.clock.advanceMs(15_000);
  assert.equal(bench.looks, [0, 5000, 10_000, 15_000]);
});

test("after stop there is neither a watch nor a timer", () => {
  for (const bench of [new Bench(), new Bench(false)]) {
    bench.change();
    bench.subject.stop();
    assert.equal(bench.clock.timers(), []);
    assert.is.not(bench.watch, "armed");
  }
});

test.run();
