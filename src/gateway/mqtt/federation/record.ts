/**
 * One service as a board tells it to the others:
 * `{"generation":4,"ttl":60,"path":["site"],"via":["attic"],"properties":{"name":["lamp"],"port":[80]}}`.
 *
 * `via` names the boards it came through, the one where it was published first; `path` the federations. Integers have up
 * to 64 bits, so neither writing nor reading goes through doubles.
 */

import type { Properties, PropertyValue } from "../../../core/properties.js";
import { AnnouncementError, show } from "../announced.js";
import { JsonCursor } from "../json-cursor.js";
import { FEDERATION_NAME } from "./topics.js";

export const RECORD_LIMITS = {
  payloadBytes: 131_072,
  /** Boards, and federations, that a service may come through. */
  hops: 8,
  /** Values, counted over all properties. */
  values: 4096,
} as const;

const MAX_UINT63 = 2n ** 63n - 1n;

/** The properties that only a federation sets, and no other board's record may contain. */
export const ORIGIN = {
  /** The federation that a service was imported from last. */
  name: "federation.name",
  /** The board where it was published. */
  board: "federation.board",
  via: "federation.via",
  path: "federation.path",
} as const;

const ORIGIN_KEYS: ReadonlySet<string> = new Set(Object.values(ORIGIN));

export interface FederatedService {
  readonly generation: bigint;
  readonly ttlSeconds: bigint;
  readonly path: readonly string[];
  readonly via: readonly string[];
  /** Without those of `ORIGIN`. */
  readonly properties: Properties;
}

/** Of what a directory shows: what it is without its origin, and that. */
export function withoutOrigin(properties: Properties): {
  readonly properties: Properties;
  readonly via: readonly string[];
  readonly path: readonly string[];
} {
  const texts = (key: string) => (properties.get(key) ?? []).map(String);
  return {
    properties: new Map([...properties].filter(([key]) => !ORIGIN_KEYS.has(key))),
    // Value sets have no order, so the position is part of the value: `0:attic`.
    via: inOrder(texts(ORIGIN.via)),
    path: inOrder(texts(ORIGIN.path)),
  };
}

/** What a directory is to show of an imported service. */
export function withOrigin(federation: string, { properties, via, path }: FederatedService): Properties {
  const numbered = (names: readonly string[]) => names.map((name, i) => `${i}:${name}`);
  return new Map<string, readonly PropertyValue[]>([
    ...properties,
    [ORIGIN.name, [federation]],
    [ORIGIN.board, [via[0]]],
    [ORIGIN.via, numbered(via)],
    [ORIGIN.path, numbered(path)],
  ]);
}

function inOrder(numbered: readonly string[]): string[] {
  const place = (text: string) => Number.parseInt(text, 10) || 0;
  return [...numbered].sort((a, b) => place(a) - place(b)).map((text) => text.slice(text.indexOf(":") + 1));
}

/** How a gateway is doing: that is told by its own board's directory only. */
export function isGatewayState({ properties }: { readonly properties: Properties }): boolean {
  return (properties.get("src") ?? []).some((source) => String(source).startsWith("gateway:"));
}

export function writeRecord({ generation, ttlSeconds, path, via, properties }: FederatedService): string {
  const value = (one: PropertyValue) => (typeof one === "bigint" ? String(one) : JSON.stringify(one));
  const shown = [...properties].map(([key, values]) => `${JSON.stringify(key)}:[${values.map(value).join(",")}]`);
  const lists = `"path":${JSON.stringify(path)},"via":${JSON.stringify(via)}`;
  return `{"generation":${generation},"ttl":${ttlSeconds},${lists},"properties":{${shown.join(",")}}}`;
}

/** Throws an `AnnouncementError`. Unknown members are skipped, so that later versions may add some. */
export function readRecord(payload: Uint8Array): FederatedService {
  if (payload.length > RECORD_LIMITS.payloadBytes) {
    throw new AnnouncementError(`a record of more than ${RECORD_LIMITS.payloadBytes} bytes`);
  }
  const cursor = new JsonCursor(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("utf8"));
  let generation: bigint | undefined;
  let ttlSeconds: bigint | undefined;
  let path: string[] = [];
  let via: string[] = [];
  let properties: Properties = new Map();
  cursor.members((member) => {
    if (member === "generation") generation = uint63(member, cursor.number());
    else if (member === "ttl") ttlSeconds = uint63(member, cursor.number());
    else if (member === "path") path = names(cursor, member);
    else if (member === "via") via = names(cursor, member);
    else if (member === "properties") properties = readProperties(cursor);
    else cursor.skip(1);
  });
  cursor.end();
  if (generation === undefined || ttlSeconds === undefined) throw new AnnouncementError("no generation, or no ttl");
  if (via.length === 0 || path.length === 0) throw new AnnouncementError("no origin (path, via)");
  return { generation, ttlSeconds, path, via, properties };
}

function uint63(member: string, digits: string): bigint {
  const value = digits.length <= 19 ? BigInt(digits) : -1n;
  if (value < 0n || value > MAX_UINT63) throw new AnnouncementError(`${member} ${show(digits)}: expected 0 to 2^63-1`);
  return value;
}

function names(cursor: JsonCursor, member: string): string[] {
  const found: string[] = [];
  cursor.elements(() => {
    const name = cursor.string();
    if (!FEDERATION_NAME.test(name)) throw new AnnouncementError(`${member}: ${show(name)} is not a name`);
    if (found.length === RECORD_LIMITS.hops) throw new AnnouncementError(`${member}: more than ${RECORD_LIMITS.hops}`);
    found.push(name);
  });
  return found;
}

function readProperties(cursor: JsonCursor): Properties {
  const properties = new Map<string, PropertyValue[]>();
  let count = 0;
  cursor.members((key) => {
    if (ORIGIN_KEYS.has(key)) throw new AnnouncementError(`property ${show(key)}: only a federation sets it`);
    if (key.includes("\0")) throw new AnnouncementError("a property's name contains a NUL character");
    const values = new Set<PropertyValue>();
    cursor.elements(() => {
      if (++count > RECORD_LIMITS.values) throw new AnnouncementError(`more than ${RECORD_LIMITS.values} values`);
      values.add(readValue(cursor, key));
    });
    if (values.size > 0) properties.set(key, [...values]);
  });
  return properties;
}

function readValue(cursor: JsonCursor, key: string): PropertyValue {
  if (cursor.peek() === '"') {
    const text = cursor.string();
    if (text.includes("\0")) throw new AnnouncementError(`value of ${show(key)}: contains a NUL character`);
    return text;
  }
  const digits = cursor.number();
  const value = digits.length <= 20 ? BigInt(digits) : undefined;
  if (value === undefined || BigInt.asIntN(64, value) !== value) {
    throw new AnnouncementError(`value of ${show(key)}: ${show(digits)} is not an integer of at most 64 bits`);
  }
  return value;
}
