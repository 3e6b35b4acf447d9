/** What an application publishes, as properties (libpaf-client.md, 2.1 and 2.2). */

import type { Properties, PropertyValue } from "../core/properties.js";
import { byteLength } from "../core/text.js";

/** A text, or an integer of 64 bits; a `number` must be a safe integer. */
export type Value = string | number | bigint;
/** Per name one value or several; what occurs twice counts once, and a name without values does not exist. */
export type PropertiesInput =
  | ReadonlyMap<string, readonly PropertyValue[]>
  | Readonly<Record<string, Value | readonly Value[]>>;

/** Most that the properties of a service may have in the measure of `propertiesSize`. */
export const MAX_PROPERTIES_SIZE = 32_768;

export class ServiceTooLargeError extends RangeError {
  override readonly name = "ServiceTooLargeError";
  constructor(readonly size: number) {
    super(`service properties of size ${size} (at most ${MAX_PROPERTIES_SIZE} accepted)`);
  }
}

/** A copy of its own. Throws a `RangeError` or `TypeError` that names the property, or a `ServiceTooLargeError`. */
export function toServiceProperties(input: PropertiesInput): Properties {
  const properties = new Map<string, readonly PropertyValue[]>();
  for (const [name, given] of input instanceof Map ? input : Object.entries(input)) {
    const values = new Set<PropertyValue>();
    for (const value of Array.isArray(given) ? (given as readonly Value[]) : [given as Value]) {
      values.add(exact(name, value));
    }
    if (values.size > 0) properties.set(name, [...values]);
  }
  const size = propertiesSize(properties);
  if (size > MAX_PROPERTIES_SIZE) throw new ServiceTooLargeError(size);
  return properties;
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

function exact(name: string, value: Value): PropertyValue {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      if (Number.isSafeInteger(value)) return BigInt(value);
      throw new RangeError(`property "${name}": ${value} is not a safe integer (use a bigint for larger ones)`);
    case "bigint":
      if (BigInt.asIntN(64, value) === value) return value;
      throw new RangeError(`property "${name}": ${value} is out of range (-2^63 to 2^63-1 accepted)`);
    default:
      throw new TypeError(`property "${name}": a ${typeof value} is no value (a text or an integer is)`);
  }
}
