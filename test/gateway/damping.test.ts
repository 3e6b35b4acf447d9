/** How often a service may change: the moments at which one that always wants to is let. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { Damping } from "../../src/gateway/damping.js";

/** Seconds at which a service changes that wants to every `everyMs`, for `seconds`. */
function changesOf(damping: Damping, everyMs: number, seconds: number): number[] {
  const changes: number[] = [];
  for (let ms = 0; ms < seconds * 1000; ms += everyMs) {
    if (damping.waitMs("a", ms) > 0) continue;
    damping.changed("a", ms);
    changes.push(ms / 1000);
  }
  return changes;
}

const CASES: readonly [what: string, everyMs: number, seconds: number, changes: number[]][] = [
  [
    "all the time: six, then none for a minute, and so on",
    100,
    190,
    [0, 1, 2, 3, 4, 5, 65, 66, 67, 68, 69, 70, 130, 131, 132, 133, 134, 135],
  ],
  ["every 13 s: five a minute are allowed", 13_000, 120, [0, 13, 26, 39, 52, 65, 78, 91, 104, 117]],
  ["every 11 s: the sixth comes too early", 11_000, 150, [0, 11, 22, 33, 44, 55, 121, 132, 143]],
];
for (const [what, everyMs, seconds, changes] of CASES) {
  test(`a service that wants to change ${what}`, () => {
    assert.equal(changesOf(new Damping(10), everyMs, seconds), changes);
  });
}

test("a service is told to be held after too many changes only", () => {
  const damping = new Damping(10);
  damping.changed("a", 0);
  assert.is(damping.isHeld("a", 500), false);
  for (let i = 1; i < 6; i++) damping.changed("a", i * 1000);
  assert.is(damping.isHeld("a", 6000), true);
  assert.is(damping.isHeld("a", 65_000), false);
  assert.is(damping.isHeld("b", 6000), false);
});

test("no more services are remembered than the limit: the one that changed longest ago is forgotten", () => {
  const damping = new Damping(2);
  for (const service of ["a", "b", "a", "c"]) damping.changed(service, 0);
  assert.equal(
    ["a", "b", "c"].map((service) => damping.waitMs(service, 0)),
    [1000, 0, 1000],
  );
});

test.run();
