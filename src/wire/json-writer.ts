/** Writes protocol JSON into bytes that the caller has made room for. HOT: once per message; allocates nothing. */

import type { Page } from "../core/blocks.js";
import { bytesEqual, entryIsInteger, entryText, entryValueLength, nextEntry, RECORD_HEADER } from "../core/record.js";
import { writeDecimal } from "../core/uint63.js";

const HEX = Uint8Array.from("0123456789abcdef", (letter) => letter.charCodeAt(0));

/** ASCII text as bytes, for the constant parts of messages. */
export const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Copies a constant part. A loop, because the parts are short: `set` costs more than it saves below some 60 bytes. */
export function writeBytes(bytes: Uint8Array, at: number, part: Uint8Array): number {
  const length = part.length;
  for (let i = 0; i < length; i++) bytes[at + i] = part[i];
  return at + length;
}

export function writeUint63(bytes: Uint8Array, at: number, hi: number, lo: number): number {
  if (hi === 0 && lo >= 0 && lo < 10) {
    bytes[at] = 48 + lo;
    return at + 1;
  }
  return writeDecimal(bytes, at, hi, lo);
}

/** Writes a number of at least 0 as a JSON literal, e.g. a time with a fraction. */
export function writeNumber(bytes: Uint8Array, at: number, value: number): number {
  const text = String(value);
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** Writes the text `from[start … end)` as a JSON string. At most six bytes per byte of text, and two quotes. */
export function writeString(bytes: Uint8Array, at: number, from: Uint8Array, start: number, end: number): number {
  let to = at;
  bytes[to++] = 0x22;
  for (let i = start; i < end; i++) {
    const byte = from[i];
    if (byte >= 0x20 && byte !== 0x22 && byte !== 0x5c && byte !== 0xed) bytes[to++] = byte;
    else if (byte !== 0xed) to = writeEscape(bytes, to, byte);
    else if (from[i + 1] < 0xa0) bytes[to++] = byte;
    else {
      // Three bytes that stand for an unpaired surrogate: UTF-8 has no form for it, an escape has.
      to = writeUnicodeEscape(bytes, to, 0xd000 | ((from[i + 1] & 0x3f) << 6) | (from[i + 2] & 0x3f));
      i += 2;
    }
  }
  bytes[to++] = 0x22;
  return to;
}

function writeEscape(bytes: Uint8Array, at: number, byte: number): number {
  const short = byte < 0x20 ? "btn fr".charCodeAt(byte - 8) : byte;
  if (!(short > 0x20)) return writeUnicodeEscape(bytes, at, byte);
  bytes[at] = 0x5c;
  bytes[at + 1] = short;
  return at + 2;
}

function writeUnicodeEscape(bytes: Uint8Array, at: number, unit: number): number {
  bytes[at] = 0x5c;
  bytes[at + 1] = 0x75;
  for (let i = 0; i < 4; i++) bytes[at + 2 + i] = HEX[(unit >> (12 - 4 * i)) & 15];
  return at + 6;
}

/** Writes the properties of a record as a JSON object; exactly `recordJsonLength` bytes. */
export function writeProperties(bytes: Uint8Array, at: number, page: Page, recordAt: number): number {
  const { words } = page;
  const from = page.bytes;
  const end = recordAt + words[recordAt];
  let to = at;
  let name = -1;
  bytes[to++] = 0x7b;
  for (let entry = recordAt + RECORD_HEADER; entry < end; entry = nextEntry(words, entry)) {
    const text = entryText(entry);
    const valueStart = text + words[entry + 2];
    const sameName =
      name >= 0 &&
      words[name] === words[entry] &&
      words[name + 2] === words[entry + 2] &&
      bytesEqual(from, entryText(name), from, text, words[entry + 2]);
    if (sameName) {
      bytes[to++] = 0x2c;
    } else {
      if (name >= 0) {
        bytes[to++] = 0x5d;
        bytes[to++] = 0x2c;
      }
      to = writeString(bytes, to, from, text, valueStart);
      bytes[to++] = 0x3a;
      bytes[to++] = 0x5b;
      name = entry;
    }
    const valueEnd = valueStart + entryValueLength(words, entry);
    if (entryIsInteger(words, entry)) for (let i = valueStart; i < valueEnd; i++) bytes[to++] = from[i];
    else to = writeString(bytes, to, from, valueStart, valueEnd);
  }
  if (name >= 0) bytes[to++] = 0x5d;
  bytes[to++] = 0x7d;
  return to;
}
