/**
 * JSON as a tree that keeps what JSON.parse loses: the line of each value, and whether a number was written as an integer.
 * For files of some thousand bytes that people write; as in the reference (Jansson), the last of two equal keys counts,
 * U+0000 is refused, and so is a number that does not fit 64 bits or a double.
 */

export type JsonNode = { readonly line: number } & (
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "number"; readonly text: string; readonly value: number; readonly isInteger: boolean }
  | { readonly kind: "word"; readonly text: "true" | "false" | "null" }
  | { readonly kind: "array"; readonly elements: readonly JsonNode[] }
  | { readonly kind: "object"; readonly members: ReadonlyMap<string, JsonNode> }
);

/** Deepest nesting; what is deeper is refused. */
const MAX_JSON_DEPTH = 32;
const MAX_SHOWN_LENGTH = 20;

export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";
  constructor(
    /** What is wrong. */
    readonly problem: string,
    /** Where, from 1. */
    readonly line: number,
  ) {
    super(`line ${line}: ${problem}`);
  }
}

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const WORD = /(?:true|false|null)(?![A-Za-z0-9_])/y;

/** Throws a `JsonSyntaxError`. */
export function parseJsonTree(text: string): JsonNode {
  const reader = new Reader(text);
  const root = reader.value(0);
  reader.expectEnd();
  return root;
}

class Reader {
  private at = 0;
  private line = 1;
  private lineCountedTo = 0;

  constructor(private readonly text: string) {}

  /** What `pattern` (sticky) matches here; undefined if nothing. */
  private take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text) ?? undefined;
    if (match !== undefined) this.at = pattern.lastIndex;
    return match;
  }

  /** The character that follows white space, "" at the end. */
  private peek(): string {
    this.take(SPACE);
    return this.text[this.at] ?? "";
  }

  private lineHere(): number {
    for (; this.lineCountedTo < this.at; this.lineCountedTo++) if (this.text[this.lineCountedTo] === "\n") this.line++;
    return this.line;
  }

  private error(problem: string): JsonSyntaxError {
    return new JsonSyntaxError(problem, this.lineHere());
  }

  private expected(what: string): JsonSyntaxError {
    const rest = this.text.slice(this.at, this.at + MAX_SHOWN_LENGTH).split("\n", 1)[0]!;
    const found = this.at >= this.text.length ? "the file ends" : `there is ${JSON.stringify(rest)}`;
    return this.error(`expected ${what}, but ${found}`);
  }

  expectEnd(): void {
    if (this.peek() !== "") throw this.expected("nothing more");
  }

  value(depth: number): JsonNode {
    const first = this.peek();
    const line = this.lineHere();
    if (depth > MAX_JSON_DEPTH) throw this.error(`nested deeper than ${MAX_JSON_DEPTH} levels`);
    if (first === '"') return { line, kind: "string", text: this.string() };
    if (first === "[") return { line, kind: "array", elements: this.elements(depth + 1) };
    if (first === "{") return { line, kind: "object", members: this.members(depth + 1) };
    const word = this.take(WORD)?.[0];
    if (word !== undefined) return { line, kind: "word", text: word as "true" | "false" | "null" };
    return { line, kind: "number", ...this.number() };
  }

  private string(): string {
    const match = this.take(STRING);
    if (match === undefined)
      throw this.expected("a string in double quotes on one line, with escapes as JSON has them");
    const text: string = JSON.parse(match[0]);
    if (text.includes("\0")) throw this.error("the character U+0000 is not accepted");
    return text;
  }

  private number(): { text: string; value: number; isInteger: boolean } {
    const match = this.take(NUMBER);
    if (match === undefined) throw this.expected("a value");
    const [text, fraction, exponent] = match;
    const value = Number(text);
    const isInteger = fraction === undefined && exponent === undefined;
    // Longer than any 64-bit integer: not even looked at, because BigInt() of long texts is slow.
    const fits = isInteger
      ? text.length <= 20 && BigInt.asIntN(64, BigInt(text)) === BigInt(text)
      : Number.isFinite(value);
    if (fits) return { text, value, isInteger };
    throw this.error(`the number ${text.slice(0, MAX_SHOWN_LENGTH)} is too large`);
  }

  private elements(depth: number): JsonNode[] {
    const elements: JsonNode[] = [];
    this.sequence("]", () => elements.push(this.value(depth)));
    return elements;
  }

  private members(depth: number): Map<string, JsonNode> {
    const members = new Map<string, JsonNode>();
    this.sequence("}", () => {
      if (this.peek() !== '"') throw this.expected("a key in double quotes");
      const key = this.string();
      if (this.peek() !== ":") throw this.expected('":"');
      this.at++;
      members.set(key, this.value(depth));
    });
    return members;
  }

  /** What stands between the bracket here and `close`. */
  private sequence(close: string, element: () => void): void {
    this.at++;
    if (this.peek() === close) {
      this.at++;
      return;
    }
    for (;;) {
      element();
      const next = this.peek();
      if (next !== "," && next !== close) throw this.expected(`"," or "${close}"`);
      this.at++;
      if (next === close) return;
    }
  }
}
