/**
 * The announcement a device makes, in its text form (part D.2):
 * `kind;ttl;key=string;key#int;…`, percent-escaped, UTF-8. A payload that begins with `{` is the JSON form.
 *
 * Everything here takes hostile input: a payload gives an `Announcement` or throws an `AnnouncementError`, in time
 * proportional to its length, which is bounded.
 */

import { ANNOUNCEMENT_LIMITS, type Announcement, AnnouncementError, Collector, show } from "./announced.js";
import { readJsonForm } from "./announcement-json.js";

/** Parses the payload of `sd1/a/<dev>`; it must not be empty (that is a withdrawal). */
export function parseAnnouncement(payload: Uint8Array): Announcement {
  if (payload.length > ANNOUNCEMENT_LIMITS.payloadBytes) {
    throw new AnnouncementError(`${payload.length} bytes (at most ${ANNOUNCEMENT_LIMITS.payloadBytes} allowed)`);
  }
  const collector = new Collector();
  if (payload[0] === 0x7b) readJsonForm(utf8(payload, "payload"), collector);
  else readTextForm(payload, collector);
  return collector.announcement();
}

/** Fields are split at `;` before anything is decoded; an empty field after the first two means nothing. */
function readTextForm(payload: Uint8Array, to: Collector): void {
  let field = 0;
  for (let at = 0; at <= payload.length; field++) {
    const semicolon = payload.indexOf(0x3b, at);
    const end = semicolon < 0 ? payload.length : semicolon;
    const text = utf8(unescaped(payload.subarray(at, end)), `field ${field + 1}`);
    if (field === 0) to.kind(text);
    else if (field === 1) {
      if (text !== "") to.ttl(text);
    } else if (text !== "") readProperty(text, field, to);
    at = end + 1;
  }
}

function readProperty(text: string, field: number, to: Collector): void {
  const mark = text.search(/[=#]/);
  if (mark <= 0) throw new AnnouncementError(`field ${field + 1}: ${show(text)} is neither key=string nor key#integer`);
  const key = text.slice(0, mark);
  if (text[mark] === "=") to.string(key, text.slice(mark + 1));
  else to.integer(key, text.slice(mark + 1));
}

/** The bytes with `%xx` replaced. Control bytes must have been escaped. */
function unescaped(field: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(field.length);
  let length = 0;
  for (let at = 0; at < field.length; at++) {
    let byte = field[at];
    if (byte < 0x20) throw new AnnouncementError(`control byte ${byte} is not percent-escaped`);
    if (byte === 0x25) {
      const high = hexDigit(field[at + 1]);
      const low = hexDigit(field[at + 2]);
      if (high < 0 || low < 0) throw new AnnouncementError("% is not followed by two hexadecimal digits");
      byte = high * 16 + low;
      at += 2;
    }
    bytes[length++] = byte;
  }
  return bytes.subarray(0, length);
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function utf8(bytes: Uint8Array, what: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new AnnouncementError(`${what} is not valid UTF-8`);
  }
}
