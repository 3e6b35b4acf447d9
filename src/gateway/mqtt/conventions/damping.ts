/**
 * Holds devices that change too often: more than 5 generations within 60 s, then nothing for 60 s (part D.6). Unlike the
 * native one it keeps no wish for later: a device is looked at anew when the hold is over.
 */

import { DAMPING } from "../native/damping.js";

interface History {
  readonly timesMs: number[];
  heldUntilMs: number;
}

export class Damping {
  /** Those that changed within the last window, the latest last. */
  private readonly histories = new Map<bigint, History>();

  /** Milliseconds for which this id must not change; 0 if it may. */
  heldMs(id: bigint, nowMs: number): number {
    const history = this.histories.get(id);
    if (!history) return 0;
    if (nowMs < history.heldUntilMs) return history.heldUntilMs - nowMs;
    const recent = history.timesMs.filter((timeMs) => timeMs > nowMs - DAMPING.windowMs);
    if (recent.length < DAMPING.changes) return 0;
    history.timesMs.length = 0; // after the hold it may change again
    history.heldUntilMs = nowMs + DAMPING.holdMs;
    return DAMPING.holdMs;
  }

  changed(id: bigint, nowMs: number): void {
    const history = this.histories.get(id) ?? { timesMs: [], heldUntilMs: 0 };
    history.timesMs.push(nowMs);
    if (history.timesMs.length > DAMPING.changes) history.timesMs.shift();
    this.histories.delete(id);
    this.histories.set(id, history);
    for (const [oldest, { timesMs, heldUntilMs }] of this.histories) {
      const lastMs = Math.max(timesMs[timesMs.length - 1] ?? 0, heldUntilMs);
      if (lastMs > nowMs - DAMPING.windowMs) break;
      this.histories.delete(oldest);
    }
  }
}
