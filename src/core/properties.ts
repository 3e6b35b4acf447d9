/** Service properties as programs see them. The server's own form is the binary record (record.ts). */

/** An integer is a `bigint` (-2^63 … 2^63-1), a text is a `string`; `1n` and `"1"` are different values. */
export type PropertyValue = string | bigint;

/** A multimap: per name a set of values (no order, no duplicates). A name without values does not exist. */
export type Properties = ReadonlyMap<string, readonly PropertyValue[]>;

/** Builds `Properties` from a plain object; numbers must be safe integers. Meant for tests, tools and gateways. */
export function properties(
  from: Readonly<Record<string, PropertyValue | number | readonly (PropertyValue | number)[]>>,
): Properties {
  const exact = (value: PropertyValue | number): PropertyValue => {
    if (typeof value !== "number") return value;
    if (!Number.isSafeInteger(value)) throw new RangeError(`property value ${value} is not a safe integer`);
    return BigInt(value);
  };
  return new Map(
    Object.entries(from).map(([name, value]) => [name, (Array.isArray(value) ? value : [value]).map(exact)]),
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
