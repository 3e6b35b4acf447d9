/** The records of ours that a responder states (RFC 6762, 10), and the comparing of them with what others state. */

import { dnsPacket } from "../name-codec.js";
import { nameKey } from "../names.js";
import type { DecodedRecord } from "../records.js";

export type OwnType = "PTR" | "SRV" | "TXT" | "A" | "AAAA" | "NSEC";

export interface OwnRecord {
  readonly name: string;
  readonly type: OwnType;
  readonly ttlSeconds: number;
  /** Ours alone: the set of this name and type is stated whole, with the cache-flush bit. */
  readonly isUnique: boolean;
  /** In the form of dns-packet. */
  readonly data: unknown;
  /** Name, type and data: equal for what is the same record. */
  readonly key: string;
  /** The data on the wire, names not compressed. */
  readonly rdata: Buffer;
}

/** Of records tied to a host: addresses, SRV, and what denies such ones. */
export const HOST_TTL_SECONDS = 120;
/** Of the rest. */
export const OTHER_TTL_SECONDS = 4500;

interface Encoder {
  encode(data: unknown): Buffer;
}
const RDATA_LENGTH_BYTES = 2;

/** The data of a record on the wire. Throws if it is not of its type's form. */
export function rdataOf(type: string, data: unknown): Buffer {
  const { record } = dnsPacket as unknown as { record: (type: string) => Encoder };
  return record(type).encode(data).subarray(RDATA_LENGTH_BYTES);
}

export function ownRecord(name: string, type: OwnType, data: unknown): OwnRecord {
  const ttlSeconds = type === "PTR" || type === "TXT" ? OTHER_TTL_SECONDS : HOST_TTL_SECONDS;
  const rdata = rdataOf(type, data);
  return { name, type, ttlSeconds, isUnique: type !== "PTR", data, key: keyOf(name, type, data, rdata), rdata };
}

/** Which types a name of ours has: so that nobody waits for others (RFC 6762, 6.1). */
export function denial(name: string, types: readonly OwnType[]): OwnRecord {
  return ownRecord(name, "NSEC", { nextDomain: name, rrtypes: types });
}

/** As `OwnRecord.key`, of a record heard; `undefined` if its data cannot be written again. */
export function heardKey({ name, type, data }: DecodedRecord): string | undefined {
  try {
    return keyOf(name, type, data, rdataOf(type, data));
  } catch {
    return undefined;
  }
}

/** Names in the data count without their case, too. */
function keyOf(name: string, type: string, data: unknown, rdata: Buffer): string {
  const place = `${nameKey(name)} ${type} `;
  if (type === "PTR") return place + nameKey(data as string);
  const text = rdata.toString("latin1");
  return place + (type === "SRV" ? text.slice(0, 6) + nameKey(text.slice(6)) : text);
}

/** Bytes of the record in a message, at most. */
export function recordBytes({ name, rdata }: OwnRecord): number {
  return Buffer.byteLength(name) + 2 + 10 + rdata.length;
}
