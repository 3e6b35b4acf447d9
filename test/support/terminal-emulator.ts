/**
 * A terminal as far as our programs use one, written from ECMA-48 and xterm's list, not from our code: characters of one
 * and two columns, cursor movement, erasing, attributes, the alternate screen. Anything else is an error.
 */

interface Cell {
  text: string; // "" is the right half of a wide character
  style: string;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1f64f}\u{20000}-\u{3fffd}]/u;
const MARK = /\p{M}/u;

export class TerminalEmulator {
  private main: Cell[][];
  private alternate: Cell[][];
  isAlternate = false;
  isCursorVisible = true;
  wraps = true;
  style = "";
  private x = 0;
  private y = 0;
  private saved = { x: 0, y: 0 };
  private rest = "";

  constructor(
    public columns: number,
    public rows: number,
  ) {
    this.main = this.blank();
    this.alternate = this.blank();
  }

  /** What is seen: one text per row, without blanks at the end. */
  get lines(): string[] {
    return this.screen.map((row) =>
      row
        .map(({ text }) => text)
        .join("")
        .trimEnd(),
    );
  }

  /** The style of each row's first cell. */
  get styles(): string[] {
    return this.screen.map((row) => row[0].style);
  }

  /** As xterm: what is outside is lost, what is new is blank. */
  resize(columns: number, rows: number): void {
    const fit = (screen: Cell[][]) =>
      Array.from({ length: rows }, (_, y) =>
        Array.from({ length: columns }, (_, x) => screen[y]?.[x] ?? { text: " ", style: "" }),
      );
    this.main = fit(this.main);
    this.alternate = fit(this.alternate);
    this.columns = columns;
    this.rows = rows;
    this.x = Math.min(this.x, columns - 1);
    this.y = Math.min(this.y, rows - 1);
  }

  write(text: string): void {
    let input = this.rest + text;
    this.rest = "";
    while (input !== "") {
      const control = /^\x1b\[([?]?)([\d;]*)([A-Za-z])/.exec(input);
      if (control) {
        this.control(control[1] + control[3], control[2]);
        input = input.slice(control[0].length);
      } else if (/^\x1b(\[[?\d;]*)?$/.test(input)) {
        this.rest = input;
        return;
      } else {
        const [character] = input;
        this.put(character);
        input = input.slice(character.length);
      }
    }
  }

  private get screen(): Cell[][] {
    return this.isAlternate ? this.alternate : this.main;
  }

  private blank(): Cell[][] {
    return Array.from({ length: this.rows }, () =>
      Array.from({ length: this.columns }, () => ({ text: " ", style: "" })),
    );
  }

  private put(character: string): void {
    if (character === "\r") this.x = 0;
    else if (character === "\n") this.down();
    else if (character === "\b") this.x = Math.max(0, this.x - 1);
    else if (character < " " || character === "\x7f") throw new Error(`control character ${JSON.stringify(character)}`);
    else if (MARK.test(character)) this.screen[this.y][Math.max(0, this.x - 1)].text += character;
    else this.print(character, WIDE.test(character) ? 2 : 1);
  }

  private print(text: string, width: number): void {
    if (this.x + width > this.columns) {
      if (!this.wraps) throw new Error(`"${text}" beyond the right edge of row ${this.y + 1}`);
      this.x = 0;
      this.down();
    }
    this.screen[this.y][this.x++] = { text, style: this.style };
    if (width === 2) this.screen[this.y][this.x++] = { text: "", style: this.style };
  }

  private down(): void {
    if (++this.y < this.rows) return;
    this.y = this.rows - 1;
    this.screen.shift();
    this.screen.push(Array.from({ length: this.columns }, () => ({ text: " ", style: "" })));
  }

  private move(columns: number, rows: number): void {
    this.x = Math.min(this.columns - 1, Math.max(0, this.x + columns));
    this.y = Math.min(this.rows - 1, Math.max(0, this.y + rows));
  }

  private control(name: string, parameters: string): void {
    const [first = 0, second = 0] = parameters.split(";").map(Number);
    const row = this.screen[this.y];
    const count = Math.max(1, first);
    switch (`${name}${name.startsWith("?") || name === "J" || name === "K" ? first : ""}`) {
      case "?h1049":
        this.saved = { x: this.x, y: this.y };
        this.isAlternate = true;
        this.alternate = this.blank();
        break;
      case "?l1049":
        this.isAlternate = false;
        this.x = this.saved.x;
        this.y = this.saved.y;
        break;
      case "?h25":
      case "?l25":
        this.isCursorVisible = name === "?h";
        break;
      case "?h7":
      case "?l7":
        this.wraps = name === "?h";
        break;
      case "A":
        this.move(0, -count);
        break;
      case "B":
        this.move(0, count);
        break;
      case "C":
        this.move(count, 0);
        break;
      case "D":
        this.move(-count, 0);
        break;
      case "G":
        this.x = Math.min(this.columns, count) - 1;
        break;
      case "J0":
        row.fill({ text: " ", style: "" }, this.x);
        for (const each of this.screen.slice(this.y + 1)) each.fill({ text: " ", style: "" });
        break;
      case "J2":
        for (const each of this.screen) each.fill({ text: " ", style: "" });
        break;
      case "K0":
        row.fill({ text: " ", style: "" }, this.x);
        break;
      case "K2":
        row.fill({ text: " ", style: "" });
        break;
      case "H":
        this.y = Math.min(this.rows, Math.max(1, first)) - 1;
        this.x = Math.min(this.columns, Math.max(1, second)) - 1;
        break;
      case "m":
        this.style = first === 0 ? "" : String(first);
        break;
      default:
        throw new Error(`control sequence ${name} with ${parameters} is none that this terminal knows`);
    }
  }
}
