/**
 * Teaches the bundled dns-packet to read and write any domain name, in the text form of names.ts.
 *
 * Its own codec joins labels by dots without escapes: an instance called "v1.0 lamp" can be seen, but not asked for,
 * and a label that is too long becomes a packet nobody can read. It looks the three functions of its exported object
 * `name` up at each call, so replacing them is enough. This changes dns-packet for the whole process, which is ours:
 * multicast-dns is its only other user. A test sends every kind of name through it, so an update that breaks this shows.
 */

import * as dnsPacket from "dns-packet";
import { NameError, nameBytes, readName } from "./names.js";

/** dns-packet's convention: after each call the function carries the number of bytes it wrote or read. */
interface NameCodec {
  encode: { (name: string, into?: Buffer, offset?: number): Buffer; bytes: number };
  decode: { (from: Buffer, offset?: number): string; bytes: number };
  encodingLength: (name: string) => number;
}

const codec = (dnsPacket as unknown as { name: NameCodec }).name;

const encode = (name: string, into?: Buffer, offset = 0): Buffer => {
  const bytes = nameBytes(name);
  encode.bytes = bytes.length;
  if (!into) return bytes;
  if (bytes.copy(into, offset) < bytes.length) throw new RangeError("no room for a domain name");
  return into;
};
encode.bytes = 0;

const HEADER_BYTES = 12;

const decode = (from: Buffer, offset = 0): string => {
  // After a truncated TXT or HINFO dns-packet loses its place and starts again at 0, up to 4 × 65535 times.
  if (offset < HEADER_BYTES) throw new NameError("a record ends past the end of the message");
  const { name, bytes } = readName(from, offset);
  decode.bytes = bytes;
  return name;
};
decode.bytes = 0;

codec.encode = encode;
codec.decode = decode;
codec.encodingLength = (name) => nameBytes(name).length;

export { dnsPacket };
