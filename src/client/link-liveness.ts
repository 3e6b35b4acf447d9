/**
 * Whether the server at the other end of a link is still there (libpaf-client.md, 8; version 3 only): after half of the
 * idle time without a message it is asked, and the link is given up if another half passes without one.
 *
 * A message does not touch the timer: `heard` notes the time, and a timer that fires too early is set again for the rest.
 */

import type { Clock, Random, Timer, Timers } from "../core/clock.js";

export interface LinkLivenessOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Longest silence, as of now. */
  readonly maxIdleSeconds: () => number;
  /** Asks for a sign of life; resolves with the reply. */
  readonly query: () => Promise<void>;
  /** The server has been silent for too long, or has not even accepted `track`. */
  readonly onSilent: (why: string) => void;
}

/** What is added to the time before the server is asked, so that normally the server asks first. */
const COURTESY_MS = 100;

export class LinkLiveness {
  private timer: Timer | undefined;
  private lastHeardMs: number;
  /** Silence allowed by the running timer. */
  private quietMs = 0;
  /** What the running timer was set for. */
  private maxIdle = 0;
  private accepted = false;
  private asked = false;
  private stopped = false;

  constructor(private readonly options: LinkLivenessOptions) {
    this.lastHeardMs = options.clock.monotonicMs();
    this.armQuery();
  }

  /** The server accepted `track`. */
  trackAccepted(): void {
    this.accepted = true;
  }

  heard(): void {
    if (this.stopped) return;
    this.lastHeardMs = this.options.clock.monotonicMs();
    // What was published meanwhile may have shortened the time.
    if (!this.asked && this.options.maxIdleSeconds() < this.maxIdle) this.armQuery();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private armQuery(): void {
    const { maxIdleSeconds, random } = this.options;
    this.maxIdle = maxIdleSeconds();
    this.quietMs = this.maxIdle * 500 * (0.9 + 0.2 * random()) + COURTESY_MS;
    this.arm("query", this.lastHeardMs + this.quietMs, () => this.onQuiet());
  }

  private onQuiet(): void {
    const { clock, maxIdleSeconds, onSilent, query } = this.options;
    if (clock.monotonicMs() < this.lastHeardMs + this.quietMs || maxIdleSeconds() > this.maxIdle) {
      this.armQuery();
    } else if (!this.accepted) {
      onSilent(`no answer to track within ${(this.quietMs / 1000).toFixed(1)} s`);
    } else {
      this.asked = true;
      this.quietMs = maxIdleSeconds() * 500;
      query().then(
        () => this.replied(),
        () => {}, // the session has ended, which is noticed elsewhere
      );
      this.armReply(clock.monotonicMs() + this.quietMs);
    }
  }

  private armReply(deadlineMs: number): void {
    this.arm("reply", deadlineMs, () => {
      const { clock, onSilent } = this.options;
      const deadline = this.lastHeardMs + this.quietMs;
      if (clock.monotonicMs() < deadline) this.armReply(deadline);
      else onSilent(`nothing heard for ${((clock.monotonicMs() - this.lastHeardMs) / 1000).toFixed(1)} s`);
    });
  }

  private replied(): void {
    if (this.stopped) return;
    this.asked = false;
    this.armQuery();
  }

  private arm(name: string, deadlineMs: number, fire: () => void): void {
    this.timer?.cancel();
    this.timer = this.options.timers.after(name, deadlineMs - this.options.clock.monotonicMs(), fire);
  }
}
