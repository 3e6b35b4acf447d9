/** The log on standard error. */

import { fstatSync } from "node:fs";
import type { LogLevel } from "../../core/log.js";
import { DescriptorWriter, type Write } from "./descriptor-writer.js";
import { Losses } from "./losses.js";
import { SEVERITY } from "./severity.js";
import type { Sink } from "./sink.js";

/** `LEVEL:root:MESSAGE` as the reference, or the message alone. */
export type ConsoleFormat = "reference" | "bare";

/**
 * Lines as `format` says; where they go to systemd's journal, `<N>MESSAGE` with the severity N, which the journal takes
 * off and files (sd-daemon(3)).
 */
export function consoleSink(fd: number, format: ConsoleFormat, write?: Write): Sink {
  const writer = new DescriptorWriter(fd, new Losses(), write);
  const prefix: (level: LogLevel) => string = isJournal(fd)
    ? (level) => `<${SEVERITY[level]}>`
    : format === "bare"
      ? () => ""
      : (level) => `${level.toUpperCase()}:root:`;
  return {
    write: (level, line) => writer.writeLine(prefix(level) + line),
    close() {}, // the descriptor is not ours
  };
}

/** Whether systemd connected `fd` to the journal: it says which socket that is, as `DEVICE:INODE` (systemd.exec(5)). */
function isJournal(fd: number): boolean {
  const stream = process.env.JOURNAL_STREAM;
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false; // closed
  }
}
