/** What an application passes in, looked at before anything is done with it: errors name what it is, the value, and what is accepted. */

import { jsonString } from "../core/printable.js";

const MAX_SHOWN_LENGTH = 80;

/** A value as an error text shows it: on one line, and short. */
export function shown(value: unknown): string {
  if (typeof value === "string") {
    return jsonString(value.length > MAX_SHOWN_LENGTH ? `${value.slice(0, MAX_SHOWN_LENGTH)}…` : value);
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/** Throws the `TypeError`: `what` is `value`, but `accepted` is accepted. */
export function mistyped(what: string, value: unknown, accepted: string): never {
  throw new TypeError(`${what} is ${shown(value)} (${accepted} is accepted)`);
}

/** The same for a value of the right type: a `RangeError`. */
export function outOfRange(what: string, value: unknown, accepted: string): never {
  throw new RangeError(`${what} is ${shown(value)} (${accepted} is accepted)`);
}

/** Options that may be left out: an object. Throws a `TypeError`. */
export function checkOptions<T extends object>(what: string, value: T | undefined): T | Record<string, never> {
  if (value === undefined) return {};
  return typeof value === "object" && value !== null ? value : mistyped(what, value, "an object");
}

export function checkFunction(what: string, value: unknown): void {
  if (typeof value !== "function") mistyped(what, value, "a function");
}

/** True for an `AbortSignal`, of whatever making. */
export function isSignal(value: unknown): value is AbortSignal {
  if (typeof value !== "object" || value === null) return false;
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return typeof aborted === "boolean" && typeof addEventListener === typeof removeEventListener && !!addEventListener;
}

/** Throws a `TypeError` unless it is absent or an `AbortSignal`. */
export function checkSignal(what: string, value: unknown): void {
  if (value !== undefined && !isSignal(value)) mistyped(what, value, "an AbortSignal");
}

/** Throws a `TypeError` or `RangeError` unless it is a whole number of 1 or more. */
export function checkCount(what: string, value: unknown): void {
  if (typeof value !== "number") mistyped(what, value, "a whole number of 1 or more");
  if (!Number.isSafeInteger(value) || (value as number) < 1) outOfRange(what, value, "a whole number of 1 or more");
}
