/** What left while another gateway was to withdraw it: that one may die before it does. */

import type { Clock } from "../../core/clock.js";

const REMEMBERED = { count: 1000, ms: 120_000 } as const;

export class RecentlyLeft<Key> {
  /** When each left; the latest last. */
  private readonly left = new Map<Key, number>();

  constructor(private readonly clock: Clock) {}

  remember(key: Key): void {
    this.left.delete(key);
    this.left.set(key, this.clock.monotonicMs());
    const [oldest] = this.left.keys();
    if (this.left.size > REMEMBERED.count) this.left.delete(oldest);
  }

  forget(key: Key): void {
    this.left.delete(key);
  }

  /** Calls back for each that `isOurs` by now, and forgets it; also what left too long ago. */
  take(isOurs: (key: Key) => boolean, then: (key: Key) => void): void {
    const sinceMs = this.clock.monotonicMs() - REMEMBERED.ms;
    for (const [key, atMs] of this.left) {
      if (atMs < sinceMs) this.left.delete(key);
      else if (isOurs(key)) {
        this.left.delete(key);
        then(key);
      }
    }
  }

  clear(): void {
    this.left.clear();
  }
}
