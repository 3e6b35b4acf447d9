/** Writes log lines to a file descriptor, and never fails because of it. */

import { writeSync } from "node:fs";

/** As `fs.writeSync`: the number of bytes taken, or an error with a `code`. */
export type Write = (fd: number, bytes: Uint8Array) => number;

/**
 * Lines go out at once and in order, so that the last words of a dying process are not lost. There is no queue: a line
 * that the descriptor does not take (EAGAIN, EPIPE, ENOSPC …) is dropped and counted, and the next one that is taken is
 * preceded by a line that tells how many were. A pipe or terminal in blocking mode whose reader has stopped holds the
 * process up, as it does the reference.
 */
export class DescriptorWriter {
  private lost = 0;
  /** The last write was cut short, so that the next line must begin on a new one. */
  private midLine = false;

  constructor(
    private readonly fd: number,
    /** Called with the error's code when lines begin to be lost; at most once until a line gets through again. */
    private readonly onLoss: (code: string) => void = () => {},
    private readonly write: Write = (fd, bytes) => writeSync(fd, bytes),
  ) {}

  /** `line` without its line feed. */
  writeLine(line: string): void {
    const notice = this.lost > 0 ? `(${this.lost} log lines lost)\n` : "";
    const bytes = Buffer.from(`${this.midLine ? "\n" : ""}${notice}${line}\n`);
    let taken = 0;
    try {
      while (taken < bytes.length) taken += this.write(this.fd, taken === 0 ? bytes : bytes.subarray(taken));
      this.lost = 0;
      this.midLine = false;
    } catch (e) {
      if (taken > 0) this.midLine = true;
      if (this.lost++ === 0) this.onLoss((e as NodeJS.ErrnoException).code ?? String(e));
    }
  }
}
