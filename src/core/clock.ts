/** Time, as the rest of the program is allowed to see it: two clocks that cannot be mixed up, and one kind of timer. */

export interface Clock {
  /** Milliseconds since some fixed moment; only ever grows. For every deadline. May have a fraction. */
  monotonicMs(): number;
  /** Seconds since the UNIX epoch, with fraction. Only for what peers compare with their own clock (`orphan-since`). */
  unixSeconds(): number;
}

export interface Timer {
  /** Stops the timer. Calling it twice, or after the timer fired, is harmless. */
  cancel(): void;
}

export interface Timers {
  /** Runs `fire` once, `delayMs` from now (at once, but never synchronously, if that is not positive). */
  after(name: string, delayMs: number, fire: () => void): Timer;
}

/** A source of randomness: uniformly in [0, 1). */
export type Random = () => number;
