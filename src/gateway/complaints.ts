/** Warnings about what strangers send: all are counted, one a minute is written. */

import type { Clock } from "../core/clock.js";
import type { Logger } from "../core/log.js";

const INTERVAL_MS = 60_000;

export class Complaints {
  /** How many there were, written or not. */
  total = 0;
  private unwritten = 0;
  private quietUntilMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Counts this one, and writes it unless another was written less than a minute ago. */
  add(text: () => string): void {
    this.total++;
    const nowMs = this.clock.monotonicMs();
    if (nowMs < this.quietUntilMs) {
      this.unwritten++;
      return;
    }
    const more = this.unwritten;
    this.log.warning(() => (more > 0 ? `${text()} (and ${more} more since the last such warning)` : text()));
    this.unwritten = 0;
    this.quietUntilMs = nowMs + INTERVAL_MS;
  }
}
