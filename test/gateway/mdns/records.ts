/** Records and messages for the tests of this folder. */

import { dnsPacket } from "../../../src/gateway/mdns/name-codec.js";
import type { QueryMessage } from "../../../src/gateway/mdns/questions.js";
import type { DecodedMessage, HeardRecord } from "../../../src/gateway/mdns/records.js";

export const pointerRecord = (label: string, { ttlSeconds = 4500 } = {}): HeardRecord => ({
  name: "_x._tcp.local",
  ttlSeconds,
  flush: false,
  data: { type: "PTR", target: `${label}._x._tcp.local` },
});

export const srvRecord = (
  label: string,
  data: { port?: number; priority?: number; weight?: number; target?: string } = {},
): HeardRecord => ({
  name: `${label}._x._tcp.local`,
  ttlSeconds: 120,
  flush: true,
  data: { type: "SRV", priority: 0, weight: 0, port: 80, target: "h.local", ...data },
});

export const txtRecord = (label: string, strings = ["v=1"]): HeardRecord => ({
  name: `${label}._x._tcp.local`,
  ttlSeconds: 4500,
  flush: true,
  data: { type: "TXT", strings: strings.map((string) => Buffer.from(string)) },
});

export const addressRecord = (host: string, address = "10.0.0.2"): HeardRecord => ({
  name: `${host}.local`,
  ttlSeconds: 120,
  flush: true,
  data: { type: address.includes(":") ? "AAAA" : "A", address },
});

/** All records of an instance on the host h.local (10.0.0.2). */
export const instance = (label: string): HeardRecord[] => [
  pointerRecord(label),
  srvRecord(label),
  txtRecord(label),
  addressRecord("h"),
];

/** The size of a query on the wire. */
export function messageBytes({ questions, answers }: QueryMessage): number {
  return dnsPacket.encode({
    type: "query",
    questions: questions.map(({ name, type }) => ({ name, type })),
    answers: answers.map(({ name, target, ttlSeconds }) => ({ name, type: "PTR", ttl: ttlSeconds, data: target })),
  }).length;
}

/** A response as a link hands it on. */
export function responseOf(records: readonly HeardRecord[]): DecodedMessage {
  const answers = records.map(({ name, ttlSeconds, flush, data }) => {
    const { type } = data;
    const plain = data.type === "PTR" ? data.target : data.type === "TXT" ? data.strings : data;
    return { name, type, class: "IN", ttl: ttlSeconds, flush, data: "address" in data ? data.address : plain };
  });
  return { type: "response", opcode: "QUERY", rcode: "NOERROR", answers };
}
