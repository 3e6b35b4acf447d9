/**
 * The JSON of protocol messages, read in place: no object tree, no lost digits (pathfinder-protocol.md, 3). Every error
 * is a `ProtocolError`. HOT: once per message; texts are copied once, to where the caller wants them.
 */

import { fitsInt64 } from "../core/decimal.js";
import type { RecordBuilder } from "../core/record.js";
import { utf8Length, writeCodePoint } from "../core/text.js";
import { readDecimal, type Uint63 } from "../core/uint63.js";
import { ProtocolError } from "./protocol-error.js";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
/** Deepest nesting of a value that is skipped. */
const MAX_DEPTH = 32;

export class JsonReader {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;

  /** Begins with the message `bytes[start … end)`. */
  begin(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** Skips white space; returns the byte that follows, or -1 at the end of the message. */
  peek(): number {
    const { bytes, end } = this;
    let at = this.at;
    while (at < end) {
      const byte = bytes[at];
      if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) {
        this.at = at;
        return byte;
      }
      at++;
    }
    this.at = at;
    return -1;
  }

  /** Skips white space and `byte`, which must follow. */
  expect(byte: number): void {
    if (this.peek() !== byte) throw this.error(`expected "${String.fromCharCode(byte)}"`);
    this.at++;
  }

  /** An error at the current position, quoting what stands there. */
  error(problem: string): ProtocolError {
    return new ProtocolError(`not a protocol message: ${problem} at ${this.found()}`);
  }

  /** The value that stands here is not what `needed` says, e.g. `"ttl" must be an integer`. */
  mismatch(needed: string): ProtocolError {
    return new ProtocolError(`${needed}, not ${this.found()}`);
  }

  private found(): string {
    return this.at < this.end ? JSON.stringify(this.raw(this.at, this.end)) : "the end of the message";
  }

  /** Bytes of the message (whatever they are) for an error text, one character each, cut where it gets long. */
  raw(start: number, end: number): string {
    return String.fromCharCode(...this.bytes.subarray(start, Math.min(end, start + 40)));
  }

  /**
   * The position of the closing quote of a string that has no escape, when `at` stands on the opening quote; -1 if it
   * has one, or does not end. For words that are compared in place.
   */
  plainStringEnd(): number {
    const { bytes, end } = this;
    for (let at = this.at + 1; at < end; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) return at;
      if (byte === BACKSLASH) return -1;
    }
    return -1;
  }

  /** Reads a string, decoded, to `out` from `outAt`; returns the position behind it. `out` must hold the rest of the message. */
  text(out: Uint8Array, outAt: number): number {
    const { bytes, end } = this;
    let at = this.at + 1;
    let to = outAt;
    while (at < end) {
      const byte = bytes[at];
      if (byte >= 0x20 && byte < 0x80 && byte !== QUOTE && byte !== BACKSLASH) {
        out[to++] = byte;
        at++;
      } else if (byte === QUOTE) {
        this.at = at + 1;
        return to;
      } else if (byte === BACKSLASH) {
        this.at = at;
        to = this.escape(out, to);
        at = this.at;
      } else {
        const length = byte < 0x20 ? 0 : utf8Length(bytes, at, end);
        if (length === 0) {
          this.at = at;
          throw this.error(byte < 0x20 ? "control character in a string" : "malformed UTF-8");
        }
        for (let i = 0; i < length; i++) out[to++] = bytes[at++];
      }
    }
    this.at = at;
    throw this.error("string without end");
  }

  /** Reads an escape; two that form a surrogate pair become one character, an unpaired one is kept as it is. */
  private escape(out: Uint8Array, to: number): number {
    const letter = this.at + 1 < this.end ? this.bytes[this.at + 1] : 0;
    const simple = '"\\/bfnrt'.indexOf(String.fromCharCode(letter));
    if (simple >= 0) {
      out[to] = '"\\/\b\f\n\r\t'.charCodeAt(simple);
      this.at += 2;
      return to + 1;
    }
    let point = this.unicodeEscape(this.at);
    if (point < 0) throw this.error("unknown escape");
    this.at += 6;
    if (point >= 0xd800 && point < 0xdc00) {
      const low = this.unicodeEscape(this.at);
      if (low >= 0xdc00 && low < 0xe000) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        this.at += 6;
      }
    }
    return writeCodePoint(out, to, point);
  }

  /** The value of `\uXXXX` at `at`; -1 if there is none. */
  private unicodeEscape(at: number): number {
    const { bytes } = this;
    if (at + 6 > this.end || bytes[at] !== BACKSLASH || bytes[at + 1] !== 0x75) return -1;
    let value = 0;
    for (let i = at + 2; i < at + 6; i++) {
      const byte = bytes[i];
      const letter = byte | 0x20;
      const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
      if (digit < 0) return -1;
      value = (value << 4) | digit;
    }
    return value;
  }

  /** The position behind the integer literal at `at` (JSON's syntax: no leading zeros). `field` is for the error; "" for a property. */
  private integerEnd(field: string): number {
    const { bytes, end } = this;
    let at = this.at;
    if (at < end && bytes[at] === MINUS) at++;
    const digits = at;
    while (at < end && bytes[at] >= 0x30 && bytes[at] <= 0x39) at++;
    if (at === digits || (at > digits + 1 && bytes[digits] === 0x30)) throw this.notAnInteger(field);
    const next = at < end ? bytes[at] : 0;
    if (next === 0x2e || next === 0x65 || next === 0x45) throw this.notAnInteger(field);
    return at;
  }

  private notAnInteger(field: string): ProtocolError {
    return this.mismatch(
      field === "" ? 'a value in "service-props" must be a string or an integer' : `"${field}" must be an integer`,
    );
  }

  /** Reads an integer of 0 … 2^63-1. `-0` counts as 0 (3.2). */
  uint63(field: string, into: Uint63): void {
    const byte = this.peek();
    const end = this.integerEnd(field);
    const start = byte === MINUS ? this.at + 1 : this.at;
    if (!readDecimal(this.bytes, start, end, into) || (byte === MINUS && (into.hi | into.lo) !== 0)) {
      throw new ProtocolError(`"${field}" is ${this.raw(this.at, end)} (0 to 9223372036854775807 accepted)`);
    }
    this.at = end;
  }

  /** Reads a number of at least 0, with or without a fraction. */
  nonNegative(field: string): number {
    this.peek();
    const value = Number(this.literal());
    if (!(value >= 0) || value === Infinity) throw this.mismatch(`"${field}" must be a number of at least 0`);
    this.at = this.literalEnd();
    return value;
  }

  /** Reads service properties into the builder: an object of arrays of strings and 64-bit integers (3.2). */
  properties(builder: RecordBuilder): void {
    if (this.peek() !== 0x7b) throw this.mismatch('"service-props" must be an object');
    this.at++;
    builder.begin();
    if (this.peek() === 0x7d) {
      this.at++;
    } else {
      do {
        if (this.peek() !== QUOTE) throw this.error("expected the name of a property");
        builder.endName(this.text(builder.nameBuffer, 0));
        this.expect(0x3a);
        if (this.peek() !== 0x5b) throw this.mismatch('a property in "service-props" must be an array of values');
        this.at++;
        if (this.peek() === 0x5d) this.at++;
        else {
          do this.propertyValue(builder);
          while (this.more(0x5d));
        }
      } while (this.more(0x7d));
    }
    builder.finish();
  }

  /** After an element: true if a comma follows, false if `close` does; both are skipped. */
  more(close: number): boolean {
    const byte = this.peek();
    this.at++;
    if (byte === 0x2c) return true;
    if (byte === close) return false;
    this.at--;
    throw this.error(`expected "," or "${String.fromCharCode(close)}"`);
  }

  private propertyValue(builder: RecordBuilder): void {
    const byte = this.peek();
    const to = builder.beginValue();
    const out = builder.page.bytes;
    if (byte === QUOTE) {
      builder.endValue(this.text(out, to), false);
      return;
    }
    const { bytes, at } = this;
    const end = this.integerEnd("");
    if (!fitsInt64(bytes, at, end)) {
      throw new ProtocolError(`the property value ${this.raw(at, end)} is beyond 64 bits (-2^63 to 2^63-1 accepted)`);
    }
    let length = end - at;
    for (let i = 0; i < length; i++) out[to + i] = bytes[at + i];
    if (length === 2 && out[to] === MINUS && out[to + 1] === 0x30) {
      out[to] = 0x30; // -0 is 0
      length = 1;
    }
    builder.endValue(to + length, true);
    this.at = end;
  }

  /** Skips any JSON value, for members that a client is to ignore. `scratch` must hold the rest of the message. */
  skipValue(scratch: Uint8Array, depth = 0): void {
    if (depth > MAX_DEPTH) throw this.error(`values nested deeper than ${MAX_DEPTH} levels`);
    const byte = this.peek();
    if (byte === QUOTE) {
      this.text(scratch, 0);
    } else if (byte === 0x7b || byte === 0x5b) {
      this.at++;
      if (this.peek() === byte + 2) this.at++;
      else {
        do {
          if (byte === 0x7b) {
            if (this.peek() !== QUOTE) throw this.error("expected the name of a member");
            this.text(scratch, 0);
            this.expect(0x3a);
          }
          this.skipValue(scratch, depth + 1);
        } while (this.more(byte + 2));
      }
    } else {
      const literal = this.literal();
      if (!/^(?:true|false|null)$/.test(literal) && Number.isNaN(Number(literal))) throw this.error("expected a value");
      this.at = this.literalEnd();
    }
  }

  /** The number or word that stands here; `NaN` if it is neither. */
  private literal(): string {
    let text = "";
    const end = this.literalEnd();
    for (let i = this.at; i < end; i++) text += String.fromCharCode(this.bytes[i]);
    return /^(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|[a-z]+)$/.test(text) ? text : "NaN";
  }

  /** The position behind the letters, digits, signs and points that stand here. */
  private literalEnd(): number {
    let at = this.at;
    while (at < this.end && /[-+.\w]/.test(String.fromCharCode(this.bytes[at]))) at++;
    return at;
  }
}
