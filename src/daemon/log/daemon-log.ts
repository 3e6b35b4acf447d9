/**
 * The log of pafd: levels, sinks and line formats (pafd-and-pafc.md, 1.5). Console and file are there; syslog and the
 * rotation of files are not yet. Whoever asks for syslog alone gets the console, and a line that says so.
 */

import { closeSync, openSync } from "node:fs";
import { LOG_LEVELS, type Logger, type LogLevel } from "../../core/log.js";
import type { LogConfig } from "../config/config.js";
import { errorText } from "../config/config-file.js";
import { DescriptorWriter, type Write } from "./descriptor-writer.js";
import { escapeText } from "./escape.js";

/** Logging cannot be set up; the message is what pafd prints before it ends (1.2). */
export class LogSetupError extends Error {
  override readonly name = "LogSetupError";
  constructor(reason: string) {
    super(escapeText(`Error configuring logging: ${reason}.`));
  }
}

export interface DaemonLog extends Logger {
  /** Closes the log file. Messages after that reach the other sinks only. Twice is harmless. */
  close(): void;
}

export interface LogDestination {
  /** Default: 2, standard error. */
  readonly consoleFd?: number;
  readonly write?: Write;
}

type Sink = (level: LogLevel, text: string) => void;

const rank = (level: LogLevel) => LOG_LEVELS.indexOf(level);

/**
 * Opens the sinks that the configuration names. Throws a `LogSetupError` if the file cannot be opened or rotation is
 * asked for. What the log cannot do yet it says in an info line of its own.
 */
export function openLog(config: LogConfig, { consoleFd = 2, write }: LogDestination = {}): DaemonLog {
  const console = new DescriptorWriter(consoleFd, undefined, write);
  const file = config.file === undefined ? undefined : openLogFile(config, config.file, console, write);
  const toConsole = config.console || (config.syslog && !file);
  const sinks: Sink[] = [];
  if (toConsole) sinks.push((level, text) => console.writeLine(`${level.toUpperCase()}:root:${text}`));
  if (file) sinks.push((_, text) => file.writeLine(text));
  let lowest = rank(config.filter);
  if (sinks.length === 0) {
    // No sink at all: what matters goes to standard error as bare text, as it does in the reference.
    lowest = Math.max(lowest, rank("warning"));
    sinks.push((_, text) => console.writeLine(text));
  }

  const at = (level: LogLevel) => {
    if (rank(level) < lowest) return () => {}; // the text is never built
    return (text: () => string): void => {
      const line = escapeText(textOf(text));
      for (const sink of sinks) sink(level, line);
    };
  };
  const log: DaemonLog = {
    debug: at("debug"),
    info: at("info"),
    warning: at("warning"),
    error: at("error"),
    close: () => file?.close(),
  };
  if (config.syslog) {
    const instead = [toConsole ? "to the console" : "", file ? "to the log file" : ""];
    log.info(() => `Syslog is not supported yet; messages go ${instead.filter(Boolean).join(" and ")}.`);
  }
  return log;
}

/** A message whose text cannot be built is a fault of ours, and no reason to end what was about to be logged. */
function textOf(text: () => string): string {
  try {
    return text();
  } catch (e) {
    return `(a log message could not be built: ${e})`;
  }
}

function openLogFile(config: LogConfig, fileName: string, console: DescriptorWriter, write: Write | undefined) {
  if (config.fileBackups > 0) {
    throw new LogSetupError(`rotation of the log file (log_file_backup: ${config.fileBackups}) is not supported yet`);
  }
  let fd: number | undefined;
  try {
    fd = openSync(fileName, "a", 0o640);
  } catch (e) {
    throw new LogSetupError(`${errorText(e)}: '${fileName}'`);
  }
  const onLoss = (code: string) =>
    console.writeLine(`ERROR:root:Log file '${escapeText(fileName)}' takes no more lines: ${code}.`);
  const writer = new DescriptorWriter(fd, onLoss, write);
  return {
    writeLine(line: string) {
      if (fd !== undefined) writer.writeLine(line);
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}
