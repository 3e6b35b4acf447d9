/** How messages call what the schema wants, and what a file has instead. */

import type { ReadableSchema } from "./schema-reader.js";

const MAX_SHOWN_LENGTH = 60;

/** A key or a value as a message shows it. */
export const cut = (text: string) => (text.length <= MAX_SHOWN_LENGTH ? text : `${text.slice(0, MAX_SHOWN_LENGTH)}…`);

/** `near` is the known key that was probably meant. */
export function unknownKey(key: string, near: string | undefined, known: readonly string[]): string {
  if (key === "<<") return "merge keys are not read (repeat the keys, or use an alias for the whole value)";
  return `unknown key${near ? `; did you mean "${near}"?` : ""} (known: ${known.join(", ")})`;
}

/** The noun for a value and, in brackets, what is accepted: `a number of seconds (a whole number, 1 or more)`. */
export function describe(schema: ReadableSchema): string {
  const accepted = schema.accepted ?? acceptedBy(schema);
  const what = schema.what ?? (schema.type === "object" ? `a mapping` : undefined);
  if (!what) return accepted;
  return accepted === "" || accepted === what ? what : `${what} (${accepted})`;
}

function acceptedBy(schema: ReadableSchema): string {
  const { minimum, maximum, properties, maxLength } = schema;
  if (schema.const !== undefined) return `"${schema.const}"`;
  if (schema.enum) return `valid values: ${schema.enum.join(" ")}`;
  if (schema.type === "boolean") return "true or false";
  if (schema.type === "integer") {
    if (maximum === undefined || maximum === Number.MAX_SAFE_INTEGER) return `a whole number, ${minimum} or more`;
    return `a whole number, ${minimum} to ${maximum}`;
  }
  if (properties) return `with ${Object.keys(properties).join(", ")}`;
  if (schema.type === "string") return `text of 1 to ${maxLength} characters`;
  return "";
}
