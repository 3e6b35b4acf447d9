/** How long to wait after a failure: twice as long each time, up to a limit (libpaf-client.md, 5.1). */

import type { Random } from "../core/clock.js";

export interface BackOffLimits {
  readonly minSeconds: number;
  readonly maxSeconds: number;
}

/** Part of the largest delay that is random, so that clients which wait that long do not come back in step. */
const SPREAD = 0.25;

export class BackOff {
  private previousMs = 0;

  /** `limits` is asked at each failure. */
  constructor(
    private readonly limits: () => BackOffLimits,
    private readonly random: Random,
  ) {}

  /** The delay after one more failure, in milliseconds; never above the upper limit. */
  next(): number {
    const { minSeconds, maxSeconds } = this.limits();
    const maxMs = maxSeconds * 1000;
    const wanted = this.previousMs === 0 ? minSeconds * 1000 * (1 + this.random()) : this.previousMs * 2;
    this.previousMs = Math.min(Math.max(wanted, minSeconds * 1000), maxMs);
    return wanted < maxMs ? this.previousMs : maxMs * (1 - SPREAD * this.random());
  }

  /** The next failure is the first one again. */
  reset(): void {
    this.previousMs = 0;
  }
}
