/** Counts announcements that were not taken, or not made, by reason. */

/** Reasons are fixed strings of ours; should they ever be made from foreign text, no more than this many are kept. */
const MAX_REASONS = 64;

export class Dropped {
  private readonly byReason = new Map<string, number>();

  /** `reason`: a fixed text, never a piece of what was received. */
  add(reason: string): void {
    const known = this.byReason.has(reason) || this.byReason.size < MAX_REASONS;
    const key = known ? reason : "other";
    this.byReason.set(key, (this.byReason.get(key) ?? 0) + 1);
  }

  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.byReason);
  }
}
