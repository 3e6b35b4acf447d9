/** After fifteen conflicts within ten seconds each further attempt waits for five seconds (RFC 6762, 8.1). */

const CONFLICTS = 15;
const WINDOW_MS = 10_000;
const WAIT_MS = 5000;

export class ConflictRate {
  private readonly timesMs: number[] = [];

  /** Notes a conflict; how long to wait before the next attempt. */
  conflict(nowMs: number): number {
    this.timesMs.push(nowMs);
    if (this.timesMs.length > CONFLICTS) this.timesMs.shift();
    return this.timesMs.length === CONFLICTS && nowMs - this.timesMs[0] <= WINDOW_MS ? WAIT_MS : 0;
  }
}
