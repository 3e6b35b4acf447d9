/** Waiting that a signal can end. */

/**
 * What `begin` promises, or a rejection with the signal's reason as soon as it aborts; what is promised is then ignored,
 * also if it rejects. With a signal that was aborted before, `begin` is not called.
 */
export function abortable<T>(signal: AbortSignal | undefined, begin: () => Promise<T>): Promise<T> {
  if (!signal) return begin();
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    const settled = () => signal.removeEventListener("abort", abort);
    signal.addEventListener("abort", abort, { once: true });
    begin().then(
      (value) => {
        settled();
        resolve(value);
      },
      (error: unknown) => {
        settled();
        reject(error);
      },
    );
  });
}
