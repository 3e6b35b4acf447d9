/**
 * How often one thing may change in the directory, or at a broker: whoever changes all the time must not keep every
 * subscriber busy. Pure: whoever asks looks again when the time has come, and does then what is right by then.
 *
 * After more than five changes in a minute there is none for a minute (part D.6 of the conventions); and between any
 * two there is a gap.
 */

export const DAMPING = { changes: 5, windowMs: 60_000, holdMs: 60_000 } as const;

/** Honest hosts do not announce more often by mDNS (RFC 6762, section 6). */
const GAP_MS = 1000;

interface History {
  /** Of the last changes, the oldest first; at most one more than `DAMPING.changes`. */
  readonly changesMs: number[];
  notBeforeMs: number;
  /** It is not allowed to change until `notBeforeMs` because there were too many changes. */
  isHeld: boolean;
}

export class Damping<Key = string> {
  /** The one that changed last stands last; what has not changed for the time of a window and a hold is forgotten. */
  private readonly histories = new Map<Key, History>();

  /** `limit`: keys remembered; when there are more, those that changed longest ago are forgotten. */
  constructor(
    private readonly limit: number,
    private readonly gapMs = GAP_MS,
  ) {}

  /** Milliseconds until this one may change; 0 or less: now. */
  waitMs(key: Key, nowMs: number): number {
    return (this.histories.get(key)?.notBeforeMs ?? nowMs) - nowMs;
  }

  isHeld(key: Key, nowMs: number): boolean {
    const history = this.histories.get(key);
    return history?.isHeld === true && nowMs < history.notBeforeMs;
  }

  /** It changes now. */
  changed(key: Key, nowMs: number): void {
    const history = this.histories.get(key) ?? { changesMs: [], notBeforeMs: nowMs, isHeld: false };
    this.histories.delete(key);
    this.forget(nowMs);
    this.histories.set(key, history);
    const { changesMs } = history;
    const { changes, windowMs, holdMs } = DAMPING;
    changesMs.push(nowMs);
    while (nowMs - changesMs[0] >= windowMs || changesMs.length > changes + 1) changesMs.shift();
    history.isHeld = changesMs.length > changes;
    history.notBeforeMs = nowMs + (history.isHeld ? holdMs : this.gapMs);
  }

  clear(): void {
    this.histories.clear();
  }

  private forget(nowMs: number): void {
    for (const [key, { changesMs }] of this.histories) {
      const isOld = nowMs - changesMs[changesMs.length - 1] > DAMPING.windowMs + DAMPING.holdMs;
      if (!isOld && this.histories.size < this.limit) break;
      this.histories.delete(key);
    }
  }
}
