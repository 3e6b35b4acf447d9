/**
 * How often something may happen, or how much work be done: so much at once, then at a steady rate; per name, for a
 * bounded number of them.
 */

export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

export class TokenBuckets {
  /** The one that was used last stands last. */
  private readonly buckets = new Map<string, Bucket>();

  constructor(
    private readonly rate: Rate,
    private readonly limit: number,
  ) {}

  /** Takes one token of `name`. False: there is none. */
  take(name: string, nowMs: number): boolean {
    const bucket = this.bucket(name, nowMs);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  /** Takes as many as something has cost, which is known afterwards only: there may be less than none then. */
  spend(name: string, nowMs: number, tokens: number): void {
    this.bucket(name, nowMs).tokens -= tokens;
  }

  /** In how many whole seconds there will be a token of `name`; 0: now. */
  waitSeconds(name: string, nowMs: number): number {
    const { tokens } = this.bucket(name, nowMs);
    return tokens >= 1 ? 0 : Math.ceil((1 - tokens) / this.rate.perSecond);
  }

  private bucket(name: string, nowMs: number): Bucket {
    const { burst, perSecond } = this.rate;
    const bucket = this.buckets.get(name) ?? { tokens: burst, atMs: nowMs };
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) * perSecond) / 1000);
    bucket.atMs = nowMs;
    this.buckets.delete(name);
    this.buckets.set(name, bucket);
    if (this.buckets.size > this.limit) this.forgetOldest();
    return bucket;
  }

  private forgetOldest(): void {
    const [oldest] = this.buckets.keys();
    this.buckets.delete(oldest);
  }
}
