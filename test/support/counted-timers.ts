/** Timers that tell which of them fired: what wakes a process, by cause. */

import type { Timers } from "../../src/core/clock.js";

export class CountedTimers implements Timers {
  private fired: Record<string, number> = {};

  constructor(private readonly timers: Timers) {}

  after: Timers["after"] = (name, delayMs, fire) =>
    this.timers.after(name, delayMs, () => {
      this.fired[name] = (this.fired[name] ?? 0) + 1;
      fire();
    });

  /** How often each fired since the last call, by name. */
  take(): Readonly<Record<string, number>> {
    const { fired } = this;
    this.fired = {};
    return fired;
  }
}
