/**
 * Reading JSON step by step, for messages whose integers may have 64 bits: `JSON.parse` rounds those beyond 53. Throws
 * an `AnnouncementError` that names the position.
 */

import { AnnouncementError } from "./announced.js";

/** How deep values may be nested, skipped ones included. */
const MAX_DEPTH = 8;

/** A place in a JSON text, and the steps from there. Each step skips the white space before it. */
export class JsonCursor {
  private at = 0;

  constructor(private readonly text: string) {}

  peek(): string | undefined {
    while (this.at < this.text.length && " \t\r\n".includes(this.text[this.at])) this.at++;
    return this.text[this.at];
  }

  error(what: string): AnnouncementError {
    return new AnnouncementError(`JSON, position ${this.at}: ${what}`);
  }

  end(): void {
    if (this.peek() !== undefined) throw this.error("nothing may follow the closing brace");
  }

  /** Calls `member` with each name, standing before the value, which `member` must consume. */
  members(member: (name: string) => void): void {
    this.separated("{", "}", () => {
      const name = this.string();
      this.expect(":");
      member(name);
    });
  }

  elements(element: () => void): void {
    this.separated("[", "]", element);
  }

  string(): string {
    if (this.peek() !== '"') throw this.error("expected a string");
    const start = this.at++;
    while (this.text[this.at] !== '"') {
      if (this.at >= this.text.length) throw this.error("the text ends inside a string");
      this.at += this.text[this.at] === "\\" ? 2 : 1;
    }
    this.at++;
    let value: string;
    try {
      value = JSON.parse(this.text.slice(start, this.at));
    } catch {
      throw this.error("not a valid JSON string");
    }
    if (/\p{Surrogate}/u.test(value)) throw this.error("half of a surrogate pair in a string");
    return value;
  }

  /** An integer, as written. */
  number(): string {
    this.peek();
    const digits = this.take(/-?(?:0|[1-9][0-9]*)(?![0-9.eE])/y);
    if (digits === undefined) throw this.error("expected an integer");
    return digits;
  }

  /** Passes over any value. */
  skip(depth: number): void {
    if (depth > MAX_DEPTH) throw this.error(`nested more than ${MAX_DEPTH} deep`);
    const first = this.peek();
    if (first === "{") this.members(() => this.skip(depth + 1));
    else if (first === "[") this.elements(() => this.skip(depth + 1));
    else if (first === '"') this.string();
    else if (this.take(/true|false|null|-?[0-9][0-9.eE+-]*/y) === undefined) throw this.error("expected a value");
  }

  /** What `sticky` matches here, if it does, and steps behind it. */
  private take(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.at;
    const [word] = sticky.exec(this.text) ?? [];
    if (word !== undefined) this.at += word.length;
    return word;
  }

  private separated(open: string, close: string, part: () => void): void {
    this.expect(open);
    if (this.peek() === close) {
      this.at++;
      return;
    }
    for (;;) {
      part();
      if (this.peek() === close) break;
      this.expect(",");
    }
    this.at++;
  }

  private expect(character: string): void {
    if (this.peek() !== character) throw this.error(`expected ${character}`);
    this.at++;
  }
}
