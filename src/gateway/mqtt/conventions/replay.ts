/**
 * When all that the broker keeps has been heard: every subscription is answered, and nothing kept came for a while after
 * it. Brokers send what they keep before or after their answer, and clusters of them some time later.
 */

import type { Clock, Timer, Timers } from "../../../core/clock.js";
import { TIMES } from "./limits.js";

export interface ReplayOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Subscriptions are under way: what the broker keeps may still come. */
  readonly isSubscribing: () => boolean;
}

/** One for all conventions: a device may be announced in several of them. */
export class Replay {
  private readonly waiting = new Set<() => void>();
  private heardAtMs = Number.NEGATIVE_INFINITY;
  private latestMs = 0;
  private timer: Timer | undefined;
  private paused = false;

  constructor(private readonly options: ReplayOptions) {}

  /** Something that the broker had kept was heard. */
  heard(): void {
    this.heardAtMs = this.options.clock.monotonicMs();
  }

  /** Calls back once when all has been heard, or `TIMES.replayMs` after the first one began to wait. */
  whenHeard(then: () => void): void {
    const isFirst = this.waiting.size === 0;
    this.waiting.add(then);
    if (isFirst && !this.paused) this.begin();
  }

  brokerLost(): void {
    this.paused = true;
    this.timer?.cancel();
  }

  /** Connected: all is replayed from the begin. */
  brokerBack(): void {
    this.paused = false;
    if (this.waiting.size > 0) this.begin();
  }

  stop(): void {
    this.timer?.cancel();
    this.waiting.clear();
  }

  private begin(): void {
    this.latestMs = this.options.clock.monotonicMs() + TIMES.replayMs;
    this.lookIn(TIMES.quietMs);
  }

  private lookIn(delayMs: number): void {
    this.timer?.cancel();
    this.timer = this.options.timers.after("mqtt replay", delayMs, () => this.look());
  }

  private look(): void {
    const nowMs = this.options.clock.monotonicMs();
    const leftMs = this.latestMs - nowMs;
    const quietInMs = this.options.isSubscribing() ? TIMES.quietMs : this.heardAtMs + TIMES.quietMs - nowMs;
    if (leftMs > 0 && quietInMs > 0) {
      this.lookIn(Math.min(leftMs, quietInMs));
      return;
    }
    const told = [...this.waiting];
    this.waiting.clear();
    for (const then of told) then();
  }
}
