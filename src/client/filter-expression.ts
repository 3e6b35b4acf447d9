/**
 * Filters built from parts instead of pasted from text: `and(equal("name", name), greater("load", 5), not(present("old")))`.
 * Whatever the keys and values contain stands for itself (pathfinder-protocol.md, 14).
 */

import { canonicalDecimal } from "../core/decimal.js";
import { type Filter, parseFilter, printFilter } from "../core/filter/syntax.js";
import { byteLength } from "../core/text.js";
import { mistyped } from "./argument-checks.js";

/** An integer of any size; a `number` must be a safe integer. */
export type FilterInteger = number | bigint;

/** Longest filter in bytes, as it is given and as it is sent (libpaf-client.md, 2.2). */
const MAX_FILTER_BYTES = 8192;

/** A filter above 8192 bytes. */
export class FilterTooLargeError extends RangeError {
  override readonly name = "FilterTooLargeError";
  constructor(readonly bytes: number) {
    super(`filter of ${bytes} bytes (at most ${MAX_FILTER_BYTES} accepted)`);
  }
}

/**
 * A valid filter. Immutable. One that is nested deeper than 100 levels, or is dearer to evaluate than servers accept, is
 * refused with a `FilterSyntaxError`, one above 8192 bytes with a `FilterTooLargeError`.
 */
export class FilterExpression {
  readonly #filter: Filter;
  readonly #text: string;

  private constructor(filter: Filter) {
    this.#text = checkedLength(printFilter(filter));
    this.#filter = parseFilter(this.#text); // what was built is within the limits, and not anybody else's to change
  }

  /** @internal */
  static of(filter: Filter): FilterExpression {
    return new FilterExpression(filter);
  }

  /** The tree. */
  get filter(): Filter {
    return this.#filter;
  }

  /** The canonical text, as it is sent. */
  toString(): string {
    return this.#text;
  }
}

/** The filter as text, in the spelling that every server understands. Throws as `filter` does. */
export function canonicalFilter(given: string | FilterExpression): string {
  return String(given instanceof FilterExpression ? given : filter(given));
}

function checkedLength(text: string): string {
  const bytes = byteLength(text);
  if (bytes > MAX_FILTER_BYTES) throw new FilterTooLargeError(bytes);
  return text;
}

/** A filter that was built, or one that was written as text. */
function operandOf(what: string, operand: FilterOperand): Filter {
  if (operand instanceof FilterExpression) return operand.filter;
  if (typeof operand !== "string") mistyped(`${what}: an operand`, operand, "a filter, built or as text,");
  return filter(operand).filter;
}

/** Throws a `RangeError` if there are fewer than two. */
function combine(kind: "and" | "or", operands: readonly FilterOperand[]): FilterExpression {
  if (operands.length < 2) {
    throw new RangeError(`${kind}() of ${operands.length} filters (two or more are accepted)`);
  }
  return FilterExpression.of({ kind, operands: operands.map((operand) => operandOf(`${kind}()`, operand)) });
}

function checkedKey(what: string, key: string): string {
  if (typeof key !== "string") mistyped(`${what}: the key`, key, "a property's name");
  if (key === "") throw new RangeError("a filter's key is empty (a property's name is needed)");
  return key;
}

function decimal(value: FilterInteger, what: string): string {
  if (typeof value !== "number" && typeof value !== "bigint") mistyped(what, value, "an integer");
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new RangeError(`${what} is ${value} (a safe integer or a bigint is accepted)`);
  }
  return canonicalDecimal(String(value))!;
}

/** A filter that was built, or its text. */
export type FilterOperand = string | FilterExpression;

/** All of them match; two or more. Like `or` and `not` it takes filters that were built, and filters as text. */
export function and(...operands: readonly FilterOperand[]): FilterExpression {
  return combine("and", operands);
}

/** At least one of them matches. */
export function or(...operands: readonly FilterOperand[]): FilterExpression {
  return combine("or", operands);
}

/** It does not match: also where the property that it asks for is missing. */
export function not(operand: FilterOperand): FilterExpression {
  return FilterExpression.of({ kind: "not", operand: operandOf("not()", operand) });
}

/**
 * The property has this value. A filter does not tell the text `5` from the integer 5: it matches both. An empty text
 * cannot be compared with (the language has no way to say it): `RangeError`.
 */
export function equal(key: string, value: string | FilterInteger): FilterExpression {
  const name = checkedKey("equal()", key);
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint") {
    mistyped(`equal(): the value of ${name}`, value, "a text or an integer");
  }
  const text = typeof value === "string" ? value : decimal(value, `equal(): the value of ${name}`);
  if (text === "") throw new RangeError(`equal(): the value of ${key} is empty (filters cannot ask for an empty text)`);
  return FilterExpression.of({ kind: "equal", key: name, value: text });
}

/** The property has any value. */
export function present(key: string): FilterExpression {
  return FilterExpression.of({ kind: "present", key: checkedKey("present()", key) });
}

/** The property has an integer above `value`. A number that is not a safe integer is refused with a `RangeError`. */
export function greater(key: string, value: FilterInteger): FilterExpression {
  const name = checkedKey("greater()", key);
  return FilterExpression.of({ kind: "greater", key: name, value: decimal(value, `greater(): the value of ${name}`) });
}

/** The property has an integer below `value`. */
export function less(key: string, value: FilterInteger): FilterExpression {
  const name = checkedKey("less()", key);
  return FilterExpression.of({ kind: "less", key: name, value: decimal(value, `less(): the value of ${name}`) });
}

/**
 * The property has a text that consists of these parts, in this order, with anything between them: `substring("v", "a", "z")`
 * begins with `a` and ends with `z`. The first and the last part may be empty: `substring("v", "", "x", "")` contains `x`.
 * `RangeError` if there are fewer than two parts, one between is empty, or all are.
 */
export function substring(key: string, ...parts: readonly string[]): FilterExpression {
  const name = checkedKey("substring()", key);
  for (const part of parts) if (typeof part !== "string") mistyped(`substring(): a part of ${name}`, part, "a text");
  if (parts.length < 2 || parts.slice(1, -1).includes("") || parts.every((part) => part === "")) {
    const accepted = "two or more, of which only the first and the last may be empty, but not all of them";
    throw new RangeError(`substring(): the parts of ${name} are ${JSON.stringify(parts)} (accepted are ${accepted})`);
  }
  return FilterExpression.of({ kind: "substring", key: name, parts: [...parts] });
}

/** A filter that was written as text. Throws a `FilterSyntaxError` or a `FilterTooLargeError`. */
export function filter(text: string): FilterExpression {
  if (typeof text !== "string") mistyped("the filter", text, "a text or a filter that was built");
  checkedLength(text);
  return FilterExpression.of(parseFilter(text));
}
