/**
 * Teaches the bundled dns-packet to read and write any domain name, in the text form of names.ts, to compress names
 * (RFC 1035, 4.1.4) and to know the QU bit of questions (RFC 6762, 5.4), as the property `qu`.
 *
 * Its own codec joins labels by dots without escapes: an instance called "v1.0 lamp" can be seen, but not asked for,
 * and a label that is too long becomes a packet nobody can read. It looks the functions of its exported objects `name` and
 * `question` up at each call, so replacing them is enough. This changes dns-packet for the whole process, which is ours,
 * and has no other user of it. A test sends every kind of name through it, so an update that breaks this shows.
 */

import dnsPacketModule, * as dnsPacket from "dns-packet";
import { labelBytes, labelsOf, NameError, nameBytes, readName } from "./names.js";

/** dns-packet's convention: after each call the function carries the number of bytes it wrote or read. */
interface NameCodec {
  encode: { (name: string, into?: Buffer, offset?: number): Buffer; bytes: number };
  decode: { (from: Buffer, offset?: number): string; bytes: number };
  encodingLength: (name: string) => number;
}

interface Question {
  class?: string;
  qu?: boolean;
}

interface QuestionCodec {
  encode: { (question: Question, into?: Buffer, offset?: number): Question; bytes: number };
  decode: { (from: Buffer, offset?: number): Question; bytes: number };
}

interface SrvCodec {
  encode: { (data: unknown, into?: Buffer, offset?: number): Buffer; bytes: number };
}

const {
  name: codec,
  question: questionCodec,
  srv: srvCodec,
} = dnsPacket as unknown as { name: NameCodec; question: QuestionCodec; srv: SrvCodec };

const HEADER_BYTES = 12;
const POINTER = 0xc000;
/** A pointer has 14 bits. */
const POINTER_REACH = 0x4000;

/** Where each message being written has which ends of names, in their text form. */
const written = new WeakMap<Buffer, Map<string, number>>();

function endsIn(message: Buffer, offset: number): Map<string, number> {
  let ends = written.get(message);
  if (!ends || offset === HEADER_BYTES) written.set(message, (ends = new Map())); // the first name of a message
  return ends;
}

/** Writes a name into a message, ending in a pointer if the rest stands there already; the number of bytes written. */
function writeCompressed(name: string, message: Buffer, offset: number): number {
  const labels = labelsOf(name);
  const ends = endsIn(message, offset);
  let at = offset;
  for (let i = 0; i < labels.length; i++) {
    const end = labels.slice(i).join(".");
    const known = ends.get(end);
    if (known !== undefined) return message.writeUInt16BE(POINTER | known, at) - offset;
    if (at < POINTER_REACH) ends.set(end, at);
    const bytes = labelBytes(labels[i]);
    at = message.writeUInt8(bytes.length, at);
    if (bytes.copy(message, at) < bytes.length) throw new RangeError("no room for a domain name");
    at += bytes.length;
  }
  return message.writeUInt8(0, at) - offset;
}

/** Names are written whole, just now. */
let isWhole = false;
/** In this message targets of SRV records are written so. */
let hasWholeTargets = false;

const encode = (name: string, into?: Buffer, offset = 0): Buffer => {
  const bytes = nameBytes(name);
  encode.bytes = bytes.length;
  if (!into) return bytes;
  if (offset >= HEADER_BYTES && !isWhole) encode.bytes = writeCompressed(name, into, offset);
  else if (bytes.copy(into, offset) < bytes.length) throw new RangeError("no room for a domain name");
  return into;
};
encode.bytes = 0;

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

const plainEncodeSrv = srvCodec.encode;
const encodeSrv = (data: unknown, into?: Buffer, offset = 0): Buffer => {
  isWhole = hasWholeTargets;
  try {
    return plainEncodeSrv(data, into, offset);
  } finally {
    isWhole = false;
  }
};
encodeSrv.bytes = 0; // it notes them at what is then `srv.encode`: at ours
srvCodec.encode = encodeSrv;

/** Encodes a message for a plain resolver, which need not understand compression in SRV records (RFC 6762, 18.14). */
export function encodeForResolver(packet: dnsPacket.Packet): Buffer {
  hasWholeTargets = true;
  try {
    return dnsPacketModule.encode(packet);
  } finally {
    hasWholeTargets = false;
  }
}

/** They note their bytes at what is then `question.encode` and `decode`: at ours. */
const { encode: plainEncode, decode: plainDecode } = questionCodec;
const CLASS_BYTES = 2;
const QU = 0x8000;
const CLASSES: Readonly<Record<number, string>> = { 1: "IN", 255: "ANY" };

const encodeQuestion = (question: Question, into?: Buffer, offset = 0): Question => {
  plainEncode(question, into, offset);
  const at = offset + encodeQuestion.bytes - CLASS_BYTES;
  if (into && question.qu) into.writeUInt16BE(into.readUInt16BE(at) | QU, at);
  return question;
};
encodeQuestion.bytes = 0;

const decodeQuestion = (from: Buffer, offset = 0): Question => {
  const question = plainDecode(from, offset);
  const number = from.readUInt16BE(offset + decodeQuestion.bytes - CLASS_BYTES);
  const of = CLASSES[number ^ QU];
  return of === undefined ? question : { ...question, class: of, qu: true };
};
decodeQuestion.bytes = 0;

questionCodec.encode = encodeQuestion;
questionCodec.decode = decodeQuestion;

/** The whole of an mDNS message, with IP and UDP headers (RFC 6762, section 17). */
const MESSAGE_BYTES_LIMIT = 9000;
const LEAST_QUESTION_BYTES = 5;
const LEAST_RECORD_BYTES = 11;
const plainDecodeMessage = dnsPacketModule.decode;

/**
 * dns-packet believes the header's counts and makes room for them first: up to 2 MB and 1 ms of CPU for a packet of 12
 * bytes. What cannot hold what its header says is refused before; a message that is too long, as well.
 */
const decodeMessage = (message: Buffer, offset?: number) => {
  if (message.length > MESSAGE_BYTES_LIMIT) throw new NameError(`a message of ${message.length} bytes`);
  if (message.length >= HEADER_BYTES) {
    const [questions, ...records] = [4, 6, 8, 10].map((at) => message.readUInt16BE(at));
    const least = questions * LEAST_QUESTION_BYTES + records.reduce((a, b) => a + b) * LEAST_RECORD_BYTES;
    if (HEADER_BYTES + least > message.length) throw new NameError("more records announced than the message can hold");
  }
  return plainDecodeMessage(message, offset);
};

dnsPacketModule.decode = Object.assign(decodeMessage, { bytes: 0 });

export { dnsPacket };
