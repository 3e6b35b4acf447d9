/** The application's own code, called from within the library: what it throws is its own, and nobody else's. */

import type { Logger } from "../core/log.js";

/** What `call` throws becomes an uncaught exception of the process, as with an `EventTarget`; the caller goes on. */
export function withoutHarm(call: () => void): void {
  try {
    call();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

/** The same logger, which never throws at whoever logs. */
export function harmless(log: Logger): Logger {
  return {
    debug: (text) => withoutHarm(() => log.debug(text)),
    info: (text) => withoutHarm(() => log.info(text)),
    warning: (text) => withoutHarm(() => log.warning(text)),
    error: (text) => withoutHarm(() => log.error(text)),
  };
}
