/**
 * The filter language (pathfinder-protocol.md, 14): the tree of a filter, parsing with error positions, and the
 * canonical text. Both spellings of `!` inside keys and values are accepted; it is written without a backslash (14.3).
 */

import { canonicalDecimal } from "../decimal.js";

/** A filter as a tree. */
export type Filter =
  | { readonly kind: "and" | "or"; readonly operands: readonly Filter[] }
  | { readonly kind: "not"; readonly operand: Filter }
  | Comparison;

/** What a filter asks of one property. */
export type Comparison =
  | { readonly kind: "equal"; readonly key: string; readonly value: string }
  | { readonly kind: "present"; readonly key: string }
  /** `parts` are the texts between the asterisks; only the first and the last may be empty. At least two. */
  | { readonly kind: "substring"; readonly key: string; readonly parts: readonly string[] }
  /** `value` is a canonical decimal integer of any size. */
  | { readonly kind: "greater" | "less"; readonly key: string; readonly value: string };

/** Deepest nesting of a filter; deeper ones are refused as invalid (pathfinder-protocol.md, 14.1). */
export const MAX_FILTER_DEPTH = 100;
/** Longest filter, in UTF-16 units; the client library's own limit is 8192 bytes. Longer ones are refused as invalid. */
export const MAX_FILTER_LENGTH = 8192;
/**
 * Most that the comparisons of one filter may cost, so that no evaluation holds up everybody else: an equality or a
 * presence test costs 1, `<`, `>` and `a*b` cost 8, and a search for an inner part (`*a*`), which reads the whole value,
 * 32. More is refused as invalid. `npm run bench -- hostile` shows what the dearest filters take.
 */
export const MAX_FILTER_COST = 1024;

const COST = { equal: 1, present: 1, greater: 8, less: 8, substring: 8, search: 32 } as const;

/** A text that is no filter. */
export class FilterSyntaxError extends Error {
  override readonly name = "FilterSyntaxError";
  constructor(
    /** What is wrong, e.g. `empty key`. */
    readonly problem: string,
    /** Where, in characters from 0. */
    readonly position: number,
    filter: string,
  ) {
    super(`filter "${filter.length > 80 ? `${filter.slice(0, 80)}…` : filter}": ${problem} at character ${position}`);
  }
}

/** Characters that end a key or value unless escaped. `!` may be escaped but needs not be. */
const SPECIAL = new Set("()*\\&|=><");

/** Parses `text`; throws a `FilterSyntaxError`. */
export function parseFilter(text: string): Filter {
  return new Parser(text).parse();
}

class Parser {
  private at = 0;
  private depth = 0;
  private cost = 0;

  constructor(private readonly text: string) {}

  parse(): Filter {
    if (this.text.length > MAX_FILTER_LENGTH) {
      throw this.error(`longer than ${MAX_FILTER_LENGTH} characters`, MAX_FILTER_LENGTH);
    }
    const filter = this.filter();
    if (this.at < this.text.length) throw this.error("text after the closing parenthesis");
    return filter;
  }

  private error(problem: string, at = this.at): FilterSyntaxError {
    return new FilterSyntaxError(problem, at, this.text);
  }

  private expect(character: string): void {
    if (this.at >= this.text.length) throw this.error("ends too early");
    if (this.text[this.at] !== character) throw this.error(`unexpected character (expected "${character}")`);
    this.at++;
  }

  private filter(): Filter {
    if (++this.depth > MAX_FILTER_DEPTH) throw this.error(`nested deeper than ${MAX_FILTER_DEPTH} levels`);
    this.expect("(");
    const filter = this.component();
    this.expect(")");
    this.depth--;
    return filter;
  }

  private component(): Filter {
    const operator = this.text[this.at];
    if (operator === "!") {
      this.at++;
      return { kind: "not", operand: this.filter() };
    }
    if (operator !== "&" && operator !== "|") return this.affordable(this.at, this.comparison());
    const start = this.at++;
    const operands: Filter[] = [];
    while (this.text[this.at] === "(") operands.push(this.filter());
    if (operands.length < 2 && (this.at >= this.text.length || this.text[this.at] === ")")) {
      throw this.error(`"${operator}" with fewer than two operands`, start);
    }
    return { kind: operator === "&" ? "and" : "or", operands };
  }

  private affordable(start: number, filter: Comparison): Filter {
    const search = filter.kind === "substring" && filter.parts.length > 2;
    this.cost += COST[search ? "search" : filter.kind];
    if (this.cost <= MAX_FILTER_COST) return filter;
    throw this.error("too many comparisons (at most 128 with < or >, or 32 with *text*)", start);
  }

  private comparison(): Comparison {
    const start = this.at;
    const key = this.literal();
    if (key === "") throw this.error(this.at < this.text.length ? "empty key" : "ends too early", start);
    const operator = this.text[this.at++];
    switch (operator) {
      case "=":
        return this.equality(key);
      case ">":
        return { kind: "greater", key, value: this.integer() };
      case "<":
        return { kind: "less", key, value: this.integer() };
      default:
        this.at--;
        throw this.error(operator === undefined ? "ends too early" : 'unexpected character (expected "=", ">" or "<")');
    }
  }

  /** What follows `key=`: a value, `*`, or texts with asterisks between them. */
  private equality(key: string): Comparison {
    const start = this.at;
    const parts = [this.literal()];
    while (this.text[this.at] === "*") {
      // Only the first and the last part may be empty: an empty part that another asterisk follows is neither.
      if (parts.length > 1 && parts[parts.length - 1] === "") throw this.error("empty middle part");
      this.at++;
      parts.push(this.literal());
    }
    if (parts.length === 1) {
      if (parts[0] === "") throw this.error(this.at < this.text.length ? "empty value" : "ends too early", start);
      return { kind: "equal", key, value: parts[0] };
    }
    if (parts.length === 2 && parts[0] === "" && parts[1] === "") return { kind: "present", key };
    return { kind: "substring", key, parts };
  }

  private integer(): string {
    const start = this.at;
    const text = this.literal();
    const value = canonicalDecimal(text);
    if (value === undefined) {
      throw this.error(
        this.at >= this.text.length && text === ""
          ? "ends too early"
          : 'the operand of ">" or "<" is not a decimal integer',
        start,
      );
    }
    return value;
  }

  /** A key, value or part of one, unescaped; empty if a special character stands here. */
  private literal(): string {
    let literal = "";
    for (; this.at < this.text.length; this.at++) {
      const character = this.text[this.at];
      if (character !== "\\") {
        if (SPECIAL.has(character)) break;
        literal += character;
        continue;
      }
      const escaped = this.text[this.at + 1];
      if (escaped === undefined) throw this.error("ends too early", this.at + 1);
      if (!SPECIAL.has(escaped) && escaped !== "!") throw this.error("escape before a non-special character");
      literal += escaped;
      this.at++;
    }
    return literal;
  }
}

/** `text` with every special character escaped, so that it stands for itself in a filter. */
export function escapeFilterText(text: string): string {
  return text.replace(/[()*\\&|=><]/g, "\\$&");
}

/** A key that begins with `!` would read as a negation, so there the escape is needed. */
function printKey(key: string): string {
  return key.startsWith("!") ? `\\${escapeFilterText(key)}` : escapeFilterText(key);
}

/** The canonical text of a filter (pathfinder-protocol.md, 14.5): a valid filter of the same structure. */
export function printFilter(filter: Filter): string {
  switch (filter.kind) {
    case "and":
    case "or":
      return `(${filter.kind === "and" ? "&" : "|"}${filter.operands.map(printFilter).join("")})`;
    case "not":
      return `(!${printFilter(filter.operand)})`;
    case "equal":
      return `(${printKey(filter.key)}=${escapeFilterText(filter.value)})`;
    case "present":
      return `(${printKey(filter.key)}=*)`;
    case "substring":
      return `(${printKey(filter.key)}=${filter.parts.map(escapeFilterText).join("*")})`;
    case "greater":
    case "less":
      return `(${printKey(filter.key)}${filter.kind === "greater" ? ">" : "<"}${filter.value})`;
  }
}
