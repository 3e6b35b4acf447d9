/**
 * How often one service may change in the directory: whoever changes all the time must not keep every subscriber busy.
 * Pure.
 *
 * One change a second at most (honest hosts do not announce more often: RFC 6762, section 6); and after more than five
 * in a minute none for a minute. What is held back is the change, never the withdrawal; the last state is shown then.
 */

const GAP_MS = 1000;
const WINDOW_MS = 60_000;
const CHANGES_LIMIT = 5;
const HOLD_MS = 60_000;

interface History {
  /** Of the last changes, the oldest first; at most one more than `CHANGES_LIMIT`. */
  readonly changesMs: number[];
  notBeforeMs: number;
  /** It is not allowed to change until `notBeforeMs` because there were too many changes. */
  isHeld: boolean;
}

export class Damping {
  /** By service; what has not changed for the time of a window and a hold is forgotten. */
  private readonly histories = new Map<string, History>();

  /** `limit`: services remembered; when there are more, those that changed longest ago are forgotten. */
  constructor(private readonly limit: number) {}

  /** Milliseconds until this service may change; 0 or less: now. */
  waitMs(service: string, nowMs: number): number {
    return (this.histories.get(service)?.notBeforeMs ?? nowMs) - nowMs;
  }

  isHeld(service: string, nowMs: number): boolean {
    const history = this.histories.get(service);
    return history?.isHeld === true && nowMs < history.notBeforeMs;
  }

  /** The service changes now. */
  changed(service: string, nowMs: number): void {
    const history = this.histories.get(service) ?? { changesMs: [], notBeforeMs: nowMs, isHeld: false };
    this.histories.delete(service);
    this.forget(nowMs);
    this.histories.set(service, history); // as the last one
    const { changesMs } = history;
    changesMs.push(nowMs);
    while (nowMs - changesMs[0] > WINDOW_MS || changesMs.length > CHANGES_LIMIT + 1) changesMs.shift();
    history.isHeld = changesMs.length > CHANGES_LIMIT;
    history.notBeforeMs = nowMs + (history.isHeld ? HOLD_MS : GAP_MS);
  }

  private forget(nowMs: number): void {
    for (const [service, { changesMs }] of this.histories) {
      const isOld = nowMs - changesMs[changesMs.length - 1] > WINDOW_MS + HOLD_MS;
      if (!isOld && this.histories.size < this.limit) break;
      this.histories.delete(service);
    }
  }
}
