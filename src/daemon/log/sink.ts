/** Where lines of the log go to. */

import type { LogLevel } from "../../core/log.js";

export interface Sink {
  /** Takes a line (escaped, without its line feed) at once, or loses and counts it; never throws, never waits. */
  write(level: LogLevel, line: string): void;
  /** Lines after that are dropped. Twice is harmless. */
  close(): void;
}

/** Told when `sink` begins to fail, in one sentence; not again until it works again. */
export type OnTrouble = (sink: Sink, text: string) => void;
