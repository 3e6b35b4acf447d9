/** Writes log lines to a file descriptor, and never fails because of it. */

import { writeSync } from "node:fs";
import { codeOf, Losses } from "./losses.js";

/** As `fs.writeSync`: the number of bytes taken, or an error with a `code`. */
export type Write = (fd: number, bytes: Uint8Array) => number;

export const writeNow: Write = (fd, bytes) => writeSync(fd, bytes);

/**
 * Lines go out at once and in order, so that the last words of a dying process are not lost. There is no queue: a line
 * that the descriptor does not take (EAGAIN, EPIPE, ENOSPC …) is dropped and counted, and the next one that is taken is
 * preceded by a line that tells how many were. A pipe or terminal in blocking mode whose reader has stopped holds the
 * process up, as it does the reference.
 */
export class DescriptorWriter {
  /** The last write was cut short, so that the next line must begin on a new one. */
  private midLine = false;

  constructor(
    private readonly fd: number,
    private readonly losses = new Losses(),
    private readonly write: Write = writeNow,
  ) {}

  /** `line` without its line feed. */
  writeLine(line: string): void {
    this.writeBytes(this.bytesFor(line));
  }

  /** What `line` comes to now, with all that has to precede it. */
  bytesFor(line: string): Uint8Array {
    const { notice } = this.losses;
    return Buffer.from(`${this.midLine ? "\n" : ""}${notice && `${notice}\n`}${line}\n`);
  }

  /** Writes what `bytesFor` gave; returns how many bytes were taken. */
  writeBytes(bytes: Uint8Array): number {
    let taken = 0;
    try {
      while (taken < bytes.length) taken += this.write(this.fd, taken === 0 ? bytes : bytes.subarray(taken));
      this.losses.over();
      this.midLine = false;
    } catch (e) {
      if (taken > 0) this.midLine = true;
      this.losses.add(codeOf(e));
    }
    return taken;
  }
}
