/** Where pafc writes: lines or JSON to standard output, in colour only on a terminal, and quiet once nobody reads. */

import type { Readable, Writable } from "node:stream";

/** Standard input; a terminal has the method. */
export type TerminalInput = Readable & { readonly isTTY?: boolean; setRawMode?(on: boolean): unknown };

/** `columns` and `rows` only of a terminal. */
export type TerminalOutput = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** The world of one run. */
export interface PafcIo {
  /** Looked at only when something is to be typed: that alone would open standard input. */
  readonly stdin: TerminalInput;
  readonly stdout: TerminalOutput;
  readonly stderr: TerminalOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends commands that run until interrupted. Default: SIGINT, SIGTERM and SIGHUP. */
  readonly interrupt?: AbortSignal;
}

/** What has more to write than standard output takes. */
export interface Source {
  pauseReading(): void;
  resumeReading(): void;
}

/** Bytes that wait for the reader of standard output; above, nothing more is read from the server until all are gone. */
export const MOST_WAITING = 8 * 1024 * 1024;

const STYLES = { bold: "1", green: "32", yellow: "33", red: "31" } as const;

export class Output {
  /** Settles when standard output takes nothing more: its reader has left (`| head`), or there is a `failure`. */
  readonly ended: Promise<void>;
  /** Standard output is a terminal whose user has not asked for plain text. */
  readonly coloured: boolean;
  /** Why standard output failed; absent if it did not, or its reader left. */
  failure: Error | undefined;
  private settleEnded!: () => void;
  private isEnded = false;
  private lastWrite: Promise<void> = Promise.resolve();
  private source: Source | undefined;

  constructor(
    private readonly io: PafcIo,
    /** Errors go to standard error then, so that standard output holds nothing but JSON. */
    readonly json: boolean,
  ) {
    const { stdout, stderr, env } = io;
    this.coloured = stdout.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
    this.ended = new Promise((resolve) => {
      this.settleEnded = resolve;
    });
    // Left in place after the run: a pipe may report its end late.
    stdout.on("error", (error: NodeJS.ErrnoException) => this.end(error));
    stderr.on("error", () => {});
  }

  /** From now on `source` waits while the reader of standard output is too slow for it. */
  regulate(source: Source): void {
    this.source = source;
  }

  /** One or more whole lines. Lost once `ended` has settled. */
  line(...lines: readonly string[]): void {
    if (lines.length > 0) this.write(`${lines.join("\n")}\n`);
  }

  /** The same of any text. */
  write(text: string): void {
    if (this.isEnded) return;
    const { stdout } = this.io;
    this.lastWrite = new Promise((resolve) => {
      try {
        stdout.write(text, (error) => {
          if (error) this.end(error);
          resolve();
        });
      } catch (error) {
        this.end(error as NodeJS.ErrnoException);
        resolve();
      }
    });
    if (stdout.writableLength > MOST_WAITING) this.hold();
  }

  private hold(): void {
    const { source } = this;
    if (source === undefined) return;
    source.pauseReading();
    void this.flushed().then(() => source.resumeReading());
  }

  /** For a person at a terminal only. */
  hint(text: string): void {
    if (this.io.stdout.isTTY && !this.json) this.io.stderr.write(`${text}\n`);
  }

  /** On standard output, where the scripts of the reference look (pafd-and-pafc.md, 5), unless that holds JSON. */
  error(lines: readonly string[]): void {
    if (this.json) this.internalError(lines.join("\n"));
    else this.line(...lines);
  }

  internalError(text: string): void {
    this.io.stderr.write(`${text}\n`);
  }

  paint(style: keyof typeof STYLES, text: string): string {
    return this.coloured ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
  }

  /** Resolves when everything is written, or never will be. */
  flushed(): Promise<void> {
    return Promise.race([this.lastWrite, this.ended]);
  }

  private end(error: NodeJS.ErrnoException): void {
    if (this.isEnded) return;
    this.isEnded = true;
    if (error.code !== "EPIPE") this.failure = error;
    this.settleEnded();
  }
}
