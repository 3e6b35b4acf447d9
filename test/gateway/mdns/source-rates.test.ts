/** How many packets are taken of one source address. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { SourceRates } from "../../../src/gateway/mdns/source-rates.js";
import { FakeClock } from "../../support/fake-clock.js";

class Bench {
  readonly clock = new FakeClock();
  readonly told: string[] = [];
  readonly rates = new SourceRates(this.clock, (source) => this.told.push(source));

  /** How many of so many packets are taken, over so long a time. */
  taken(source: string, packets: number, ms = 0): number {
    let taken = 0;
    for (let i = 0; i < packets; i++) {
      if (this.rates.take(source)) taken++;
      this.clock.advanceMs(ms / packets);
    }
    return taken;
  }
}

test("2000 packets at once, then 500 a second", () => {
  const bench = new Bench();
  assert.is(bench.taken("a", 3000), 2000);
  assert.is(bench.taken("a", 100_000, 10_000), 4999);
  assert.is(bench.rates.refused, 1000 + 95_001);
  assert.equal(bench.told, ["a"]);
});

test("500 a second for ever, and after four quiet seconds 2000 at once again", () => {
  const bench = new Bench();
  assert.is(bench.taken("a", 50_000, 100_000), 50_000);
  bench.taken("a", 3000);
  bench.clock.advanceMs(4000);
  assert.is(bench.taken("a", 3000), 2000);
});

test("one source does not take from another", () => {
  const bench = new Bench();
  bench.taken("a", 3000);
  assert.is(bench.taken("b", 3000), 2000);
  assert.equal(bench.told, ["a"]);
});

test("more sources than are told apart share one measure, until others were silent", () => {
  const bench = new Bench();
  for (let i = 0; i < 1024; i++) assert.ok(bench.rates.take(`${i}`));
  assert.is(bench.taken("x", 1500) + bench.taken("y", 1500), 2000);
  assert.is(bench.taken("5", 3000), 1999);
  bench.clock.advanceMs(4000);
  assert.is(bench.taken("x", 3000) + bench.taken("y", 3000), 4000);
});

test.run();
