/**
 * A full-screen picture on a terminal: the alternate screen, without cursor; of each picture only the lines that differ
 * from the one before are written. Nothing but ECMA-48 and the two private modes that every terminal has had since xterm.
 */

import type { TerminalOutput } from "../output.js";

export type LineStyle = "plain" | "bold" | "reverse";

/** `text` is displayable and exactly as wide as the screen. */
export interface Line {
  readonly text: string;
  readonly style: LineStyle;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

const ESC = "\x1b[";
const ENTER = `${ESC}?1049h${ESC}?25l${ESC}?7l${ESC}2J`; // alternate screen, cursor off, no wrapping, clear
/** A terminal that has no alternate screen keeps the picture; the prompt then stands below it, in place of its last line. */
const LEAVE = `${ESC}0m${ESC}?7h${ESC}9999;1H${ESC}2K${ESC}?25h${ESC}?1049l`;
const SET: Readonly<Record<LineStyle, string>> = { plain: "", bold: `${ESC}1m`, reverse: `${ESC}7m` };
/** What a terminal without a size is taken for, as ever. */
const DEFAULT_SIZE: Size = { columns: 80, rows: 24 };
/** Beyond, a size is taken for nonsense: a picture of it would be megabytes. */
const MOST_COLUMNS = 1_000;
const MOST_ROWS = 1_000;

export class Screen {
  private shown: readonly Line[] = [];
  private isOpen = false;

  constructor(
    private readonly terminal: TerminalOutput,
    /** False: no line is bold or reversed (NO_COLOR). */
    private readonly styled: boolean,
  ) {}

  get size(): Size {
    const { columns, rows } = this.terminal;
    if (!columns || !rows) return DEFAULT_SIZE;
    return { columns: Math.min(columns, MOST_COLUMNS), rows: Math.min(rows, MOST_ROWS) };
  }

  open(): void {
    if (this.isOpen) return;
    this.isOpen = true;
    this.terminal.write(ENTER);
  }

  /** Everything is written again by the next `show`: the terminal was resized, or somebody else wrote to it. */
  invalidate(): void {
    this.shown = [];
    if (this.isOpen) this.terminal.write(`${ESC}2J`);
  }

  show(picture: readonly Line[]): void {
    if (!this.isOpen) return;
    const lines = this.styled ? picture : picture.map(({ text }) => ({ text, style: "plain" as const }));
    const changes = difference(this.shown, lines);
    this.shown = lines;
    if (changes !== "") this.terminal.write(changes);
  }

  /** Gives the terminal back as it was. Twice is harmless; so is calling it when the process exits. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.terminal.write(LEAVE);
  }
}

/** What has to be written so that a terminal that shows `before` shows `after`. Blanks at the end are not sent. */
export function difference(before: readonly Line[], after: readonly Line[]): string {
  let out = "";
  after.forEach(({ text, style }, row) => {
    if (before[row]?.text === text && before[row].style === style) return;
    const plain = style === "reverse" ? text : text.trimEnd();
    const set = SET[style];
    // Erased first: behind a full line the cursor stands on its last column, and erasing would take that.
    out += `${ESC}${row + 1};1H${ESC}2K${set}${plain}${set === "" ? "" : `${ESC}0m`}`;
  });
  return out;
}
