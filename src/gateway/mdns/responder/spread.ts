/** When each name begins to be probed: ten in a second, so that hundreds of services are no storm. */

import type { Random } from "../../../core/clock.js";

const PER_WINDOW = 10;
const WINDOW_MS = 1000;
/** RFC 6762, 8.1. */
const FIRST_WAIT_MS = 250;

export class Spread {
  private windowMs = Number.NEGATIVE_INFINITY;
  private inWindow = 0;

  constructor(private readonly random: Random) {}

  /** Those of one window begin together: they share packets. */
  next(nowMs: number): number {
    if (nowMs > this.windowMs + WINDOW_MS - FIRST_WAIT_MS) {
      this.windowMs = nowMs + this.random() * FIRST_WAIT_MS;
      this.inWindow = 0;
    } else if (this.inWindow === PER_WINDOW || nowMs > this.windowMs) {
      this.windowMs += WINDOW_MS;
      this.inWindow = 0;
    }
    this.inWindow++;
    return this.windowMs;
  }
}
