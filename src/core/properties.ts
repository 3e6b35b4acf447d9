/** Service properties as programs see them. The server's own form is the binary record (record.ts). */

/** An integer is a `bigint` (-2^63 … 2^63-1), a text is a `string`; `1n` and `"1"` are different values. */
export type PropertyValue = string | bigint;

/** A multimap: per name a set of values (no order, no duplicates). A name without values does not exist. */
export type Properties = ReadonlyMap<string, readonly PropertyValue[]>;

/**
 * A value as properties have it. Throws a `RangeError` for a number that is not a safe integer or a bigint beyond 64
 * bits, and a `TypeError` for what is neither text nor integer; the text names the property.
 */
export function exactValue(name: string, value: unknown): PropertyValue {
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
      throw new TypeError(
        `property "${name}": ${value === null ? "null" : `a ${typeof value}`} is no value (a text or an integer is)`,
      );
  }
}

/** Builds `Properties` from a plain object; numbers must be safe integers. Meant for tests, tools and gateways. */
export function properties(
  from: Readonly<Record<string, PropertyValue | number | readonly (PropertyValue | number)[]>>,
): Properties {
  const exact = (name: string) => (value: PropertyValue | number) => exactValue(name, value);
  return new Map(
    Object.entries(from).map(([name, value]) => [name, (Array.isArray(value) ? value : [value]).map(exact(name))]),
  );
}

/** True if both have the same names with equal value sets (pathfinder-protocol.md, 3.2). */
export function sameProperties(a: Properties, b: Properties): boolean {
  const values = (of: Properties, name: string) => new Set(of.get(name) ?? []);
  for (const name of new Set([...a.keys(), ...b.keys()])) {
    const left = values(a, name);
    const right = values(b, name);
    if (left.size !== right.size) return false;
    for (const value of left) if (!right.has(value)) return false;
  }
  return true;
}
