import type { PropertyValue } from "../../src/core/properties.js";

/** Inputs of one message's size that were, or could be, far more expensive than others. Tests prove that they are
 * handled right; `npm run bench -- hostile` shows what they cost. */

/** `head`, as often as it fits `repeat(i)`, `tail`: about 65,300 bytes. */
const filled = (head: string, repeat: (i: number) => string, tail: string): string => {
  const parts = [head];
  for (let i = 0, length = head.length + tail.length; ; i++) {
    const part = repeat(i);
    length += part.length;
    if (length > 65_300) return [...parts, tail].join("");
    parts.push(part);
  }
};

/** A publish request with the given text for its properties. */
export const publishText = (props: string): string =>
  `{"ta-cmd":"publish","ta-id":1,"msg-type":"request","service-id":1,"generation":2,"ttl":3,"service-props":${props}}`;

/** An ordinary publish of the same size, to compare with. */
export const ORDINARY = publishText(filled('{"a":["b"]', (i) => `,"name-${i}":["${"value".repeat(40)}"]`, "}"));

/** Name, and properties as JSON text. */
export const HOSTILE_PROPERTIES: readonly (readonly [string, string])[] = [
  ["a long name with equal values", filled(`{"${"n".repeat(32_000)}":[1`, () => ",1", "]}")],
  ["a long name with other values", filled(`{"${"n".repeat(32_000)}":[1`, (i) => `,${i}`, "]}")],
  ["one name again and again", filled('{"a":[1]', (i) => `,"a":[${i % 10}]`, "}")],
  ["one name again and again, some empty", filled('{"a":[1]', (i) => (i % 2 ? ',"a":[1]' : ',"a":[]'), "}")],
  ["many names", filled('{"a":[1]', (i) => `,"${i.toString(36)}":[1]`, "}")],
  ["many values", filled('{"a":[0', (i) => `,${i}`, "]}")],
  ["properties again and again", filled('{"a":[1]}', () => ',"service-props":{}', "")],
];

const SHORT_VALUES = Array.from({ length: 4000 }, (_, i) => `x${i}`);

/** Name, filter, values of the property `a`; none of them matches. */
export const HOSTILE_FILTERS: readonly (readonly [string, string, readonly PropertyValue[]])[] = [
  // Byte by byte 240 million comparisons.
  ["a long part in long texts", `(a=*${"a".repeat(4000)}b*)`, ["a".repeat(30_000), `c${"a".repeat(30_000)}`]],
  ["a long part in 4,000 short texts", `(a=*${"x".repeat(8000)}*)`, SHORT_VALUES],
  ["4,000 parts in 4,000 short texts", `(a=*${"x*".repeat(4000)})`, SHORT_VALUES],
  // As many as a filter may hold of each kind of comparison.
  ["32 searches in a long text", `(|${"(a=*xxxxxxxxxxxxxxxb*)".repeat(32)})`, ["x".repeat(60_000)]],
  ["32 searches in 4,000 short texts", `(|${"(a=*xb*)".repeat(32)})`, SHORT_VALUES],
  ["128 beginnings in 4,000 short texts", `(|${"(a=x*y)".repeat(128)})`, SHORT_VALUES],
  ["128 orderings of 4,000 integers", `(|${"(a>99999)".repeat(128)})`, Array.from(SHORT_VALUES, (_, i) => BigInt(i))],
  ["1,024 equalities in 4,000 texts", `(|${"(a=y)".repeat(1024)})`, SHORT_VALUES],
];
