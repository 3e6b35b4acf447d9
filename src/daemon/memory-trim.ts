/**
 * Gives memory of ended connections back to the system when a rush of them is over: JavaScript's heap would keep it until
 * it is needed again, and malloc() in pieces between what is in use. Both may be long after, on a server that is idle.
 */

import type { Timers } from "../core/clock.js";

/** So many connections must have ended; one for which much was waiting counts as many. */
const CONNECTIONS = 100;
/** How long after the last of them. */
const QUIET_MS = 5_000;
/** While they come and go all the time, nothing is gained: it is done this often at most. */
const LONGEST_MS = 60_000;

export class MemoryTrim {
  private ended = 0;
  private endedBefore = 0;
  private waitedMs = 0;

  constructor(
    private readonly timers: Timers,
    private readonly trim: () => void,
  ) {}

  connectionEnded(wasLarge: boolean): void {
    const before = this.ended;
    this.ended += wasLarge ? CONNECTIONS : 1;
    if (before < CONNECTIONS && this.ended >= CONNECTIONS) this.wait();
  }

  private wait(): void {
    this.endedBefore = this.ended;
    this.timers.after("memory", QUIET_MS, () => {
      this.waitedMs += QUIET_MS;
      if (this.ended > this.endedBefore && this.waitedMs < LONGEST_MS) {
        this.wait();
        return;
      }
      this.ended = 0;
      this.waitedMs = 0;
      this.trim();
    });
  }
}

/** Collects garbage, where Node.js was started with `--expose-gc` as the launcher does, then lets `malloc` trim. */
export function giveMemoryBack(malloc: { trimMemory(): void } | undefined): void {
  (globalThis as { gc?: () => void }).gc?.();
  malloc?.trimMemory();
}
