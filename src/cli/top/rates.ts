/** Changes per second, over the last few seconds. */

import type { Match } from "../../core/directory-access.js";

/** Seconds over which a rate is averaged. */
const WINDOW = 5;
const TYPES = ["appeared", "modified", "disappeared"] as const satisfies readonly Match["type"][];

export type Counts = Readonly<Record<Match["type"], number>>;

const none = () => ({ appeared: 0, modified: 0, disappeared: 0 });

export class Rates {
  /** Since the beginning. */
  readonly totals: Record<Match["type"], number> = none();
  /** One per second of the window and one for the second that is running, by `second % length`. */
  private readonly buckets = Array.from({ length: WINDOW + 1 }, () => ({ second: -1, counts: none() }));

  count(type: Match["type"], nowMs: number): void {
    this.totals[type]++;
    const second = Math.floor(nowMs / 1000);
    const bucket = this.buckets[second % this.buckets.length];
    if (bucket.second !== second) {
      bucket.second = second;
      bucket.counts = none();
    }
    bucket.counts[type]++;
  }

  /** Per second, over the last WINDOW whole seconds. */
  perSecond(nowMs: number): Counts {
    const now = Math.floor(nowMs / 1000);
    const sums = none();
    for (const { second, counts } of this.buckets) {
      if (second < now - WINDOW || second >= now) continue;
      for (const type of TYPES) sums[type] += counts[type];
    }
    for (const type of TYPES) sums[type] /= WINDOW;
    return sums;
  }
}
