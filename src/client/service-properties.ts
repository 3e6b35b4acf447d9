/** What an application publishes, as properties (libpaf-client.md, 2.1 and 2.2). */

import { exactValue, type Properties, type PropertyValue } from "../core/properties.js";
import { byteLength } from "../core/text.js";
import { UINT63_MAX } from "../core/uint63.js";
import { MAX_MESSAGE_LENGTH } from "../transport/transport.js";
import { PUBLISH } from "../wire/commands.js";
import { encodeMessage } from "../wire/requests.js";
import { mistyped, shown } from "./argument-checks.js";

/** A text, or an integer of 64 bits; a `number` must be a safe integer. */
export type Value = string | number | bigint;
/** Per name one value or several; what occurs twice counts once, and a name without values does not exist. */
export type PropertiesInput =
  | ReadonlyMap<string, Value | readonly Value[]>
  | Readonly<Record<string, Value | readonly Value[]>>;

/** Most that the properties of a service may have in the measure of `propertiesSize`. */
const MAX_PROPERTIES_SIZE = 32_768;

/**
 * The properties are more than every server takes: above 32,768 (per value the bytes of the name and 5, and those of a
 * text and 5, or 25 for an integer), or so full of characters which JSON escapes that the message is above 65,535 bytes.
 */
export class ServiceTooLargeError extends RangeError {
  override readonly name = "ServiceTooLargeError";
  /** Their size, and the largest that is accepted in the measure that was exceeded. */
  constructor(
    readonly size: number,
    readonly max: number,
  ) {
    super(
      max === MAX_PROPERTIES_SIZE
        ? `service properties of size ${size} (at most ${max} accepted)`
        : `service properties that make a message of ${size} bytes, with their escapes (at most ${max} accepted)`,
    );
  }
}

/** A copy of its own. Throws a `RangeError` or `TypeError` that names the property, or a `ServiceTooLargeError`. */
export function toServiceProperties(input: PropertiesInput): Properties {
  const properties = new Map<string, readonly PropertyValue[]>();
  for (const [name, given] of entriesOf(input)) {
    if (typeof name !== "string") mistyped("the name of a property", name, "a text");
    const values = new Set<PropertyValue>();
    for (const value of Array.isArray(given) ? given : [given]) values.add(exactValue(name, value));
    if (values.size > 0) properties.set(name, [...values]);
  }
  const size = propertiesSize(properties);
  if (size > MAX_PROPERTIES_SIZE) throw new ServiceTooLargeError(size, MAX_PROPERTIES_SIZE);
  // An escape makes six bytes of one, so small ones need not be written to know that they fit.
  if (6 * size > MAX_MESSAGE_LENGTH - longestMessage(new Map())) {
    const bytes = longestMessage(properties);
    if (bytes > MAX_MESSAGE_LENGTH) throw new ServiceTooLargeError(bytes, MAX_MESSAGE_LENGTH);
  }
  return properties;
}

function entriesOf(input: unknown): Iterable<readonly [unknown, unknown]> {
  if (input instanceof Map) return input;
  if (typeof input === "object" && input !== null && !(Symbol.iterator in input)) return Object.entries(input);
  const what = input instanceof Set ? "a Set" : shown(input);
  throw new TypeError(`the properties of a service are ${what} (an object or a Map is accepted)`);
}

/** libpaf's estimate: per value the bytes of the name and 5, and those of a text and 5, or 25 for an integer. */
export function propertiesSize(properties: Properties): number {
  let size = 0;
  for (const [name, values] of properties) {
    const nameSize = byteLength(name) + 5;
    for (const value of values) size += nameSize + (typeof value === "string" ? byteLength(value) + 5 : 25);
  }
  return size;
}

/** Bytes of the message that publishes them, however long its numbers become. */
function longestMessage(properties: Properties): number {
  const numbers = { "service-id": UINT63_MAX, generation: UINT63_MAX, ttl: UINT63_MAX };
  return encodeMessage(PUBLISH, UINT63_MAX, "request", { ...numbers, "service-props": properties }).length;
}
