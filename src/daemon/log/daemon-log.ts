/**
 * The log of pafd: level filter and sinks (pafd-and-pafc.md, 1.5). A sink that fails says so on standard error and in the
 * other sinks, once, and is used again when it works again.
 */

import type { Clock, Timers } from "../../core/clock.js";
import { LOG_LEVELS, type Logger, type LogLevel } from "../../core/log.js";
import { TransportError } from "../../transport/index.js";
import type { LogConfig } from "../config/config.js";
import { errorText } from "../config/config-file.js";
import { systemClock } from "../event-loop-time.js";
import { consoleSink } from "./console-sink.js";
import type { Write } from "./descriptor-writer.js";
import { escapeText } from "./escape.js";
import { LogFile } from "./log-file.js";
import type { OnTrouble, Sink } from "./sink.js";
import { Syslog } from "./syslog.js";

/** Logging cannot be set up; the message is what pafd prints before it ends (1.2). */
export class LogSetupError extends Error {
  override readonly name = "LogSetupError";
  constructor(reason: string) {
    super(escapeText(`Error configuring logging: ${reason}.`));
  }
}

export interface DaemonLog extends Logger {
  /** Closes log file and syslog. Messages after that reach the console only. Twice is harmless. */
  close(): void;
}

export interface LogDestination {
  /** Default: 2, standard error. */
  readonly consoleFd?: number;
  readonly write?: Write;
  readonly clock?: Pick<Clock, "monotonicMs">;
  readonly timers?: Timers;
}

/** Timers that do not keep the process alive. */
const BACKGROUND_TIMERS: Timers = {
  after(_, delayMs, fire) {
    const timer = setTimeout(fire, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** A trouble that comes and goes, as a syslog that is slow, is told at most this often. */
const TROUBLE_INTERVAL_MS = 60_000;

const rank = (level: LogLevel) => LOG_LEVELS.indexOf(level);

/** Opens the sinks that the configuration names. Throws a `LogSetupError` if the file or syslog cannot be had. */
export function openLog(config: LogConfig, destination: LogDestination = {}): DaemonLog {
  const { consoleFd = 2, write, clock = systemClock, timers = BACKGROUND_TIMERS } = destination;
  const console = consoleSink(consoleFd, "reference", write);
  const sinks: Sink[] = config.console ? [console] : [];
  const toldAtMs = new Map<string, number>();
  const onTrouble: OnTrouble = (troubled, text) => {
    const now = clock.monotonicMs();
    if (now - (toldAtMs.get(text) ?? Number.NEGATIVE_INFINITY) < TROUBLE_INTERVAL_MS) return;
    toldAtMs.set(text, now);
    const line = escapeText(text);
    console.write("error", line);
    for (const sink of sinks) if (sink !== console && sink !== troubled) sink.write("error", line);
  };
  const common = { clock, onTrouble, ...(write ? { write } : {}) };
  const { file, fileBackups: backups, fileMaxBytes: maxBytes, syslog, syslogSocket, facility } = config;
  const close = () => {
    for (const sink of sinks) sink.close();
  };
  try {
    if (file !== undefined) sinks.push(named(file, "", () => new LogFile(file, { backups, maxBytes, ...common })));
    if (syslog) {
      sinks.push(named(syslogSocket, NO_SYSLOG, () => new Syslog(syslogSocket, { facility, timers, ...common })));
    }
  } catch (e) {
    close();
    throw e;
  }
  let lowest = rank(config.filter);
  if (sinks.length === 0) {
    // No sink at all: what matters goes to standard error as bare text, as it does in the reference.
    lowest = Math.max(lowest, rank("warning"));
    sinks.push(consoleSink(consoleFd, "bare", write));
  }

  const at = (level: LogLevel) => {
    if (rank(level) < lowest) return () => {}; // the text is never built
    return (text: () => string): void => {
      const line = escapeText(textOf(text));
      for (const sink of sinks) sink.write(level, line);
    };
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warning: at("warning"),
    error: at("error"),
    close,
  };
}

const NO_SYSLOG = " (syslog; -n or log.syslog: false switches it off, -u or log.syslog_socket names another socket)";

/** What `open` gives; its error as pafd words it, with the path and `advice`. */
function named(path: string, advice: string, open: () => Sink): Sink {
  try {
    return open();
  } catch (e) {
    if (e instanceof TransportError) throw new LogSetupError(e.message); // no addon; says itself what to do
    throw new LogSetupError(`${errorText(e)}: '${path}'${advice}`);
  }
}

/** A message whose text cannot be built is a fault of ours, and no reason to end what was about to be logged. */
function textOf(text: () => string): string {
  try {
    return text();
  } catch (e) {
    return `(a log message could not be built: ${e})`;
  }
}
