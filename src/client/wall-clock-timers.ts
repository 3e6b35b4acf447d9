/** Timers of wall-clock time, on top of those of monotonic time (libpaf-client.md, 7.5). */

import type { Clock, Timer, Timers } from "../core/clock.js";
import { TimerHeap } from "../core/timer-heap.js";

/** A step of the wall clock is noticed after this time at the latest, while a timer is set. */
const LOOK_AGAIN_MS = 10_000;

export function wallClockTimers(clock: Clock, timers: Timers): Timers {
  const wallClock: Clock = { monotonicMs: () => clock.unixSeconds() * 1000, unixSeconds: () => clock.unixSeconds() };
  let alarm: Timer | undefined;
  const heap = new TimerHeap(wallClock, (delayMs) => {
    alarm?.cancel();
    alarm = undefined;
    if (delayMs === undefined) return;
    alarm = timers.after("wall clock", Math.min(delayMs, LOOK_AGAIN_MS), () => heap.run());
  });
  return heap;
}
