/** The real clock, and the one native timer that wakes the process for the earliest of all deadlines. */

import { performance } from "node:perf_hooks";
import type { Clock } from "../core/clock.js";
import { TimerHeap } from "../core/timer-heap.js";
import { Outbox } from "../transport/outbox.js";
import { LONGEST_DELAY_MS } from "./longest-delay.js";

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  unixSeconds: () => Date.now() / 1000,
};

/**
 * Timers of the event loop. What a timer sends goes out when all that were due have fired.
 *
 * Due timers fire only after the sockets have been read: when this process was stopped for a while, or was busy, peers
 * that are timed out may long have sent their sign of life.
 */
export function eventLoopTimers(clock: Clock, outbox: Outbox): TimerHeap {
  let native: NodeJS.Timeout | undefined;
  let reading: NodeJS.Immediate | undefined;
  const run = () => {
    reading = undefined;
    outbox.enter();
    try {
      timers.run();
    } finally {
      outbox.leave();
    }
  };
  // Immediates follow the event loop's look at the sockets.
  const readFirst = () => {
    reading = setImmediate(run);
  };
  const timers = new TimerHeap(clock, (delayMs) => {
    clearTimeout(native);
    if (reading) clearImmediate(reading);
    reading = undefined;
    // Rounded up: Node.js truncates, and would call a little too early to find anything due.
    native = delayMs === undefined ? undefined : setTimeout(readFirst, Math.min(Math.ceil(delayMs), LONGEST_DELAY_MS));
  });
  return timers;
}

/** What all domains of this process share, so that a domain costs no arena and no native timer of its own. */
export interface EventLoop {
  readonly clock: Clock;
  readonly timers: TimerHeap;
  readonly outbox: Outbox;
  /** Nothing else need be under way: the process lives until what is returned has been called. Twice is harmless. */
  keepAlive(): () => void;
}

/** A timer that does nothing but keep the process alive, while anybody needs that. */
function aliveKeeper(): () => () => void {
  const holders = new Set<object>();
  let timer: NodeJS.Timeout | undefined;
  return () => {
    const holder = {};
    holders.add(holder);
    timer ??= setInterval(() => {}, LONGEST_DELAY_MS);
    return () => {
      holders.delete(holder);
      if (holders.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  };
}

let shared: EventLoop | undefined;

/** The process's own, made when it is first needed. A timer that is set keeps the process alive. */
export function eventLoop(): EventLoop {
  if (!shared) {
    const outbox = new Outbox();
    shared = { clock: systemClock, timers: eventLoopTimers(systemClock, outbox), outbox, keepAlive: aliveKeeper() };
  }
  return shared;
}
