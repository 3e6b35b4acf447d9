/**
 * Taking turns: what one client asks for may take long (a search through a large directory, many requests with dear
 * filters behind them), and the process has one thread. A connection that has worked for TURN_MS waits until everybody
 * who has something to do has had a turn; of those that wait, one goes on at a time.
 */

import type { Clock, Timers } from "../core/clock.js";
import type { Outbox } from "../transport/outbox.js";

/** How long a connection may work at a stretch. A single request or evaluation is never cut. */
const TURN_MS = 5;

export class Turns {
  /** At most one entry per connection. */
  private readonly waiting: (() => void)[] = [];

  constructor(
    readonly clock: Clock,
    private readonly timers: Timers,
    private readonly outbox: Outbox,
  ) {}

  /** Which turn it is: another number whenever the process has come back from somewhere else. */
  get current(): number {
    return this.outbox.turn;
  }

  /** Calls `proceed` in a turn of its own, behind those that wait already. */
  later(proceed: () => void): void {
    if (this.waiting.push(proceed) === 1) this.arm();
  }

  private arm(): void {
    this.timers.after("turn", 0, () => {
      const proceed = this.waiting.shift()!;
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

  /** HOT: true if the connection has used up its turn by `nowMs`; a turn that is new begins then. */
  isOver(nowMs: number): boolean {
    const { current } = this.turns;
    if (current === this.number) return nowMs - this.beganMs > TURN_MS;
    this.number = current;
    this.beganMs = nowMs;
    return false;
  }
}
