/**
 * After fifteen conflicts within ten seconds each further attempt waits for five seconds (RFC 6762, 8.1), until there was
 * no conflict for a minute.
 */

const CONFLICTS = 15;
const WINDOW_MS = 10_000;
const WAIT_MS = 5000;
const QUIET_MS = 60_000;

export class ConflictRate {
  private readonly timesMs: number[] = [];
  private isSlow = false;

  /** Notes a conflict; how long to wait before the next attempt. */
  conflict(nowMs: number): number {
    const lastMs = this.timesMs.at(-1) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - lastMs > QUIET_MS) this.isSlow = false;
    this.timesMs.push(nowMs);
    if (this.timesMs.length > CONFLICTS) this.timesMs.shift();
    if (this.timesMs.length === CONFLICTS && nowMs - this.timesMs[0] <= WINDOW_MS) this.isSlow = true;
    return this.isSlow ? WAIT_MS : 0;
  }
}
