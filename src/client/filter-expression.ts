/**
 * Filters built from parts instead of pasted from text: `and(equal("name", name), greater("load", 5), not(present("old")))`.
 * Whatever the keys and values contain stands for itself (pathfinder-protocol.md, 14).
 */

import { canonicalDecimal } from "../core/decimal.js";
import { type Filter, parseFilter, printFilter } from "../core/filter/syntax.js";

export type FilterInteger = number | bigint;

/** A valid filter. Immutable. A filter beyond the limits of core/filter/syntax.ts is refused with a `FilterSyntaxError`. */
export class FilterExpression {
  readonly #filter: Filter;
  readonly #text: string;

  private constructor(filter: Filter) {
    this.#text = printFilter(filter);
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

/** Throws a `RangeError` if there are fewer than two. */
function combine(kind: "and" | "or", operands: readonly FilterExpression[]): FilterExpression {
  if (operands.length < 2) {
    throw new RangeError(`${kind}() of ${operands.length} filters (two or more are accepted)`);
  }
  return FilterExpression.of({ kind, operands: operands.map(({ filter }) => filter) });
}

function checkedKey(key: string): string {
  if (key === "") throw new RangeError("a filter's key is empty (a property's name is needed)");
  return key;
}

function decimal(value: FilterInteger, what: string): string {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new RangeError(`${what} ${value} (a safe integer or a bigint is accepted)`);
  }
  return canonicalDecimal(String(value))!;
}

/** All of them match. */
export function and(...operands: readonly FilterExpression[]): FilterExpression {
  return combine("and", operands);
}

/** At least one of them matches. */
export function or(...operands: readonly FilterExpression[]): FilterExpression {
  return combine("or", operands);
}

/** It does not match: also where the property that it asks for is missing. */
export function not(operand: FilterExpression): FilterExpression {
  return FilterExpression.of({ kind: "not", operand: operand.filter });
}

/**
 * The property has this value. A filter does not tell the text `5` from the integer 5: it matches both. An empty text
 * cannot be compared with (the language has no way to say it): `RangeError`.
 */
export function equal(key: string, value: string | FilterInteger): FilterExpression {
  const text = typeof value === "string" ? value : decimal(value, `equal(): ${key} =`);
  if (text === "") throw new RangeError(`equal(): the value of ${key} is empty (filters cannot ask for an empty text)`);
  return FilterExpression.of({ kind: "equal", key: checkedKey(key), value: text });
}

/** The property has any value. */
export function present(key: string): FilterExpression {
  return FilterExpression.of({ kind: "present", key: checkedKey(key) });
}

/** The property has an integer above `value`. A number that is not a safe integer is refused with a `RangeError`. */
export function greater(key: string, value: FilterInteger): FilterExpression {
  return FilterExpression.of({ kind: "greater", key: checkedKey(key), value: decimal(value, `greater(): ${key} >`) });
}

/** The property has an integer below `value`. */
export function less(key: string, value: FilterInteger): FilterExpression {
  return FilterExpression.of({ kind: "less", key: checkedKey(key), value: decimal(value, `less(): ${key} <`) });
}

/**
 * The property has a text that consists of these parts, in this order, with anything between them: `substring("v", "a", "z")`
 * begins with `a` and ends with `z`. The first and the last part may be empty: `substring("v", "", "x", "")` contains `x`.
 * `RangeError` if there are fewer than two parts, one between is empty, or all are.
 */
export function substring(key: string, ...parts: readonly string[]): FilterExpression {
  if (parts.length < 2 || parts.slice(1, -1).includes("") || parts.every((part) => part === "")) {
    const accepted = "two or more, of which only the first and the last may be empty, but not all of them";
    throw new RangeError(`substring(): the parts of ${key} are ${JSON.stringify(parts)} (accepted are ${accepted})`);
  }
  return FilterExpression.of({ kind: "substring", key: checkedKey(key), parts: [...parts] });
}

/** A filter that was written as text. Throws a `FilterSyntaxError`. */
export function filter(text: string): FilterExpression {
  return FilterExpression.of(parseFilter(text));
}
