/**
 * Carries out changes, not too often (part D.6): what is held is carried out when the hold is over, as it is by then. A
 * flapping service, or two who disagree about one, costs a bounded number of messages. One timer serves all.
 */

import type { Clock, Timer, Timers } from "../../../core/clock.js";
import { DAMPING, Damping } from "../../damping.js";

export interface DampedChangesOptions {
  /** For the list of timers. */
  readonly name: string;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Keys looked after; beyond, those that changed longest ago count as new ones. */
  readonly limit: number;
  /** Does what is to be done about a key now, which may be nothing. */
  readonly carryOut: (key: string) => void;
  /** The first change of a key that has to wait. */
  readonly onHold: (key: string) => void;
}

interface Hold {
  readonly untilMs: number;
  /** Something is to be done when it is over. */
  isAwaited: boolean;
}

export class DampedChanges {
  private readonly damping: Damping;
  /** In the order in which they end. */
  private readonly holds = new Map<string, Hold>();
  private timer: Timer | undefined;

  constructor(private readonly options: DampedChangesOptions) {
    this.damping = new Damping(options.limit, 0);
  }

  /** A change of this one waits. */
  isWaiting(key: string): boolean {
    return this.holds.get(key)?.isAwaited === true;
  }

  /** Carries out a change: now, or when the hold is over. */
  change(key: string): void {
    const hold = this.holds.get(key);
    if (!hold) {
      this.carryOut(key);
      return;
    }
    if (hold.isAwaited) return;
    hold.isAwaited = true;
    this.options.onHold(key);
  }

  /** What waits is not wanted any more. */
  cancel(key: string): void {
    const hold = this.holds.get(key);
    if (hold) hold.isAwaited = false;
  }

  clear(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.holds.clear();
    this.damping.clear();
  }

  private carryOut(key: string): void {
    const { clock, limit, carryOut } = this.options;
    const nowMs = clock.monotonicMs();
    this.damping.changed(key, nowMs);
    if (this.damping.isHeld(key, nowMs) && this.holds.size < limit) {
      this.holds.set(key, { untilMs: nowMs + DAMPING.holdMs, isAwaited: false });
      this.timer ??= this.wakeIn(DAMPING.holdMs);
    }
    carryOut(key);
  }

  private wakeIn(delayMs: number): Timer {
    return this.options.timers.after(this.options.name, delayMs, () => this.wake());
  }

  private wake(): void {
    const nowMs = this.options.clock.monotonicMs();
    this.timer = undefined;
    const due: string[] = [];
    for (const [key, { untilMs, isAwaited }] of this.holds) {
      if (untilMs > nowMs) {
        this.timer = this.wakeIn(untilMs - nowMs);
        break;
      }
      this.holds.delete(key);
      if (isAwaited) due.push(key);
    }
    for (const key of due) this.change(key);
  }
}
