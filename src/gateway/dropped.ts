/** Announcements not taken, or not made, counted by reason. */

/** Reasons are fixed words of ours; this many is a mistake, and what is beyond is counted as `other`. */
const MAX_REASONS = 64;

export class Dropped {
  private readonly byReason = new Map<string, number>();

  /** `reason`: a fixed text, never one that came from outside. */
  add(reason: string): void {
    const key = this.byReason.has(reason) || this.byReason.size < MAX_REASONS ? reason : "other";
    this.byReason.set(key, (this.byReason.get(key) ?? 0) + 1);
  }

  /** As they are now. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.byReason);
  }
}
