/** A clock that stands still until a test moves it, with the timers that belong to it. */

import type { Clock, Timer, Timers } from "../../src/core/clock.js";

interface Pending {
  readonly name: string;
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
}

export class FakeClock implements Clock, Timers {
  private nowMs = 0;
  private order = 0;
  private readonly pending = new Set<Pending>();

  /** `unixMs`: what the wall clock shows at the begin; it moves along. */
  constructor(private unixMs = 1_700_000_000_000) {}

  monotonicMs(): number {
    return this.nowMs;
  }

  unixSeconds(): number {
    return (this.unixMs + this.nowMs) / 1000;
  }

  after(name: string, delayMs: number, fire: () => void): Timer {
    const timer = { name, atMs: this.nowMs + Math.max(0, delayMs), order: this.order++, fire };
    this.pending.add(timer);
    return { cancel: () => void this.pending.delete(timer) };
  }

  /** Lets time pass; each timer fires at its own time, in order, also those that are set meanwhile. */
  advanceMs(ms: number): void {
    const endMs = this.nowMs + ms;
    while (this.fireNext(endMs - this.nowMs) !== undefined);
    this.nowMs = Math.max(this.nowMs, endMs);
  }

  /** Time passes, while something is running or stands still; what is overdue is left for `fireNext`. */
  passMs(ms: number): void {
    this.nowMs += ms;
  }

  /** Fires the next timer that is due within `ms`, at its own time, and returns its name; `undefined` if there is none. */
  fireNext(ms: number): string | undefined {
    const next = this.next(this.nowMs + ms);
    if (next === undefined) return undefined;
    this.nowMs = Math.max(this.nowMs, next.atMs);
    this.pending.delete(next);
    next.fire();
    return next.name;
  }

  /** Lets time pass in which nothing ran (the process was stopped); what is overdue then fires late. */
  stallMs(ms: number): void {
    this.passMs(ms);
    this.advanceMs(0);
  }

  /** The machine sleeps: only the wall clock goes on. */
  sleepMs(ms: number): void {
    this.unixMs += ms;
  }

  /** Names of the timers that are set, sorted: to assert that none was left. */
  timers(): string[] {
    return [...this.pending].map(({ name }) => name).sort();
  }

  /** Milliseconds until the next timer; `undefined` if none is set. */
  nextInMs(): number | undefined {
    const next = this.next(Number.POSITIVE_INFINITY);
    return next && Math.max(0, next.atMs - this.nowMs);
  }

  private next(endMs: number): Pending | undefined {
    let first: Pending | undefined;
    for (const timer of this.pending) {
      if (timer.atMs > endMs) continue;
      if (!first || timer.atMs < first.atMs || (timer.atMs === first.atMs && timer.order < first.order)) first = timer;
    }
    return first;
  }
}
