/**
 * Damping (part D.6): what changes more than five times in 60 s is held for 60 s, and is then as it is by then. A
 * flapping service, or two who disagree about one, costs a bounded number of messages.
 */

import type { Clock, Timer, Timers } from "../core/clock.js";

export const DAMPING = { changes: 5, windowMs: 60_000, holdMs: 60_000 } as const;

interface History {
  /** When it changed, within the window; the oldest first. */
  readonly times: number[];
  held?: Timer;
  /** What to do when the hold is over: the latest wish. */
  waiting?: () => void;
}

export interface DampingOptions {
  /** For the list of timers. */
  readonly name: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly onHold: (key: string) => void;
}

export class Damping {
  /** The one that changed last stands last. */
  private readonly histories = new Map<string, History>();

  constructor(private readonly options: DampingOptions) {}

  /** How many are held at the moment. */
  get held(): number {
    let count = 0;
    for (const { held } of this.histories.values()) if (held) count++;
    return count;
  }

  isHeld(key: string): boolean {
    return this.histories.get(key)?.held !== undefined;
  }

  /** Carries out a change: now, or when the hold is over, in the place of what waits for that. */
  change(key: string, apply: () => void): void {
    const { clock, timers, name, onHold } = this.options;
    const nowMs = clock.monotonicMs();
    const history = this.histories.get(key) ?? { times: [] };
    if (history.held) {
      history.waiting = apply;
      return;
    }
    this.histories.delete(key);
    this.histories.set(key, history);
    this.forgetOld(nowMs);
    const { times } = history;
    while (times.length > 0 && times[0] <= nowMs - DAMPING.windowMs) times.shift();
    if (times.length < DAMPING.changes) {
      times.push(nowMs);
      apply();
      return;
    }
    history.waiting = apply;
    history.held = timers.after(name, DAMPING.holdMs, () => {
      const { waiting } = history;
      delete history.held;
      delete history.waiting;
      history.times.length = 0;
      history.times.push(clock.monotonicMs());
      waiting?.();
    });
    onHold(key);
  }

  clear(): void {
    for (const { held } of this.histories.values()) held?.cancel();
    this.histories.clear();
  }

  /** Those that did not change within the window, from the front of the map. */
  private forgetOld(nowMs: number): void {
    for (const [key, { times, held }] of this.histories) {
      const last = times[times.length - 1];
      if (held || last === undefined || last > nowMs - DAMPING.windowMs) return;
      this.histories.delete(key);
    }
  }
}
