/**
 * Idle supervision of one version 3 client (pathfinder-protocol.md, 9.2): silence for half its time makes it tentative
 * (it is asked, if it tracks), silence for the other half ends it.
 *
 * A message does not touch the timer: `heard` notes the time, and a timer that fires too early is set again for the rest.
 */

import type { Clock, Random, Timer, Timers } from "../core/clock.js";

export interface IdleLimits {
  /** Seconds; the reference's defaults are 4 and 30. */
  readonly min: number;
  readonly max: number;
}

export interface LivenessOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly limits: IdleLimits;
  /** The lowest TTL among the client's services, in seconds; `Infinity` if it has none. */
  readonly lowestTtlSeconds: () => number;
  /** The client has been silent for half its time. */
  readonly onTentative: () => void;
  /** The client has been silent for too long. */
  readonly onTimeout: () => void;
}

/** Longest silence in seconds before a client counts as gone. */
export function maxIdleSeconds(limits: IdleLimits, lowestTtlSeconds: number): number {
  return Math.max(limits.min, Math.min(limits.max, lowestTtlSeconds));
}

export class Liveness {
  private timer: Timer | undefined;
  private tentative = false;
  private lastHeardMs: number;
  /** What the running timer was set for. */
  private maxIdle = 0;
  private quietMs = 0;

  constructor(private readonly options: LivenessOptions) {
    this.lastHeardMs = options.clock.monotonicMs();
    this.armWarning();
  }

  /** HOT: a message was processed. */
  heard(nowMs: number): void {
    this.lastHeardMs = nowMs;
    if (this.tentative) this.armWarning();
  }

  /** The client has published a service with this TTL: a short one shortens its time at once. */
  published(ttlSeconds: number): void {
    if (maxIdleSeconds(this.options.limits, ttlSeconds) < this.maxIdle) this.armWarning();
  }

  /** Makes the client tentative at once, unless it is (9.4): somebody else wants its client id. */
  check(): void {
    if (this.tentative) return;
    this.maxIdle = maxIdleSeconds(this.options.limits, this.options.lowestTtlSeconds());
    this.warn();
  }

  stop(): void {
    this.timer?.cancel();
  }

  /** Sets the warning timer for half the time, times a random 0.9 … 1.1, from when the client was last heard. */
  private armWarning(): void {
    const { limits, lowestTtlSeconds, random } = this.options;
    this.tentative = false;
    this.maxIdle = maxIdleSeconds(limits, lowestTtlSeconds());
    this.quietMs = this.maxIdle * 1000 * 0.5 * (0.9 + 0.2 * random());
    this.arm(this.lastHeardMs + this.quietMs, () => this.onQuiet());
  }

  private onQuiet(): void {
    const { clock, limits, lowestTtlSeconds } = this.options;
    // What was published, withdrawn or heard since the timer was set may have given the client more time.
    if (maxIdleSeconds(limits, lowestTtlSeconds()) !== this.maxIdle) this.armWarning();
    else if (clock.monotonicMs() < this.lastHeardMs + this.quietMs) this.armWarning();
    else this.warn();
  }

  private warn(): void {
    this.tentative = true;
    this.arm(this.options.clock.monotonicMs() + this.maxIdle * 1000 * 0.5, this.options.onTimeout);
    this.options.onTentative();
  }

  private arm(deadlineMs: number, fire: () => void): void {
    this.timer?.cancel();
    this.timer = this.options.timers.after("idle", deadlineMs - this.options.clock.monotonicMs(), fire);
  }
}
