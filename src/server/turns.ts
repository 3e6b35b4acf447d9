/**
 * Taking turns: what one client asks for may take long (a search through a large directory, many requests with dear
 * filters behind them), and the process has one thread. A connection that has worked for TURN_MS waits until everybody
 * who has something to do has had a turn; of those that wait, one goes on at a time, and the sockets are read in between.
 *
 * Whoever has made a single request that took longer waits in a queue of its own, in which as much time passes between
 * two turns as the one before took: however many there are of them, half of the time is the others'.
 */

import type { Clock, Timer, Timers } from "../core/clock.js";
import type { Outbox } from "../transport/outbox.js";

/** Milliseconds that a connection may work at a stretch. A single request or evaluation is never cut. */
export const TURN_MS = 5;
const LONGEST_REST_MS = 1_000;

/** A place in the queue. */
export interface Waiting {
  readonly proceed: () => void;
  readonly isDear: boolean;
}

export class Turns {
  /** First come, first served; at most one entry per connection in both. */
  private readonly waiting: Waiting[] = [];
  /** Those whose last request took long. */
  private readonly dear: Waiting[] = [];
  /** When one of `dear` may go on. */
  private dearFromMs = 0;
  private dearWasLast = false;
  private timer: Timer | undefined;
  private crowdedNow = false;

  constructor(
    readonly clock: Clock,
    private readonly timers: Timers,
    private readonly outbox: Outbox,
  ) {}

  /** Which turn it is: another number whenever the process has come back from somewhere else. */
  get current(): number {
    return this.outbox.turn;
  }

  /**
   * Somebody's request has just taken too long: until the sockets have been read again, dear requests of others wait for
   * a turn, or those of a hundred connections would follow one another.
   */
  get crowded(): boolean {
    return this.crowdedNow;
  }

  /** Whether somebody whose requests are dear has to wait, because another one's has just been. */
  get dearRest(): boolean {
    return this.clock.monotonicMs() < this.dearFromMs;
  }

  /** Somebody's request took `overMs` longer than a turn. */
  tookLong(overMs: number): void {
    this.dearFromMs = Math.max(this.dearFromMs, this.clock.monotonicMs() + Math.min(overMs, LONGEST_REST_MS));
    this.crowd();
  }

  /** Calls `proceed` when somebody has its next turn; `isDear`: its last request took long. */
  later(proceed: () => void, isDear: boolean): Waiting {
    const waiting = { proceed, isDear };
    this.queueOf(waiting).push(waiting);
    this.arm();
    return waiting;
  }

  /** Whoever waited there has gone. */
  cancel(waiting: Waiting): void {
    const queue = this.queueOf(waiting);
    const index = queue.indexOf(waiting);
    if (index >= 0) queue.splice(index, 1);
    this.arm();
  }

  private queueOf({ isDear }: Waiting): Waiting[] {
    return isDear ? this.dear : this.waiting;
  }

  private crowd(): void {
    if (this.crowdedNow) return;
    this.crowdedNow = true;
    this.timers.after("turn", 0, () => {
      this.crowdedNow = false;
    });
  }

  private arm(): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (this.waiting.length + this.dear.length === 0) return;
    const delayMs = this.waiting.length > 0 ? 0 : this.dearFromMs - this.clock.monotonicMs();
    this.timer = this.timers.after("turn", delayMs, () => this.next());
  }

  private next(): void {
    const mayBeDear = this.dear.length > 0 && this.clock.monotonicMs() >= this.dearFromMs;
    this.dearWasLast = mayBeDear && !(this.dearWasLast && this.waiting.length > 0);
    const next = (this.dearWasLast ? this.dear : this.waiting).shift();
    this.arm();
    next?.proceed();
  }
}

/** The turns of one connection. */
export class Turn {
  private number = -1;
  private beganMs = 0;

  constructor(private readonly turns: Turns) {}

  /** HOT: the connection begins or goes on to work. */
  begin(nowMs: number): void {
    const { current } = this.turns;
    if (current === this.number) return;
    this.number = current;
    this.beganMs = nowMs;
  }

  /** It has waited for its next turn, which begins now, whatever else happened since. */
  renew(): void {
    this.number = -1;
  }

  /** HOT: by how many milliseconds this turn is longer than it should be; not above 0 if it may go on. */
  overMs(nowMs: number): number {
    return nowMs - this.beganMs - TURN_MS;
  }
}
