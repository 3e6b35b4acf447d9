/** Keys of a terminal as they are pressed, without echo; Ctrl-C is a key like the others. */

import { emitKeypressEvents, type Key } from "node:readline";
import type { TerminalInput } from "../output.js";

export class Keyboard {
  private isOpen = false;
  private readonly onKeypress = (text: string | undefined, key: Key) => this.onKey(key, text ?? "");

  constructor(
    private readonly input: TerminalInput,
    /** `text` is what the key writes, if anything. */
    private readonly onKey: (key: Key, text: string) => void,
    /** Nobody is at the keyboard any more. */
    private readonly onEnd: () => void,
  ) {}

  open(): void {
    this.isOpen = true;
    const { input } = this;
    emitKeypressEvents(input);
    input.on("keypress", this.onKeypress);
    input.on("end", this.onEnd);
    input.off("error", this.onEnd); // of the time before
    input.on("error", this.onEnd);
    input.setRawMode?.(true);
    input.resume();
  }

  /** The terminal reads lines again. Twice is harmless. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    const { input } = this;
    input.off("keypress", this.onKeypress);
    input.off("end", this.onEnd);
    input.setRawMode?.(false); // an error, if the terminal has gone, is an event: the handler for it stays
    input.pause();
  }
}
