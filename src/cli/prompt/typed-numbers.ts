/** Ids, generations, TTLs and values as they are typed at the prompt, and the reference's words for wrong ones. */

import { canonicalDecimal } from "../../core/decimal.js";
import type { Properties } from "../../core/properties.js";
import { collectProperties } from "../arguments.js";
import { readId } from "../ids.js";
import { UsageError } from "../usage-error.js";

/** As many as Python reads. What is too large or negative for the protocol is the server's to refuse. */
const MAX_DIGITS = 4300;

/** Hexadecimal with or without `0x`. Throws a `UsageError`. */
export function typedId(text: string): bigint {
  const id = readId(text);
  if (id !== undefined) return id;
  throw new UsageError([`'${text}' is not a valid id.`]);
}

/** The same, with words of its own for a negative one. */
export function typedServiceId(text: string): bigint {
  if (/^-(?:0x)?[0-9a-f]+$/i.test(text)) throw new UsageError(["Service id must be a non-negative integer."]);
  return typedId(text);
}

/** A decimal integer of any sign. Throws a `UsageError`. */
export function typedInteger(text: string): bigint {
  const decimal = canonicalDecimal(text);
  if (decimal !== undefined && decimal.length <= MAX_DIGITS) return BigInt(decimal);
  throw new UsageError([`invalid literal for int() with base 10: '${text}'.`]);
}

/** Names and values in turn. Throws a `UsageError`. */
export function typedProperties(words: readonly string[]): Properties {
  return collectProperties(
    Array.from({ length: words.length / 2 }, (_, i): [string, string] => [words[2 * i], words[2 * i + 1]]),
  );
}
