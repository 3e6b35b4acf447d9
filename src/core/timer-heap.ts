/**
 * Every deadline of the process in one heap, of which only the earliest arms a native timer: an idle process does not
 * wake up. The heap holds at most as many timers as its users keep; each one documents its own bound.
 */

import type { Clock, Timer, Timers } from "./clock.js";
import { Heap } from "./heap.js";

class HeapTimer implements Timer {
  heapIndex = -1;
  constructor(
    readonly heap: TimerHeap,
    readonly name: string,
    readonly deadlineMs: number,
    readonly order: number,
    readonly fire: () => void,
  ) {}

  cancel(): void {
    this.heap.remove(this);
  }
}

/** Arms the one native timer for `delayMs` (`undefined`: disarms it); it is to call `run` then, or a little later. */
export type Alarm = (delayMs: number | undefined) => void;

export class TimerHeap implements Timers {
  private readonly heap = new Heap<HeapTimer>(
    (a, b) => a.deadlineMs < b.deadlineMs || (a.deadlineMs === b.deadlineMs && a.order < b.order),
  );
  private order = 0;
  private armedFor: number | undefined;
  private running = false;

  constructor(
    private readonly clock: Clock,
    private readonly alarm: Alarm,
  ) {}

  get size(): number {
    return this.heap.size;
  }

  /** Names and remaining milliseconds of the running timers, earliest first; for state reports. */
  list(): { name: string; remainingMs: number }[] {
    const now = this.clock.monotonicMs();
    return [...this.heap.values()]
      .sort((a, b) => a.deadlineMs - b.deadlineMs || a.order - b.order)
      .map(({ name, deadlineMs }) => ({ name, remainingMs: deadlineMs - now }));
  }

  after(name: string, delayMs: number, fire: () => void): Timer {
    const deadlineMs = this.clock.monotonicMs() + Math.max(0, delayMs);
    const timer = new HeapTimer(this, name, deadlineMs, this.order++, fire);
    this.heap.put(timer);
    if (this.heap.first === timer) this.rearm();
    return timer;
  }

  /** Fires what is due, in order of deadline. Timers set meanwhile wait for the next run, even if already due. */
  run(): void {
    this.armedFor = undefined;
    const now = this.clock.monotonicMs();
    const before = this.order;
    this.running = true;
    try {
      for (
        let first = this.heap.first;
        first && first.deadlineMs <= now && first.order < before;
        first = this.heap.first
      ) {
        this.remove(first);
        first.fire();
      }
    } finally {
      this.running = false;
      this.rearm();
    }
  }

  remove(timer: HeapTimer): void {
    const wasFirst = this.heap.first === timer;
    this.heap.remove(timer);
    if (wasFirst) this.rearm();
  }

  private rearm(): void {
    if (this.running) return;
    const deadline = this.heap.first?.deadlineMs;
    if (deadline === this.armedFor) return;
    this.armedFor = deadline;
    this.alarm(deadline === undefined ? undefined : Math.max(0, deadline - this.clock.monotonicMs()));
  }
}
