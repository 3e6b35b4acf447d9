/**
 * Text as bytes: UTF-8, in which an unpaired surrogate (legal in JSON, as an escape) is kept as the three bytes that the
 * same scheme gives it ("WTF-8"). Byte order and equality are those of code points, as the protocol compares texts.
 */

/** Bytes that `text` takes. */
export function byteLength(text: string): number {
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    length += unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
    if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) {
      length += 1;
      i++;
    }
  }
  return length;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000; // false for NaN
}

/** Writes one code point; returns the position behind it. */
export function writeCodePoint(bytes: Uint8Array, at: number, point: number): number {
  if (point < 0x80) {
    bytes[at] = point;
    return at + 1;
  }
  if (point < 0x800) {
    bytes[at] = 0xc0 | (point >> 6);
    bytes[at + 1] = 0x80 | (point & 0x3f);
    return at + 2;
  }
  if (point < 0x10000) {
    bytes[at] = 0xe0 | (point >> 12);
    bytes[at + 1] = 0x80 | ((point >> 6) & 0x3f);
    bytes[at + 2] = 0x80 | (point & 0x3f);
    return at + 3;
  }
  bytes[at] = 0xf0 | (point >> 18);
  bytes[at + 1] = 0x80 | ((point >> 12) & 0x3f);
  bytes[at + 2] = 0x80 | ((point >> 6) & 0x3f);
  bytes[at + 3] = 0x80 | (point & 0x3f);
  return at + 4;
}

/** Writes `text`; returns the position behind it. */
export function writeText(bytes: Uint8Array, at: number, text: string): number {
  let to = at;
  for (let i = 0; i < text.length; i++) {
    let point = text.charCodeAt(i);
    if (point >= 0xd800 && point < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) {
      point = 0x10000 + ((point - 0xd800) << 10) + (text.charCodeAt(++i) - 0xdc00);
    }
    to = writeCodePoint(bytes, to, point);
  }
  return to;
}

export function encodeText(text: string): Uint8Array {
  const bytes = new Uint8Array(byteLength(text));
  writeText(bytes, 0, text);
  return bytes;
}

/** Code units of one piece of a text that is being read; a longer text is put together from few pieces. */
const UNITS = new Uint16Array(1024);

/**
 * The text `bytes[start … end)`, which was written by this module or validated by `utf8Length`. Made from pieces of many
 * characters: V8 keeps a text that grew character by character as a tree of 32 times its size.
 */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  let count = 0;
  for (let at = start; at < end; ) {
    if (count > UNITS.length - 2) {
      text += piece(count);
      count = 0;
    }
    const lead = bytes[at];
    if (lead < 0x80) {
      UNITS[count++] = lead;
      at += 1;
    } else if (lead < 0xe0) {
      UNITS[count++] = ((lead & 31) << 6) | (bytes[at + 1] & 63);
      at += 2;
    } else if (lead < 0xf0) {
      UNITS[count++] = ((lead & 15) << 12) | ((bytes[at + 1] & 63) << 6) | (bytes[at + 2] & 63);
      at += 3;
    } else {
      const high = ((lead & 7) << 18) | ((bytes[at + 1] & 63) << 12);
      const offset = (high | ((bytes[at + 2] & 63) << 6) | (bytes[at + 3] & 63)) - 0x10000;
      UNITS[count++] = 0xd800 + (offset >> 10);
      UNITS[count++] = 0xdc00 + (offset & 0x3ff);
      at += 4;
    }
  }
  return text + piece(count);
}

function piece(count: number): string {
  return String.fromCharCode.apply(null, UNITS.subarray(0, count) as unknown as number[]);
}

/**
 * Length of the well-formed UTF-8 sequence of a non-ASCII character at `at`, or 0 if it is malformed: over-long, a
 * surrogate, beyond U+10FFFF, or cut off by `end`.
 */
export function utf8Length(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at];
  const second = at + 1 < end ? bytes[at + 1] : 0;
  if ((second & 0xc0) !== 0x80) return 0;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (at + 2 >= end || (bytes[at + 2] & 0xc0) !== 0x80) return 0;
  if (lead === 0xe0) return second >= 0xa0 ? 3 : 0;
  if (lead === 0xed) return second < 0xa0 ? 3 : 0;
  if (lead > 0xe0 && lead < 0xf0) return 3;
  if (at + 3 >= end || (bytes[at + 3] & 0xc0) !== 0x80) return 0;
  if (lead === 0xf0) return second >= 0x90 ? 4 : 0;
  if (lead > 0xf0 && lead < 0xf4) return 4;
  return lead === 0xf4 && second < 0x90 ? 4 : 0;
}
