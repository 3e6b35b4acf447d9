/** Reading of JSON from strangers: bounded before it is parsed, and looked into without ever touching a prototype. */

import { LIMITS } from "./limits.js";

export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
/** Its members are read by `member` only: a name may be `__proto__` or `constructor`. */
export interface JsonObject {
  readonly [name: string]: Json;
}

/** What a payload is refused for. The texts are fixed: they are counted (gateway/dropped.ts). */
export type JsonRefusal = "payload too large" | "nested too deep" | "not UTF-8" | "not JSON";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The text of a payload, or `undefined` if it is not UTF-8. */
export function payloadText(payload: Uint8Array): string | undefined {
  try {
    return utf8.decode(payload);
  } catch {
    return undefined;
  }
}

/** The JSON of a payload of at most `maxBytes`, or why there is none. */
export function readJson(
  payload: Uint8Array,
  maxBytes: number = LIMITS.payloadBytes,
): { readonly json: Json } | { readonly refusal: JsonRefusal } {
  if (payload.length > maxBytes) return { refusal: "payload too large" };
  if (deeperThan(payload, LIMITS.depth)) return { refusal: "nested too deep" };
  const text = payloadText(payload);
  if (text === undefined) return { refusal: "not UTF-8" };
  try {
    return { json: JSON.parse(text) };
  } catch {
    return { refusal: "not JSON" };
  }
}

/** Counts brackets outside of strings, which needs no memory whatever the depth is. */
function deeperThan(bytes: Uint8Array, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > limit) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return false;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The list that `value` is; a single value counts as a list of one, `null` and nothing as none. */
export function listOf(value: Json | undefined): readonly Json[] {
  if (Array.isArray(value)) return value;
  return value === undefined || value === null ? [] : [value as Json];
}

/** The own member of an object: the first of `names` that it has. `undefined` for whatever is no object. */
export function member(value: Json | undefined, ...names: readonly string[]): Json | undefined {
  if (!isObject(value)) return undefined;
  for (const name of names) if (Object.hasOwn(value, name)) return value[name];
  return undefined;
}

/** The tokens of a JSON pointer (RFC 6901), unescaped. Throws a `RangeError` if it is none. */
export function pointerTokens(pointer: string): readonly string[] {
  if (pointer === "") return [];
  if (!pointer.startsWith("/") || /~(?![01])/.test(pointer)) {
    throw new RangeError(`JSON pointer ${JSON.stringify(pointer)}: expected /member/0/… with ~0 for ~ and ~1 for /`);
  }
  return pointer
    .slice(1)
    .split("/")
    .map((token) => token.replace(/~1/g, "/").replace(/~0/g, "~"));
}

/** What a pointer leads to (RFC 6901, 4); `undefined` if there is nothing. */
export function pointedTo(json: Json, tokens: readonly string[]): Json | undefined {
  let value: Json | undefined = json;
  for (const token of tokens) {
    if (Array.isArray(value))
      value = /^(?:0|[1-9][0-9]{0,8})$/.test(token) ? (value as Json[])[Number(token)] : undefined;
    else value = member(value, token);
    if (value === undefined) return undefined;
  }
  return value;
}
