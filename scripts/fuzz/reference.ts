/**
 * What a message says, found out in the plainest way: strict UTF-8 and JSON by the platform, exact integers and repeated
 * members by a tokenizer of its own. The scanner is compared with it.
 */

import type { PropertyValue } from "../../src/core/properties.js";
import { ALLOWED, COMMANDS, FIELDS, MATCH_TYPES, MESSAGE_TYPES, MUST, TRACK_TYPES } from "../../src/wire/commands.js";

/** Numbers keep their text; objects keep repeated members. */
type Json =
  | { readonly kind: "object"; readonly members: readonly (readonly [string, Json])[] }
  | { readonly kind: "array"; readonly elements: readonly Json[] }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "literal"; readonly text: string };

export type ReferenceProps = Map<string, Set<PropertyValue>>;
export type FieldValue = bigint | number | string | ReferenceProps;

/** Values by field name; `undefined` if the message is to be refused. */
export type ReferenceMessage = Map<string, FieldValue> | undefined;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Values nested deeper than this are refused (scanner: a documented deviation). */
const MAX_DEPTH = 32;

export function parseJson(bytes: Uint8Array): Json | undefined {
  let text: string;
  try {
    text = decoder.decode(bytes);
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[-+.\w]+|[{}[\]:,]/g)!;
  let at = 0;
  let tooDeep = false;
  const value = (depth: number): Json => {
    if (depth > MAX_DEPTH) tooDeep = true;
    const token = tokens[at++]!;
    if (tooDeep) return { kind: "literal", text: token };
    if (token[0] === '"') return { kind: "string", text: JSON.parse(token) as string };
    if (token === "{") {
      const members: [string, Json][] = [];
      while (!tooDeep && tokens[at] !== "}") {
        if (tokens[at] === ",") at++;
        const name = JSON.parse(tokens[at]!) as string;
        at += 2;
        members.push([name, value(depth + 1)]);
      }
      at++;
      return { kind: "object", members };
    }
    if (token === "[") {
      const elements: Json[] = [];
      while (!tooDeep && tokens[at] !== "]") {
        if (tokens[at] === ",") at++;
        elements.push(value(depth + 1));
      }
      at++;
      return { kind: "array", elements };
    }
    return { kind: "literal", text: token };
  };
  const json = value(-1);
  return tooDeep ? undefined : json;
}

const INTEGER = /^-?\d+$/;

function props(json: Json): ReferenceProps | undefined {
  if (json.kind !== "object") return undefined;
  const result: ReferenceProps = new Map();
  for (const [name, values] of json.members) {
    if (values.kind !== "array") return undefined;
    const set = new Set<PropertyValue>();
    for (const value of values.elements) {
      if (value.kind === "string") set.add(value.text);
      else if (value.kind === "literal" && INTEGER.test(value.text)) {
        const integer = BigInt(value.text);
        if (BigInt.asIntN(64, integer) !== integer) return undefined;
        set.add(integer);
      } else return undefined;
    }
    result.delete(name);
    if (set.size > 0) result.set(name, set);
  }
  return result;
}

const WORDS: Readonly<Record<string, readonly string[]>> = {
  "ta-cmd": COMMANDS.map(({ name }) => name),
  "msg-type": MESSAGE_TYPES,
  "track-type": TRACK_TYPES,
  "match-type": MATCH_TYPES,
};

function fieldValue(name: string, kind: string, json: Json): FieldValue | undefined {
  switch (kind) {
    case "word":
      return json.kind === "string" && WORDS[name]!.includes(json.text) ? json.text : undefined;
    case "text":
      return json.kind === "string" ? json.text : undefined;
    case "props":
      return props(json);
    case "number": {
      const value = json.kind === "literal" && /^[-\d]/.test(json.text) ? Number(json.text) : Number.NaN;
      return value >= 0 && value < Infinity ? value : undefined;
    }
    default: {
      const value = json.kind === "literal" && INTEGER.test(json.text) ? BigInt(json.text) : -1n;
      return value >= 0n && value < 1n << 63n ? value : undefined;
    }
  }
}

export function referenceMessage(bytes: Uint8Array, version: number, isServer: boolean): ReferenceMessage {
  const json = parseJson(bytes);
  if (json?.kind !== "object") return undefined;
  const message = new Map<string, FieldValue>();
  let present = 0;
  for (const [name, member] of json.members) {
    const field = FIELDS.findIndex(([known]) => known === name);
    if (field < 0) {
      if (isServer) return undefined;
      continue;
    }
    const value = fieldValue(name, FIELDS[field]![1], member);
    if (value === undefined) return undefined;
    message.set(name, value);
    present |= 1 << field;
  }
  const command = COMMANDS.findIndex(({ name }) => name === message.get("ta-cmd"));
  const type = MESSAGE_TYPES.indexOf(message.get("msg-type") as never);
  if (command < 0 || type < 0 || COMMANDS[command]!.since > version) return undefined;
  const must = MUST[command * MESSAGE_TYPES.length + type]!;
  const allowed = ALLOWED[command * MESSAGE_TYPES.length + type]!;
  if (must === -1 || (present & must) !== must || (isServer && (present & ~allowed) !== 0)) return undefined;
  return message;
}
