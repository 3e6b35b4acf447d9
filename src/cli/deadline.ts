/** One limit for a whole exchange: connecting, the handshake and the answer share it. */

import { TimeoutError } from "./failures.js";

export class Deadline {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly expired: Promise<never>;

  /** `what` names who is to answer, for the error text. */
  constructor(seconds: number, what: string) {
    const { signal } = this.controller;
    this.timer = setTimeout(() => {
      this.controller.abort(new TimeoutError(`${what}: no answer within ${seconds} s (--timeout)`));
    }, seconds * 1000);
    this.expired = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    this.expired.catch(() => {}); // nobody may be waiting when it expires
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** `answer`, unless the deadline comes first: then a `TimeoutError`. */
  bound<T>(answer: Promise<T>): Promise<T> {
    return Promise.race([answer, this.expired]);
  }

  /** Ends the wait now: `bound` rejects with `error`. */
  giveUp(error: Error): void {
    this.cancel();
    this.controller.abort(error);
  }

  /** An answer has come: the wait begins anew. */
  prolong(): void {
    this.timer.refresh();
  }

  cancel(): void {
    clearTimeout(this.timer);
  }
}
