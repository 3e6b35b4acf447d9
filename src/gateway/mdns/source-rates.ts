/**
 * How many packets are taken of each source address (a token bucket for each): to decode one costs far more than to drop it,
 * and one broken or hostile host must not keep us from hearing the others. Who can send with any source address is not held
 * back by this, and could announce in everybody's name anyway.
 */

import type { Clock } from "../../core/clock.js";

/**
 * A host with 500 services that puts each of its 2000 records into a packet of its own may send all of them at once, and
 * a quarter of them in each second after that; real responders put some ten records into a packet.
 */
const BURST = 2000;
const PER_SECOND = 500;
/** Source addresses that are told apart; all further ones count as one. */
const SOURCES_LIMIT = 1024;
/** After this, a source has its whole burst again, and need not be remembered. */
const FORGET_MS = (BURST / PER_SECOND) * 1000;

interface Bucket {
  tokens: number;
  atMs: number;
}

export class SourceRates {
  /** By address. */
  private readonly buckets = new Map<string, Bucket>();
  private readonly others: Bucket = { tokens: BURST, atMs: Number.NEGATIVE_INFINITY };
  private sweptMs = Number.NEGATIVE_INFINITY;
  /** Packets that were not taken. */
  refused = 0;

  /** `onExcess` is told a source whose packet is the first that is not taken, once in the life of this object. */
  constructor(
    private readonly clock: Clock,
    private readonly onExcess: (source: string) => void,
  ) {}

  /** Whether the next packet of this source is to be taken. */
  take(source: string): boolean {
    const nowMs = this.clock.monotonicMs();
    const bucket = this.buckets.get(source) ?? this.begin(source, nowMs);
    bucket.tokens = Math.min(BURST, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * PER_SECOND);
    bucket.atMs = nowMs;
    if (bucket.tokens >= 1) {
      bucket.tokens--;
      return true;
    }
    if (this.refused++ === 0) this.onExcess(source);
    return false;
  }

  private begin(source: string, nowMs: number): Bucket {
    if (this.buckets.size >= SOURCES_LIMIT) this.sweep(nowMs);
    if (this.buckets.size >= SOURCES_LIMIT) return this.others;
    const bucket = { tokens: BURST, atMs: nowMs };
    this.buckets.set(source, bucket);
    return bucket;
  }

  /** Not more often than once in a second: it may find nothing to forget, packet after packet. */
  private sweep(nowMs: number): void {
    if (nowMs - this.sweptMs < 1000) return;
    this.sweptMs = nowMs;
    for (const [source, { atMs }] of this.buckets) if (nowMs - atMs >= FORGET_MS) this.buckets.delete(source);
  }
}
