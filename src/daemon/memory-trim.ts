/**
 * Gives memory of ended connections back to the system: malloc() keeps it in pieces between those in use, for the next
 * connections; after a rush of many, above all with TLS, that is more than will be needed for long.
 */

import type { Timers } from "../core/clock.js";

/** So many connections must have ended … */
const CONNECTIONS = 100;
/** … and so long ago. While they come and go all the time, it is done this often. */
const DELAY_MS = 5_000;

export class MemoryTrim {
  private ended = 0;

  constructor(
    private readonly timers: Timers,
    private readonly trim: () => void,
  ) {}

  connectionEnded(): void {
    if (++this.ended !== CONNECTIONS) return;
    this.timers.after("memory", DELAY_MS, () => {
      this.ended = 0;
      this.trim();
    });
  }
}
