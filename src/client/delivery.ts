/** Calls the application back: later than what caused it, in order, and never mind what a callback throws. */

import { withoutHarm } from "./harmless.js";

interface Entry<T> {
  readonly value: T;
  readonly deliver: (value: T) => void;
}

export class Delivery<T = unknown> {
  private waiting: Entry<T>[] = [];

  /** `deliver` is called in a microtask, so after the batch of messages that is being looked at. */
  add<V extends T>(value: V, deliver: (value: V) => void): void {
    if (this.waiting.length === 0) queueMicrotask(() => this.flush());
    this.waiting.push({ value, deliver: deliver as (value: T) => void });
  }

  private flush(): void {
    const entries = this.waiting;
    this.waiting = [];
    for (const { value, deliver } of entries) {
      withoutHarm(() => deliver(value));
    }
  }
}
