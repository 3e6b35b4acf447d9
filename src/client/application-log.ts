/** The application's logger, as everybody has one, and the one that this library writes to. */

import type { Logger as InternalLogger } from "../core/log.js";
import { printable } from "../core/printable.js";
import { checkFunction, mistyped } from "./argument-checks.js";
import { withoutHarm } from "./harmless.js";

/** Whom an application lets a domain tell what an operator may want to know. `console` is one, and most loggers are. */
export interface Logger {
  debug(message: string): void;
  /** A link is up; the servers have changed. */
  info(message: string): void;
  /** A link was lost, a server can not be reached or refuses something, a domain file can not be read. */
  warn(message: string): void;
  error(message: string): void;
}

const LEVELS = ["debug", "info", "warn", "error"] as const;

/**
 * What writes to the application's logger. Texts may quote a server: control characters are escaped, so that no line can
 * be forged. What the logger throws becomes an uncaught exception of the process. Throws a `TypeError` if it is none.
 */
export function applicationLog(log: Logger): InternalLogger {
  if (typeof log !== "object" || log === null) mistyped("attach(): log", log, "a logger, such as console,");
  for (const level of LEVELS) checkFunction(`attach(): log.${level}`, log[level]);
  const at = (level: (typeof LEVELS)[number]) => (text: () => string) =>
    withoutHarm(() => log[level](printable(text())));
  return { debug: at("debug"), info: at("info"), warning: at("warn"), error: at("error") };
}
