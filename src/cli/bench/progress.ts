/** How far a long run has come: one line on standard error that is written over, if that is a terminal. */

import type { Clock } from "../../core/clock.js";
import type { PafcIo } from "../output.js";

const LONGEST_BAR = 30;
const SHORTEST_BAR = 5;
/** Columns left free at the edge, for the ^C that the terminal echoes. */
const MARGIN = 3;
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
    this.stderr.write(`\r${progressLine(phase, done, total, this.stderr.columns)}\x1b[K`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.phase === "") return;
    this.phase = "";
    this.stderr.write("\r\x1b[K");
  }
}

/** One line of a terminal with so many columns; too narrow a one gets no bar. */
export function progressLine(phase: string, done: number, total: number, columns = 80): string {
  const share = total > 0 ? Math.min(1, done / total) : 1;
  const text = `${String(Math.floor(share * 100)).padStart(3)} %  ${phase}`;
  const room = columns - "[] ".length - text.length - MARGIN;
  if (room < SHORTEST_BAR) return text.slice(0, Math.max(0, columns - MARGIN));
  const length = Math.min(LONGEST_BAR, room);
  const full = Math.floor(share * length);
  return `[${"#".repeat(full)}${".".repeat(length - full)}] ${text}`;
}
