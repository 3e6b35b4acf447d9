/**
 * Notices that the machine slept: the monotonic clock stood still, and timers with it, while the time since its start went
 * on. (The wall clock would not do: it may be set.) Nothing tells at once; whatever wakes the process is the time to look.
 */

import type { Clock } from "../../core/clock.js";

/** Shorter ones do no harm: what was missed is said again. */
const SLEPT_MS = 5000;
/** Between looks, which read a file. */
const LOOK_GAP_MS = 1000;

export class Sleep {
  private offsetMs: number;
  private lookedMs: number;

  /** `uptimeSeconds`: since the machine was started, sleep included. */
  constructor(
    private readonly clock: Pick<Clock, "monotonicMs">,
    private readonly uptimeSeconds: () => number,
  ) {
    this.lookedMs = clock.monotonicMs();
    this.offsetMs = this.offset();
  }

  /** Whether it slept since the last look; looks once a second at most. */
  isOver(): boolean {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.lookedMs < LOOK_GAP_MS) return false;
    this.lookedMs = nowMs;
    const before = this.offsetMs;
    this.offsetMs = this.offset();
    return this.offsetMs - before >= SLEPT_MS;
  }

  private offset(): number {
    return this.uptimeSeconds() * 1000 - this.clock.monotonicMs();
  }
}
