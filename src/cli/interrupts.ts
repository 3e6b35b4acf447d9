/** The user's wish to end: SIGINT, SIGTERM or SIGHUP, or an `AbortSignal` in their place. */

import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export type Interrupt = (typeof SIGNALS)[number];

/** The exit code of a process that a shell reports as ended by this signal: 130, 143 or 129. */
export const interruptedCode = (interrupt: Interrupt): number => 128 + constants.signals[interrupt];

/** An interrupt kept a command from doing what it was for. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
  constructor(readonly interrupt: Interrupt) {
    super(`interrupted by ${interrupt}`);
  }
}

/** Signals this soon after the first one are the same wish: timeout(1) signals the process and then its group. */
const SAME_WISH_MS = 500;

/** The first interrupt is heeded in order; a second one ends the process as it would without us. */
export class Interrupts {
  private stop: () => void = () => {};

  constructor(private readonly signal: AbortSignal | undefined) {}

  /** Resolves at the first interrupt from now on. */
  first(): Promise<Interrupt> {
    const { signal } = this;
    return new Promise((resolve) => {
      let later: NodeJS.Timeout | undefined;
      const heard = (interrupt: unknown) => {
        later ??= setTimeout(() => this.stop(), SAME_WISH_MS).unref();
        resolve(SIGNALS.find((name) => name === interrupt) ?? "SIGINT");
      };
      this.stop = () => {
        clearTimeout(later);
        signal?.removeEventListener("abort", heard);
        for (const name of SIGNALS) process.off(name, heard);
      };
      if (signal === undefined) for (const name of SIGNALS) process.on(name, heard);
      else if (signal.aborted) heard("SIGINT");
      else signal.addEventListener("abort", heard);
    });
  }

  ignore(): void {
    this.stop();
  }
}
