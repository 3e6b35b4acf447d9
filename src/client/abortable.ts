/** Waiting that a signal can end. */

import { onAbort } from "./abort-listeners.js";

/**
 * What `begin` promises, or a rejection with the signal's reason as soon as it aborts; what is promised is then ignored,
 * also if it rejects. With a signal that was aborted before, `begin` is not called.
 */
export function abortable<T>(signal: AbortSignal | undefined, begin: () => Promise<T>): Promise<T> {
  if (!signal) return begin();
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const settled = onAbort(signal, () => reject(signal.reason));
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
