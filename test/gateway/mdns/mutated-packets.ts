/** Responses of ordinary hosts, and what becomes of them when bytes change on the way. */

import { dnsPacket } from "../../../src/gateway/mdns/name-codec.js";

/** A small generator, so that a failure can be repeated: Park and Miller's. */
export function generator(seed: number) {
  let state = seed;
  return (below: number) => (state = (state * 48271) % 0x7fffffff) % below;
}

const name = (label: string) => `${label}._x._tcp.local`;
const TXT = [Buffer.from("v=1"), Buffer.from("flag"), Buffer.from([0x61, 0x3d, 0xff])];
export const whole = (label: string, type = "_x._tcp.local") =>
  dnsPacket.encode({
    type: "response",
    flags: dnsPacket.AUTHORITATIVE_ANSWER,
    answers: [
      { name: "_services._dns-sd._udp.local", type: "PTR", ttl: 4500, data: type },
      { name: type, type: "PTR", ttl: 4500, data: name(label) },
      { name: name(label), type: "SRV", ttl: 120, flush: true, data: { port: 80, target: "h.local" } },
      { name: name(label), type: "TXT", ttl: 4500, flush: true, data: TXT },
      { name: "h.local", type: "A", ttl: 120, flush: true, data: "10.0.0.2" },
      { name: "h.local", type: "AAAA", ttl: 120, flush: true, data: "fe80::1" },
      { name: "h.local", type: "NSEC", ttl: 120, data: { nextDomain: "h.local", rrtypes: ["A", "AAAA"] } },
      { name: "h.local", type: "HINFO", ttl: 120, data: { cpu: "ARM", os: "LINUX" } },
    ],
  });
/** An instance on four records with compressed names, as every other responder writes them. */
export const COMPRESSED = Buffer.from(
  [
    "000084000000000400000000", // header: four answers
    "025f78045f746370056c6f63616c00 000c 0001 00001194 0004 0161c00c", // 12: _x._tcp.local PTR a.(12)
    "c025 0021 8001 00000078 000a 000000000050 0168c014", // 41: (37) SRV 0 0 80 h.(20)
    "c025 0010 8001 00001194 0004 03763d31", // 63: (37) TXT v=1
    "c03b 0001 8001 00000078 0004 0a000002", // 79: (59) A 10.0.0.2
  ]
    .join("")
    .replaceAll(" ", ""),
  "hex",
);
export const CORPUS = [whole("a"), whole("v1\\.0 b"), whole("c", "_y._udp.local"), COMPRESSED];

export function mutate(packet: Buffer, random: (below: number) => number): Buffer {
  const bytes = Buffer.from(packet);
  for (let changes = random(6); changes > 0; changes--) {
    const at = random(bytes.length);
    switch (random(5)) {
      case 0:
        bytes[at] = random(256);
        break;
      case 1:
        bytes[at] ^= 1 << random(8);
        break;
      case 2:
        bytes.copyWithin(at, random(bytes.length)); // moves a piece over another
        break;
      case 3:
        bytes.writeUInt16BE(0xc000 | random(bytes.length), Math.min(at, bytes.length - 2));
        break;
      default:
        bytes.fill(random(256), at, Math.min(at + random(8), bytes.length));
    }
  }
  return random(8) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
}
