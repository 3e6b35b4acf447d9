/**
 * Messages that wait to be published: at most so many a second, the latest of each topic only, a bounded number of
 * topics. It sends in small groups, ten times a second at most, so that a busy directory does not wake the board for
 * each message.
 */

import type { Clock, Timer, Timers } from "../../core/clock.js";
import type { PublishOutcome } from "./connection.js";
import type { PublishOptions } from "./publish-size.js";

const INTERVAL_MS = 100;

export interface OutboundQueueOptions {
  /** For the list of timers. */
  readonly name: string;
  readonly publish: (topic: string, payload: string, options: PublishOptions) => PublishOutcome;
  /** Told of each message that left the queue, and of what became of it. */
  readonly onOutcome?: (topic: string, payload: string, outcome: PublishOutcome) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Most messages in any second, 10 at least. */
  readonly perSecond: number;
  /** Most topics that wait. */
  readonly limit: number;
}

interface Waiting {
  readonly payload: string;
  readonly options: PublishOptions;
}

export class OutboundQueue {
  private readonly waiting = new Map<string, Waiting>();
  private timer: Timer | undefined;
  private nextMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: OutboundQueueOptions) {}

  /** Topics that wait. */
  get size(): number {
    return this.waiting.size;
  }

  /** Queues a message in the place of what waits for this topic. False: too many topics wait. */
  put(topic: string, payload: string, options: PublishOptions): boolean {
    if (!this.waiting.has(topic) && this.waiting.size >= this.options.limit) return false;
    this.waiting.set(topic, { payload, options });
    this.arm();
    return true;
  }

  /** What waits for this topic is no longer to be sent. */
  remove(topic: string): void {
    this.waiting.delete(topic);
    if (this.waiting.size === 0) this.disarm();
  }

  clear(): void {
    this.waiting.clear();
    this.disarm();
  }

  private arm(): void {
    if (this.timer) return;
    const { clock, timers, name } = this.options;
    this.timer = timers.after(name, this.nextMs - clock.monotonicMs(), () => {
      this.timer = undefined;
      this.send();
    });
  }

  private disarm(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private send(): void {
    const { publish, onOutcome, perSecond, clock } = this.options;
    this.nextMs = clock.monotonicMs() + INTERVAL_MS;
    let room = Math.max(1, Math.floor((perSecond * INTERVAL_MS) / 1000));
    for (const [topic, { payload, options }] of this.waiting) {
      if (room-- === 0) break;
      const outcome = publish(topic, payload, options);
      if (outcome === "not-connected") break; // it stays, or is cleared by whoever hears of the loss
      this.waiting.delete(topic);
      onOutcome?.(topic, payload, outcome);
    }
    if (this.waiting.size > 0) this.arm();
  }
}
