/** Announcements that were not taken, or not made, counted by reason. */

/** Reasons are fixed texts of this program, never foreign ones; this only guards against a mistake. */
const MAX_REASONS = 64;

export class Dropped {
  private readonly byReason = new Map<string, number>();

  add(reason: string): void {
    const before = this.byReason.get(reason);
    if (before === undefined && this.byReason.size === MAX_REASONS) return;
    this.byReason.set(reason, (before ?? 0) + 1);
  }

  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.byReason);
  }
}
