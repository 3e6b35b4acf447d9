/** The lines that a sink did not take. */

export class Losses {
  private count = 0;
  private announced = false;

  /** `onLoss` is called with the error's code when lines begin to be lost; at most once until a line gets through. */
  constructor(private readonly onLoss: (code: string) => void = () => {}) {}

  add(code: string): void {
    this.count++;
    if (this.announced) return;
    this.announced = true;
    this.onLoss(code);
  }

  /** What the next line shall be preceded by; empty if nothing is lost. */
  get notice(): string {
    return this.count > 0 ? `(${this.count} log lines lost)` : "";
  }

  /** The notice got through, which does not mean that the next line does. */
  told(): void {
    this.count = 0;
  }

  /** A line got through, with the notice before it if there was one. */
  over(): void {
    this.count = 0;
    this.announced = false;
  }
}

/** `ENOSPC` and the like, of anything that Node.js throws. */
export const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);
