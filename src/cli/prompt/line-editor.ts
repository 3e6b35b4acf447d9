/** Lines typed at a terminal: editing, history and TAB completion by node:readline, and output that comes in between. */

import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from "node:readline";
import { PassThrough, type Writable } from "node:stream";
import { JobControl } from "../job-control.js";
import type { TerminalInput } from "../output.js";
import { HISTORY_LINES, type History } from "./history.js";
import { type LineSource, PROMPT } from "./line-source.js";
import { completions } from "./topics.js";

/** Most bytes that are read ahead of a running command; the terminal keeps the rest. */
const MAX_TYPED_AHEAD = 65_536;
const MAX_SINGLE_KEYS = 1024;
const INTERRUPT = 0x03;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SUSPEND = 0x1a;

export class LineEditor implements LineSource {
  /** What readline may see: one line at a time, so that what is typed or pasted ahead is echoed behind its own prompt. */
  private readonly keys = new PassThrough();
  private readonly readline: Interface;
  private typedAhead = Buffer.alloc(0);
  private waiting: ((line: string | undefined) => void) | undefined;
  /** The line that is waited for has been handed on to its end. */
  private entered = false;
  /** The last end of line was a return: a line feed behind it belongs to it. */
  private afterReturn = false;
  private atEnd = false;
  private readonly jobControl = new JobControl(
    () => this.giveBack(),
    () => this.takeAgain(),
  );

  /** `onInterrupt` is called for each Ctrl-C. */
  constructor(
    private readonly input: TerminalInput,
    private readonly output: Writable,
    private readonly history: History,
    private readonly onInterrupt: () => void,
  ) {
    const keys = Object.assign(this.keys, { isTTY: true, setRawMode: (on: boolean) => input.setRawMode?.(on) });
    this.readline = createInterface({
      input: keys,
      output,
      terminal: true,
      prompt: PROMPT,
      history: history.load(),
      historySize: HISTORY_LINES,
      completer: completions,
    });
    this.readline.on("line", (line) => {
      this.history.add(line);
      this.settle(line);
    });
    this.readline.on("close", () => this.end());
    input.on("data", this.onBytes);
    input.on("end", this.onEnd);
    input.on("error", this.onEnd);
    this.jobControl.open();
  }

  next(): Promise<string | undefined> {
    return new Promise((resolve) => {
      if (this.atEnd) return resolve(undefined);
      this.waiting = resolve;
      this.entered = false;
      this.readline.prompt();
      this.feed();
    });
  }

  around(print: () => void): void {
    const isTyping = this.waiting !== undefined;
    const rows = isTyping ? this.readline.getCursorPos().rows : 0;
    if (isTyping) this.erase(rows);
    print();
    if (isTyping) this.promptAgain();
  }

  close(): void {
    if (this.waiting) this.erase(this.readline.getCursorPos().rows);
    this.waiting = undefined;
    this.jobControl.close();
    this.readline.close();
    this.input.off("data", this.onBytes);
    this.input.off("end", this.onEnd);
    this.input.pause();
  }

  private erase(rows: number): void {
    moveCursor(this.output, 0, -rows);
    cursorTo(this.output, 0);
    clearScreenDown(this.output);
  }

  private readonly onEnd = () => this.readline.close();

  private readonly onBytes = (bytes: Buffer): void => {
    if (bytes.includes(INTERRUPT)) {
      this.interrupt();
    } else if (bytes.includes(SUSPEND)) {
      this.typedAhead = Buffer.concat([this.typedAhead, bytes.filter((byte) => byte !== SUSPEND)]);
      this.jobControl.stopAll();
    } else {
      this.typedAhead = Buffer.concat([this.typedAhead, bytes]);
      this.feed();
    }
  };

  private interrupt(): void {
    this.leaveLine("^C\n");
    this.waiting = undefined;
    this.onInterrupt();
  }

  /** What was typed stays in view, as in a shell, with `sign` behind it. */
  private leaveLine(sign: string): void {
    if (this.waiting) {
      this.erase(this.readline.getCursorPos().rows);
      this.output.write(PROMPT + this.readline.line);
    }
    this.output.write(sign);
  }

  private giveBack(): void {
    this.leaveLine("^Z");
    this.input.setRawMode?.(false);
  }

  private takeAgain(): void {
    this.input.setRawMode?.(false); // it counts as raw still if the process was stopped without being asked
    this.input.setRawMode?.(true);
    if (this.waiting) this.promptAgain();
    this.feed();
  }

  /** The prompt and what was typed so far, on a line of their own. */
  private promptAgain(): void {
    // What readline believes to stand above the cursor is gone; else it would draw the line anew over what was printed.
    Object.assign(this.readline, { prevRows: 0 });
    this.readline.prompt(true);
  }

  /** Hands on what is there up to the end of a line, if one is waited for. */
  private feed(): void {
    if (this.waiting && !this.entered && this.typedAhead.length > 0) {
      const start = this.afterReturn && this.typedAhead[0] === LINE_FEED ? 1 : 0;
      const length = this.typedAhead.subarray(start).findIndex((byte) => byte === RETURN || byte === LINE_FEED);
      this.entered = length >= 0;
      const end = this.entered ? start + length : this.typedAhead.length;
      this.afterReturn = this.typedAhead[end] === RETURN;
      this.press(this.typedAhead.subarray(start, end));
      if (this.entered) this.keys.write("\r");
      this.typedAhead = this.typedAhead.subarray(end + 1);
    }
    if (this.typedAhead.length > MAX_TYPED_AHEAD) this.input.pause();
    else this.input.resume();
  }

  /**
   * One by one: of several bytes at once, readline would take a TAB as text and lose count of the rows. That takes the
   * square of the time, so not of a long paste.
   */
  private press(bytes: Uint8Array): void {
    if (bytes.length > MAX_SINGLE_KEYS) this.keys.write(bytes);
    else for (let i = 0; i < bytes.length; i++) this.keys.write(bytes.subarray(i, i + 1));
  }

  private settle(line: string | undefined): void {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.(line);
  }

  private end(): void {
    this.atEnd = true;
    this.settle(undefined);
  }
}
