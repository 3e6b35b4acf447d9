/** The application's own code, called from within the library: what it throws is its own, and nobody else's. */

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
