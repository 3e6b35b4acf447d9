/** A straightforward evaluator of filters over properties, to compare compiled programs with. */

import type { Filter } from "../../src/core/filter/syntax.js";
import type { Properties } from "../../src/core/properties.js";

export function evaluateNaively(filter: Filter, props: Properties): boolean {
  switch (filter.kind) {
    case "and":
      return filter.operands.every((operand) => evaluateNaively(operand, props));
    case "or":
      return filter.operands.some((operand) => evaluateNaively(operand, props));
    case "not":
      return !evaluateNaively(filter.operand, props);
  }
  const values = props.get(filter.key) ?? [];
  switch (filter.kind) {
    case "equal":
      return values.some((value) => String(value) === filter.value);
    case "present":
      return values.length > 0;
    case "greater":
      return values.some((value) => typeof value === "bigint" && value > BigInt(filter.value));
    case "less":
      return values.some((value) => typeof value === "bigint" && value < BigInt(filter.value));
    case "substring":
      return values.some((value) => typeof value === "string" && hasParts(Buffer.from(value), filter.parts));
  }
}

function hasParts(text: Buffer, parts: readonly string[]): boolean {
  const [first, ...middle] = parts.map((part) => Buffer.from(part));
  const last = middle.pop()!;
  let at = first!.length;
  const end = text.length - last.length;
  if (at > end || !text.subarray(0, at).equals(first!) || !text.subarray(end).equals(last)) return false;
  for (const part of middle) {
    const found = text.subarray(at, end).indexOf(part);
    if (found < 0) return false;
    at += found + part.length;
  }
  return true;
}
