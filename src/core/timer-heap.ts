/**
 * Every deadline of the process in one heap, of which only the earliest arms a native timer: an idle process does not
 * wake up. The heap holds at most as many timers as its users keep; each one documents its own bound.
 */

import type { Clock, Timer, Timers } from "./clock.js";

class HeapTimer implements Timer {
  /** Position in the heap; -1 once fired or cancelled. */
  index = -1;
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
  private readonly heap: HeapTimer[] = [];
  private order = 0;
  private armedFor: number | undefined;
  private running = false;

  constructor(
    private readonly clock: Clock,
    private readonly alarm: Alarm,
  ) {}

  get size(): number {
    return this.heap.length;
  }

  /** Names and remaining milliseconds of the running timers, earliest first; for state reports. */
  list(): { name: string; remainingMs: number }[] {
    const now = this.clock.monotonicMs();
    return [...this.heap]
      .sort((a, b) => a.deadlineMs - b.deadlineMs || a.order - b.order)
      .map(({ name, deadlineMs }) => ({ name, remainingMs: deadlineMs - now }));
  }

  after(name: string, delayMs: number, fire: () => void): Timer {
    const deadlineMs = this.clock.monotonicMs() + Math.max(0, delayMs);
    const timer = new HeapTimer(this, name, deadlineMs, this.order++, fire);
    this.place(timer, this.heap.length);
    this.up(timer);
    if (this.heap[0] === timer) this.rearm();
    return timer;
  }

  /** Fires what is due, in order of deadline. Timers set meanwhile wait for the next run, even if already due. */
  run(): void {
    this.armedFor = undefined;
    const now = this.clock.monotonicMs();
    const before = this.order;
    this.running = true;
    try {
      for (let first = this.heap[0]; first && first.deadlineMs <= now && first.order < before; first = this.heap[0]) {
        this.remove(first);
        first.fire();
      }
    } finally {
      this.running = false;
      this.rearm();
    }
  }

  remove(timer: HeapTimer): void {
    const { index } = timer;
    if (index < 0) return;
    timer.index = -1;
    const last = this.heap.pop()!;
    if (last !== timer) {
      this.place(last, index);
      this.up(last);
      this.down(last);
    }
    if (index === 0) this.rearm();
  }

  private rearm(): void {
    if (this.running) return;
    const deadline = this.heap[0]?.deadlineMs;
    if (deadline === this.armedFor) return;
    this.armedFor = deadline;
    this.alarm(deadline === undefined ? undefined : Math.max(0, deadline - this.clock.monotonicMs()));
  }

  private before(a: HeapTimer, b: HeapTimer): boolean {
    return a.deadlineMs < b.deadlineMs || (a.deadlineMs === b.deadlineMs && a.order < b.order);
  }

  private place(timer: HeapTimer, index: number): void {
    this.heap[index] = timer;
    timer.index = index;
  }

  private up(timer: HeapTimer): void {
    let index = timer.index;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.before(timer, this.heap[parent])) break;
      this.place(this.heap[parent], index);
      index = parent;
    }
    this.place(timer, index);
  }

  private down(timer: HeapTimer): void {
    let index = timer.index;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= this.heap.length) break;
      if (child + 1 < this.heap.length && this.before(this.heap[child + 1], this.heap[child])) child++;
      if (!this.before(this.heap[child], timer)) break;
      this.place(this.heap[child], index);
      index = child;
    }
    this.place(timer, index);
  }
}
