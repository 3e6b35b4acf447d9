/**
 * Taking turns: what one client asks for may take long (a search through a large directory, many requests with dear
 * filters behind them), and the process has one thread. A connection that has worked for TURN_MS waits until everybody
 * who has something to do has had a turn; of those that wait, one goes on at a time, and the sockets are read in between.
 */

import type { Clock, Timer, Timers } from "../core/clock.js";
import type { Outbox } from "../transport/outbox.js";

/** How long a connection may work at a stretch. A single request or evaluation is never cut … */
const TURN_MS = 5;
/** … but whoever makes one that takes longer stands back for as long as that, so that half of the time is the others'. */
const LONGEST_REST_MS = 1_000;

/** A place in the queue. */
export interface Waiting {
  readonly proceed: () => void;
  readonly dueMs: number;
}

export class Turns {
  /** At most one entry per connection; the earliest due first, those due at the same time as they came. */
  private readonly waiting: Waiting[] = [];
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

  /** Somebody's turn has just ended; it has to rest for `restMs`. */
  ended(restMs: number): void {
    if (this.crowdedNow || restMs <= TURN_MS) return;
    this.crowdedNow = true;
    this.timers.after("turn", 0, () => {
      this.crowdedNow = false;
    });
  }

  /** Calls `proceed` in a turn of its own, `delayMs` from now at the earliest. */
  later(proceed: () => void, delayMs: number): Waiting {
    const waiting = { proceed, dueMs: this.clock.monotonicMs() + delayMs };
    let low = 0;
    let high = this.waiting.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.waiting[middle].dueMs <= waiting.dueMs) low = middle + 1;
      else high = middle;
    }
    this.waiting.splice(low, 0, waiting);
    if (low === 0) this.arm();
    return waiting;
  }

  /** Whoever waited there has gone. */
  cancel(waiting: Waiting): void {
    const index = this.waiting.indexOf(waiting);
    if (index < 0) return;
    this.waiting.splice(index, 1);
    if (index === 0) this.arm();
  }

  private arm(): void {
    this.timer?.cancel();
    const [first] = this.waiting;
    this.timer = first && this.timers.after("turn", first.dueMs - this.clock.monotonicMs(), () => this.next());
  }

  private next(): void {
    const first = this.waiting.shift();
    this.arm();
    first?.proceed();
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

  /** HOT: milliseconds to wait until the next turn, 0 or more, if this one is used up; otherwise -1. */
  restMs(nowMs: number): number {
    const over = nowMs - this.beganMs - TURN_MS;
    return over > 0 ? Math.min(over, LONGEST_REST_MS) : -1;
  }
}
