/** The lowest TTL among many services, kept while they come and go. */

export class TtlCounts {
  /** Services per TTL. */
  private readonly counts = new Map<bigint, number>();
  /** `undefined`: to be looked up when it is asked for. */
  private known: number | undefined = Number.POSITIVE_INFINITY;

  add(ttlSeconds: bigint): void {
    this.counts.set(ttlSeconds, (this.counts.get(ttlSeconds) ?? 0) + 1);
    if (this.known !== undefined) this.known = Math.min(this.known, Number(ttlSeconds));
  }

  remove(ttlSeconds: bigint): void {
    const count = this.counts.get(ttlSeconds)!;
    if (count > 1) {
      this.counts.set(ttlSeconds, count - 1);
      return;
    }
    this.counts.delete(ttlSeconds);
    if (this.known === Number(ttlSeconds)) this.known = undefined;
  }

  /** In seconds; `Infinity` if there is none. */
  lowest(): number {
    if (this.known === undefined) {
      this.known = Number.POSITIVE_INFINITY;
      for (const ttl of this.counts.keys()) this.known = Math.min(this.known, Number(ttl));
    }
    return this.known;
  }
}
