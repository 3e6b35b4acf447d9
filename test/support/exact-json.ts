/** JSON with exact integers: integer literals become `bigint`, others stay numbers. For comparing protocol messages. */
export function parseExact(text: string): unknown {
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    token.startsWith('"') ? `"s${token.slice(1)}` : /^-?\d+$/.test(token) ? `"i${token}"` : token,
  );
  const revive = (value: unknown): unknown => {
    if (typeof value === "string") return value.startsWith("i") ? BigInt(value.slice(1)) : value.slice(1);
    if (Array.isArray(value)) return value.map(revive);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name.slice(1), revive(member)]));
    }
    return value;
  };
  return revive(JSON.parse(marked));
}
