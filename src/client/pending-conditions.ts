/** Promises that are kept once a condition holds: what an application waits for. */

import { onAbort } from "./abort-listeners.js";

interface Waiting {
  readonly holds: () => boolean;
  readonly settle: (error?: unknown) => void;
}

/** The same promise; a rejection that nobody looks at harms nobody. */
export function ignorable<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

export class PendingConditions {
  private readonly waiting = new Set<Waiting>();

  get size(): number {
    return this.waiting.size;
  }

  /**
   * Resolves when `holds` does (it is asked now and at each `look`), rejects with the signal's reason or with the error
   * of `fail`. A rejection that nobody looks at harms nobody.
   */
  until(holds: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (holds()) return resolve();
      let forget = () => {};
      const entry: Waiting = {
        holds,
        settle: (error) => {
          this.waiting.delete(entry);
          forget();
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      this.waiting.add(entry);
      if (signal) forget = onAbort(signal, () => entry.settle(signal.reason ?? new Error("aborted")));
    });
    return ignorable(promise);
  }

  /** Something has happened. */
  look(): void {
    for (const entry of [...this.waiting]) if (entry.holds()) entry.settle();
  }

  /** Nothing will happen any more. */
  fail(error: Error): void {
    for (const entry of [...this.waiting]) entry.settle(error);
  }
}
