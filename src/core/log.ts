/** Where every room writes what an operator may want to know. The text is built only if somebody listens. */

export const LOG_LEVELS = ["debug", "info", "warning", "error", "critical"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * `info` is for what an operator would act on; a healthy day is quiet. Texts come from peers too: the sinks escape
 * control characters, so that no line can be forged.
 */
export interface Logger {
  debug(text: () => string): void;
  info(text: () => string): void;
  warning(text: () => string): void;
  error(text: () => string): void;
}

/** A logger that writes to nobody; for tests and tools. */
export const SILENT: Logger = { debug() {}, info() {}, warning() {}, error() {} };

/** The same logger, with `prefix` before each text; it may change over time. */
export function prefixed(log: Logger, prefix: () => string): Logger {
  return {
    debug: (text) => log.debug(() => prefix() + text()),
    info: (text) => log.info(() => prefix() + text()),
    warning: (text) => log.warning(() => prefix() + text()),
    error: (text) => log.error(() => prefix() + text()),
  };
}

/** Lines of a stack that are logged; V8 records 10 calls unless told otherwise. */
const MAX_CALLS = 50;

/**
 * Logs an unexpected error: a line with `what` and the error's text, then one for each call of its stack, indented. A text
 * of several lines (it may quote a peer) stays one line of the log.
 */
export function logStack(log: Logger, what: string, error: unknown): void {
  const stack = textOfError(error);
  const calls = /\n {4}at /.exec(stack)?.index ?? stack.length;
  log.error(() => `${what}: ${stack.slice(0, calls)}`);
  for (const call of stack.slice(calls + 1).split("\n", MAX_CALLS)) if (call) log.error(() => `    ${call.trim()}`);
}

/** Whatever was thrown: also what has no stack, or refuses to be shown. */
function textOfError(error: unknown): string {
  try {
    return String((error instanceof Error && error.stack) || error);
  } catch {
    return "(an error that cannot be shown)";
  }
}
