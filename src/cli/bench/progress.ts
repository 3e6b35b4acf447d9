/** How far a long run has come: one line on standard error that is written over, if that is a terminal. */

import type { Clock } from "../../core/clock.js";
import type { PafcIo } from "../output.js";

const BAR_COLUMNS = 30;
const EVERY_MS = 100;

export class Progress {
  private shownMs = -Infinity;
  private phase = "";

  constructor(
    private readonly stderr: PafcIo["stderr"],
    private readonly clock: Clock,
  ) {}

  show(phase: string, done: number, total: number): void {
    if (!this.stderr.isTTY) return;
    const nowMs = this.clock.monotonicMs();
    if (phase === this.phase && nowMs < this.shownMs + EVERY_MS) return;
    this.phase = phase;
    this.shownMs = nowMs;
    this.stderr.write(`\r${progressLine(phase, done, total)}\x1b[K`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.phase === "") return;
    this.phase = "";
    this.stderr.write("\r\x1b[K");
  }
}

export function progressLine(phase: string, done: number, total: number): string {
  const share = total > 0 ? Math.min(1, done / total) : 1;
  const full = Math.floor(share * BAR_COLUMNS);
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `[${"#".repeat(full)}${".".repeat(BAR_COLUMNS - full)}] ${percent} %  ${phase}`;
}
