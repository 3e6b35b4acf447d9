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
