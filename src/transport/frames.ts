/**
 * XCM frames on a byte stream: a 32-bit big-endian length and that many bytes (xcm-transports.md, 4.1).
 *
 * HOT: once per message on a TCP connection. A frame that arrived in one piece is not copied: `bytes`, `start` and `end`
 * point into the chunk. Frames are pulled, not pushed, so that a reader can stop between any two and go on later.
 */

import { HEADER_LENGTH } from "./outbox.js";
import { TransportError } from "./transport.js";

const NOTHING = new Uint8Array(0);
const MIN_PARTIAL = 1_024;

function lengthAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Writes the header of a frame with a payload of `length` bytes. */
export function writeHeader(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = length >>> 24;
  bytes[at + 1] = length >>> 16;
  bytes[at + 2] = length >>> 8;
  bytes[at + 3] = length;
}

/** Cuts messages out of chunks: `feed` one, then `next` until it is false, then feed another. */
export class FrameReader {
  /** The message that `next` found: `bytes[start … end)`, valid until the call after. */
  bytes: Uint8Array = NOTHING;
  start = 0;
  end = 0;

  /** May change between two calls of `next`. */
  maxLength: number;
  #chunk: Uint8Array = NOTHING;
  #at = 0;
  /** Header and payload of a frame that began in an earlier chunk; grows as bytes arrive, not as the header promises. */
  #partial: Uint8Array = NOTHING;
  #partialLength = 0;

  constructor(maxLength: number) {
    this.maxLength = maxLength;
  }

  feed(chunk: Uint8Array): void {
    if (this.#at < this.#chunk.length) throw new Error("the chunk before has not been read to its end");
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** Moves to the next complete message. Throws a TransportError `EPROTO`, each time, at a header that is not valid. */
  next(): boolean {
    if (this.#partialLength > 0) return this.#complete();
    const chunk = this.#chunk;
    const at = this.#at;
    const available = chunk.length - at;
    if (available >= HEADER_LENGTH) {
      const length = this.#checked(lengthAt(chunk, at));
      if (available - HEADER_LENGTH >= length) {
        this.bytes = chunk;
        this.start = at + HEADER_LENGTH;
        this.end = this.start + length;
        this.#at = this.end;
        return true;
      }
    }
    this.#collect(available);
    return false;
  }

  /** Goes on with the partial frame; its bytes stay in place until the call after. */
  #complete(): boolean {
    if (this.#partialLength < HEADER_LENGTH) this.#collect(HEADER_LENGTH - this.#partialLength);
    if (this.#partialLength < HEADER_LENGTH) return false;
    const frame = HEADER_LENGTH + this.#checked(lengthAt(this.#partial, 0));
    this.#collect(frame - this.#partialLength);
    if (this.#partialLength < frame) return false;
    this.bytes = this.#partial;
    this.start = HEADER_LENGTH;
    this.end = frame;
    this.#partial = NOTHING;
    this.#partialLength = 0;
    return true;
  }

  /** Moves up to `count` bytes from the chunk to the partial frame. */
  #collect(count: number): void {
    if (this.#at === this.#chunk.length) return;
    const end = Math.min(this.#at + count, this.#chunk.length);
    const needed = this.#partialLength + end - this.#at;
    if (needed > this.#partial.length) {
      const limit = HEADER_LENGTH + this.maxLength;
      const grown = new Uint8Array(Math.min(limit, Math.max(needed, 2 * this.#partial.length, MIN_PARTIAL)));
      grown.set(this.#partial.subarray(0, this.#partialLength));
      this.#partial = grown;
    }
    this.#partial.set(this.#chunk.subarray(this.#at, end), this.#partialLength);
    this.#partialLength = needed;
    this.#at = end;
    if (end === this.#chunk.length) {
      this.#chunk = NOTHING;
      this.#at = 0;
    }
  }

  #checked(length: number): number {
    if (length === 0 || length > this.maxLength) {
      throw new TransportError("EPROTO", `frame of ${length} bytes (1 to ${this.maxLength} accepted)`);
    }
    return length;
  }
}
