/** The real clock, and the one native timer that wakes the process for the earliest of all deadlines. */

import { performance } from "node:perf_hooks";
import type { Clock } from "../core/clock.js";
import { TimerHeap } from "../core/timer-heap.js";
import type { Outbox } from "../transport/index.js";

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  unixSeconds: () => Date.now() / 1000,
};

/** Longest delay of a native timer; a later deadline is looked at again then. */
export const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** Timers of the event loop. What a timer sends goes out when all that were due have fired. */
export function eventLoopTimers(clock: Clock, outbox: Outbox): TimerHeap {
  let native: NodeJS.Timeout | undefined;
  const run = () => {
    outbox.enter();
    try {
      timers.run();
    } finally {
      outbox.leave();
    }
  };
  const timers = new TimerHeap(clock, (delayMs) => {
    clearTimeout(native);
    // Rounded up: Node.js truncates, and would call a little too early to find anything due.
    native = delayMs === undefined ? undefined : setTimeout(run, Math.min(Math.ceil(delayMs), LONGEST_DELAY_MS));
  });
  return timers;
}
