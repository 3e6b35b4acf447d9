/** The values that a person types: numbers, filters and properties. Each throws a `UsageError` that names the value. */

import { canonicalDecimal } from "../core/decimal.js";
import { FilterSyntaxError, parseFilter } from "../core/filter/syntax.js";
import { printable } from "../core/printable.js";
import type { Properties, PropertyValue } from "../core/properties.js";
import { UINT63_MAX } from "../core/uint63.js";
import { UsageError } from "./usage-error.js";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
/** Most characters of a filter that are shown on each side of an error. */
const SHOWN_AROUND_ERROR = 60;

export function parseInteger(option: string, text: string, min = 0n, max = UINT63_MAX): bigint {
  const value = /^[0-9]+$/.test(text) ? BigInt(text) : -1n;
  if (value >= min && value <= max) return value;
  throw new UsageError([`${option} must be an integer from ${min} to ${max}, not '${text}'.`]);
}

export function parseSeconds(option: string, text: string, max: number): number {
  const value = /^[0-9]*\.?[0-9]+$/.test(text) ? Number(text) : 0;
  if (value > 0 && value <= max) return value;
  throw new UsageError([`${option} must be a number of seconds above 0, at most ${max}, not '${text}'.`]);
}

/** Checks a filter before anything is sent; the error points to the place. */
export function parseFilterArgument(text: string): string {
  try {
    parseFilter(text);
    return text;
  } catch (error) {
    if (!(error instanceof FilterSyntaxError)) throw error;
    throw new UsageError(pointAt(text, error));
  }
}

function pointAt(text: string, { problem, position }: FilterSyntaxError): string[] {
  const from = Math.max(0, position - SHOWN_AROUND_ERROR);
  const to = position + SHOWN_AROUND_ERROR;
  const left = (from > 0 ? "…" : "") + printable(text.slice(from, position));
  const right = printable(text.slice(position, to)) + (to < text.length ? "…" : "");
  return [
    `Invalid filter: ${problem} at character ${position}.`,
    `  ${left}${right}`,
    `  ${" ".repeat([...left].length)}^`,
  ];
}

/** `NAME=VALUE …`; a name that is repeated has several values. */
export function parseProperties(words: readonly string[]): Properties {
  return collectProperties(
    words.map((word) => {
      const equals = word.indexOf("=");
      if (equals < 0) throw new UsageError([`'${word}' is not a property; NAME=VALUE is accepted.`]);
      return [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
}

/** Names with the texts of their values. */
export function collectProperties(pairs: readonly (readonly [name: string, text: string])[]): Properties {
  const properties = new Map<string, PropertyValue[]>();
  for (const [name, text] of pairs) {
    const value = parseValue(name, text);
    const values = properties.get(name);
    if (values) values.push(value);
    else properties.set(name, [value]);
  }
  return properties;
}

/** `|text|` is a string; what reads as a decimal integer is one; everything else is a string (pafd-and-pafc.md, 3.1). */
function parseValue(name: string, text: string): PropertyValue {
  if (text.length >= 2 && text.startsWith("|") && text.endsWith("|")) return text.slice(1, -1);
  const decimal = canonicalDecimal(text);
  if (decimal === undefined) return text;
  // Before BigInt, whose time grows with the square of the length.
  const value = decimal.length <= 20 ? BigInt(decimal) : undefined;
  if (value !== undefined && value >= INT64_MIN && value <= INT64_MAX) return value;
  throw new UsageError([
    `Property '${name}': ${text} is not a 64-bit integer (${INT64_MIN} to ${INT64_MAX}); |${text}| is a string.`,
  ]);
}
