/** The records that this gateway understands, and the taking of them out of a decoded message. */

import { isIPv4, isIPv6 } from "node:net";
import { nameKey } from "./names.js";

export const MDNS_PORT = 5353;

export type RecordType = "PTR" | "SRV" | "TXT" | "A" | "AAAA" | "NSEC";

export type RecordData =
  | { readonly type: "PTR"; readonly target: string }
  | {
      readonly type: "SRV";
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | { readonly type: "TXT"; readonly strings: readonly Buffer[] }
  | { readonly type: "A" | "AAAA"; readonly address: string }
  /** The types that the name has; it has no others (RFC 6762, 6.1). */
  | { readonly type: "NSEC"; readonly types: readonly string[] };

export interface HeardRecord {
  readonly name: string;
  /** As sent: 0 is a goodbye, anything up to 2^32-1 is possible. */
  readonly ttlSeconds: number;
  /** The cache-flush bit: the sender states the whole set of this name and type. */
  readonly flush: boolean;
  readonly data: RecordData;
}

/** Two records of one name and type are the same record if and only if this is the same. */
export function dataKey(data: RecordData): string {
  switch (data.type) {
    case "PTR":
      return nameKey(data.target);
    case "SRV":
      return `${data.priority} ${data.weight} ${data.port} ${nameKey(data.target)}`;
    case "TXT":
      return data.strings.map((string) => `${String.fromCharCode(string.length)}${string.toString("latin1")}`).join("");
    case "NSEC":
      return data.types.join(" ");
    default:
      return data.address;
  }
}

/** A message as dns-packet decodes it, as far as it matters here; the contents of a record depend on its type. */
export interface DecodedMessage {
  readonly type?: string;
  readonly id?: number;
  readonly opcode?: string;
  readonly rcode?: string;
  /** The TC bit: of a query that more known answers follow. */
  readonly flag_tc?: boolean;
  readonly questions?: readonly DecodedQuestion[];
  readonly answers?: readonly DecodedRecord[];
  readonly authorities?: readonly DecodedRecord[];
  readonly additionals?: readonly DecodedRecord[];
}

export interface DecodedQuestion {
  readonly name: string;
  /** May be `ANY`, or `UNKNOWN_n`. */
  readonly type: string;
  readonly class?: string;
  /** The sender would like the answer by unicast (RFC 6762, 5.4). */
  readonly qu?: boolean;
}

export interface DecodedRecord {
  readonly name: string;
  readonly type: string;
  readonly class?: string;
  readonly ttl?: number;
  readonly flush?: boolean;
  readonly data?: unknown;
}

/**
 * The records of a response that this gateway understands, from every section; none for a query, and none for a
 * message that RFC 6762 (18.3, 18.11) says to ignore. Nothing returned refers to the receive buffer.
 */
export function heardRecords(message: DecodedMessage): HeardRecord[] {
  if (message.type !== "response" || message.opcode !== "QUERY" || message.rcode !== "NOERROR") return [];
  const heard: HeardRecord[] = [];
  for (const section of [message.answers, message.authorities, message.additionals]) {
    for (const record of section ?? []) {
      if (record.class !== "IN") continue;
      const data = recordData(record);
      if (data) heard.push({ name: record.name, ttlSeconds: record.ttl ?? 0, flush: record.flush === true, data });
    }
  }
  return heard;
}

/** The types of an NSEC record that are kept: mDNS uses those below 256 only, of which a name has few. */
const NSEC_TYPES_LIMIT = 32;

/** What a record states; `undefined` if this gateway has no use for it. */
export function recordData({ type, data, name }: DecodedRecord): RecordData | undefined {
  switch (type) {
    case "PTR":
      return { type, target: data as string };
    case "SRV": {
      const { priority, weight, port, target } = data as Omit<Extract<RecordData, { type: "SRV" }>, "type">;
      return { type, priority, weight, port, target };
    }
    case "TXT":
      return { type, strings: (data as Buffer[]).map((string) => Buffer.from(string)) };
    case "A":
      return isIPv4(data as string) ? { type, address: data as string } : undefined;
    case "AAAA":
      return isIPv6(data as string) ? { type, address: data as string } : undefined;
    case "NSEC": {
      const { nextDomain, rrtypes } = data as { nextDomain: string; rrtypes: readonly string[] };
      // With another next name it would deny names, which only their owners can.
      return nameKey(nextDomain) === nameKey(name) ? { type, types: rrtypes.slice(0, NSEC_TYPES_LIMIT) } : undefined;
    }
    default:
      return undefined;
  }
}
