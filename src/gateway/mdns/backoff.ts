/** When to ask a continuous question: after 20–120 ms, then with gaps of 1, 2, 4 … 3600 s (RFC 6762, section 5.2). */

import type { Random } from "../../core/clock.js";

const FIRST_MS = { least: 20, most: 120 };
const GAP_MS = { least: 1000, most: 3_600_000 };

export class Backoff {
  attempts = 0;
  nextMs = 0;
  private gapMs: number = GAP_MS.least;

  constructor(
    private readonly random: Random,
    nowMs: number,
  ) {
    this.restart(nowMs);
  }

  restart(nowMs: number): void {
    this.attempts = 0;
    this.gapMs = GAP_MS.least;
    this.nextMs = nowMs + FIRST_MS.least + this.random() * (FIRST_MS.most - FIRST_MS.least);
  }

  /** True if it is time to ask; then the next gap has begun. */
  isDue(nowMs: number): boolean {
    if (nowMs < this.nextMs) return false;
    this.attempts++;
    this.nextMs = nowMs + this.gapMs;
    this.gapMs = Math.min(2 * this.gapMs, GAP_MS.most);
    return true;
  }
}
