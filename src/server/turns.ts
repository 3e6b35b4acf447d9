/**
 * Taking turns: what one client asks for may take long (a search through a large directory, many requests with dear
 * filters behind them), and the process has one thread. A connection that has worked for TURN_MS waits until everybody
 * who has something to do has had a turn; of those that wait, one goes on at a time.
 */

import type { Clock, Timers } from "../core/clock.js";
import type { Outbox } from "../transport/outbox.js";

/** How long a connection may work at a stretch. A single request or evaluation is never cut … */
const TURN_MS = 5;
/** … but whoever makes one that takes longer stands back for as long as that, so that half of the time is the others'. */
const LONGEST_REST_MS = 1_000;

export class Turns {
  /** At most one entry per connection. */
  private readonly waiting: { readonly proceed: () => void; readonly delayMs: number }[] = [];

  constructor(
    readonly clock: Clock,
    private readonly timers: Timers,
    private readonly outbox: Outbox,
  ) {}

  /** Which turn it is: another number whenever the process has come back from somewhere else. */
  get current(): number {
    return this.outbox.turn;
  }

  /** Calls `proceed` in a turn of its own, behind those that wait already and `delayMs` after them. */
  later(proceed: () => void, delayMs: number): void {
    if (this.waiting.push({ proceed, delayMs }) === 1) this.arm();
  }

  private arm(): void {
    this.timers.after("turn", this.waiting[0].delayMs, () => {
      const { proceed } = this.waiting.shift()!;
      if (this.waiting.length > 0) this.arm();
      proceed();
    });
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
