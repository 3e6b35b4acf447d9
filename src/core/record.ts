/**
 * Property records: the properties of one service as one binary block, which filters are evaluated over and JSON is
 * made from. Layout in 32-bit words (the same memory is seen as bytes):
 *
 *     0  words in the whole record          4… one entry per value, those of one name adjacent:
 *     1  number of values                        +0  hash of the name            (PairHash, 30 bits)
 *     2  sum of the entries' fingerprints        +1  hash of name and value
 *     3  bytes of its JSON text                  +2  bytes of the name
 *                                                +3  bytes of the value × 4 + flags
 *                                                +4  name, value (UTF-8), padding
 *
 * An integer is kept as its canonical decimal text and a flag: it compares, hashes and prints without conversion.
 */

import { Page } from "./blocks.js";
import type { PairHash } from "./pair-hash.js";
import type { Properties, PropertyValue } from "./properties.js";
import { byteLength, readText, writeText } from "./text.js";

export const RECORD_HEADER = 4;
export const ENTRY_HEADER = 4;

/** Flags of an entry, in the two lowest bits of its last header word. */
const INTEGER = 1;
const DEAD = 2;

/** No entry: entries begin behind the header. */
const NO_ENTRY = 0;

/** Most values that one service may have; a publish with more is refused as `insufficient-resources`. */
export const MAX_VALUES = 4096;

/**
 * Most bytes that the JSON text of a service's properties may have: what is left of the longest message a client can
 * read (65,535 bytes) after the other members of a notification. More is refused as `insufficient-resources`.
 */
export const MAX_PROPERTIES_JSON = 65_535 - 512;

/** Words of the record at `at`. */
export const recordWords = (page: Page, at: number): number => page.words[at];
/** Number of values of the record at `at`. */
export const recordValues = (page: Page, at: number): number => page.words[at + 1];
/** Length of the record's JSON text in bytes. */
export const recordJsonLength = (page: Page, at: number): number => page.words[at + 3];

export const entryNameLength = (words: Int32Array, entry: number): number => words[entry + 2];
export const entryValueLength = (words: Int32Array, entry: number): number => words[entry + 3] >>> 2;
export const entryIsInteger = (words: Int32Array, entry: number): boolean => (words[entry + 3] & INTEGER) !== 0;
/** Position of the entry's name in the page's bytes; its value follows at once. */
export const entryText = (entry: number): number => (entry + ENTRY_HEADER) * 4;
/** Position of the entry behind this one. */
export const nextEntry = (words: Int32Array, entry: number): number =>
  entry + ENTRY_HEADER + ((words[entry + 2] + (words[entry + 3] >>> 2) + 3) >> 2);

export function bytesEqual(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/** True if a name or value can not be part of any record: the buffers hold what fits a message. */
const exceedsLongestText = (text: string): boolean =>
  text.length > MAX_PROPERTIES_JSON || byteLength(text) > MAX_PROPERTIES_JSON;

const fingerprint = (words: Int32Array, entry: number): number =>
  Math.imul(words[entry + 1] ^ (words[entry + 3] & INTEGER), 0x9e37_79b1);

/** Slots of the builder's hash table: twice the most values and names together. */
const SLOTS = 4 * MAX_VALUES;
/** Fullest the table may get, so that probing stays short and ends; beyond it a record counts as too large. */
const MAX_SLOTS_IN_USE = (SLOTS / 4) * 3;
/**
 * The largest record the builder can hold: a page, of which the last 65,536 bytes are kept free for the next value.
 * Each value carries its name, so a long name with very many values may be refused although its JSON text is short.
 */
const SCRATCH_WORDS = 65_536;

/**
 * Builds one record at a time in a page of its own, straight from the bytes of a message. Use:
 * `begin()`, then per name `beginName` / write bytes / `endName`, per value `beginValue` / write bytes / `endValue`,
 * then `finish()`. Bytes are written by the caller to `page.bytes` at the returned position, at most `room` of them.
 *
 * Duplicate values of a name collapse; a name that is begun again replaces what it had (last one wins). What does not
 * fit sets `tooLarge`; the record is then not usable, but the caller may go on, to check the rest of its input.
 */
export class RecordBuilder {
  readonly page = new Page(SCRATCH_WORDS);
  /** The record exceeds MAX_VALUES, MAX_PROPERTIES_JSON or the page. */
  tooLarge = false;

  private entry = RECORD_HEADER;
  private count = 0;
  private dead = 0;
  /** The name being built: its bytes stand in `nameBytes`, because each entry gets a copy. */
  private readonly nameBytes = new Uint8Array(65_536);
  private nameLength = 0;
  private nameHash = 0;
  /** The first entry of the name; NO_ENTRY until it has a value. */
  private nameFirst = NO_ENTRY;
  /** The slot that an earlier occurrence of the name left behind; -1 if there was none. */
  private nameSlot = -1;
  /** The entry that the name was already copied to: values that turn out to be duplicates use it again. */
  private copiedTo = NO_ENTRY;
  /** Hash table over entries (by pair) and names (by the first entry of the name). Valid where `stamps` is current. */
  private readonly slots = new Int32Array(SLOTS);
  private readonly stamps = new Int32Array(SLOTS);
  private stamp = 0;
  private slotsInUse = 0;

  constructor(private readonly hash: PairHash) {}

  begin(): void {
    this.entry = RECORD_HEADER;
    this.count = 0;
    this.dead = 0;
    this.slotsInUse = 0;
    this.tooLarge = false;
    if (this.stamp === 0x7fff_ffff) this.stamps.fill((this.stamp = 0));
    this.stamp++;
  }

  /** Where the bytes of a name go; it must be decoded to `endName(length)`. At most 65,536 bytes. */
  get nameBuffer(): Uint8Array {
    return this.nameBytes;
  }

  /** The name in `nameBuffer[0 … length)` is complete; its values follow. */
  endName(length: number): void {
    this.nameLength = length;
    this.nameHash = this.hash.name(this.nameBytes, 0, length);
    this.nameFirst = NO_ENTRY;
    this.nameSlot = -1;
    this.copiedTo = NO_ENTRY;
    if (this.count > 0) this.removeName();
  }

  /** Where the bytes of the next value go in `page.bytes`. */
  beginValue(): number {
    if ((this.entry + ENTRY_HEADER) * 4 + this.nameLength + 65_536 > this.page.bytes.length) {
      this.tooLarge = true;
      this.entry = RECORD_HEADER; // go on where there is room: the record is void, but its input is still checked
      this.count = 0;
    }
    const text = entryText(this.entry);
    const { nameBytes, nameLength } = this;
    if (this.copiedTo !== this.entry) {
      const { bytes } = this.page;
      for (let i = 0; i < nameLength; i++) bytes[text + i] = nameBytes[i];
      this.copiedTo = this.entry;
    }
    return text + nameLength;
  }

  /** The value that ends before byte `end` of the page is complete; integers in canonical decimal form. */
  endValue(end: number, isInteger: boolean): void {
    const { entry, nameLength } = this;
    const { words, bytes } = this.page;
    const valueStart = entryText(entry) + nameLength;
    words[entry] = this.nameHash;
    words[entry + 1] = this.hash.value(bytes, valueStart, end);
    words[entry + 2] = nameLength;
    words[entry + 3] = ((end - valueStart) << 2) | (isInteger ? INTEGER : 0);
    if (this.tooLarge || !this.addPair(entry)) return;
    if (this.count - this.dead === MAX_VALUES || this.slotsInUse >= MAX_SLOTS_IN_USE) {
      this.tooLarge = true;
      return;
    }
    if (this.nameFirst === NO_ENTRY) this.addName(entry);
    this.count++;
    this.entry = nextEntry(words, entry);
  }

  /** Completes the record; it stands at word 0 of `page`. Returns its length in words. */
  finish(): number {
    const { words, bytes } = this.page;
    if (this.dead > 0) this.compact();
    let sum = 0;
    let json = 2;
    let group = -1;
    for (let entry = RECORD_HEADER; entry < this.entry; entry = nextEntry(words, entry)) {
      const text = entryText(entry);
      const valueStart = text + words[entry + 2];
      const valueEnd = valueStart + entryValueLength(words, entry);
      // The padding is cleared, so that equal records are equal words.
      for (let i = valueEnd; (i & 3) !== 0; i++) bytes[i] = 0;
      sum = (sum + fingerprint(words, entry)) | 0;
      if (group < 0 || !sameName(words, bytes, group, entry)) {
        json += jsonTextLength(bytes, text, valueStart) + 3 + (group < 0 ? 0 : 1); // "name":[…] and a comma
        group = entry;
      } else {
        json += 1;
      }
      json += entryIsInteger(words, entry) ? valueEnd - valueStart : jsonTextLength(bytes, valueStart, valueEnd);
    }
    words[0] = this.entry;
    words[1] = this.count;
    words[2] = sum;
    words[3] = json;
    if (json > MAX_PROPERTIES_JSON) this.tooLarge = true;
    return this.entry;
  }

  /** Builds the record of `properties`; throws a `RangeError` for an integer beyond 64 bits. See `tooLarge`. */
  fromProperties(properties: Properties): number {
    this.begin();
    for (const [name, values] of properties) {
      if (exceedsLongestText(name)) this.tooLarge = true;
      if (this.tooLarge) break;
      this.endName(writeText(this.nameBytes, 0, name));
      for (const value of values) this.addValue(name, value);
    }
    return this.finish();
  }

  private addValue(name: string, value: PropertyValue): void {
    if (typeof value === "string" && exceedsLongestText(value)) {
      this.tooLarge = true;
      return;
    }
    if (typeof value === "bigint" && BigInt.asIntN(64, value) !== value) {
      throw new RangeError(`property "${name}" has the value ${value} (-2^63 to 2^63-1 accepted)`);
    }
    const start = this.beginValue();
    this.endValue(writeText(this.page.bytes, start, String(value)), typeof value === "bigint");
  }

  /** Files the entry under its pair; false if the name already has that value. Slots of dead entries are used again. */
  private addPair(entry: number): boolean {
    const { words, bytes } = this.page;
    // Only the entries from the first of this name on can have the same name: those before a repetition are dead.
    const first = this.nameFirst === NO_ENTRY ? entry : this.nameFirst;
    let reused = -1;
    let slot = words[entry + 1] & (SLOTS - 1);
    for (; this.stamps[slot] === this.stamp; slot = (slot + 1) & (SLOTS - 1)) {
      const other = this.slots[slot];
      if (other >= first) {
        if (sameValue(words, bytes, other, entry)) return false;
      } else if (reused < 0 && other > 0 && (words[other + 3] & DEAD) !== 0) {
        reused = slot;
      }
    }
    this.file(reused < 0 ? slot : reused, entry);
    return true;
  }

  /** Files the entry as the first of its name: negative in the table. */
  private addName(entry: number): void {
    const { words } = this.page;
    let slot = this.nameSlot;
    if (slot < 0) {
      slot = words[entry] & (SLOTS - 1);
      while (this.stamps[slot] === this.stamp) slot = (slot + 1) & (SLOTS - 1);
    }
    this.file(slot, -entry);
    this.nameFirst = entry;
  }

  private file(slot: number, entry: number): void {
    if (this.stamps[slot] !== this.stamp) this.slotsInUse++;
    this.stamps[slot] = this.stamp;
    this.slots[slot] = entry;
  }

  /** If the name was there before, marks its entries dead. The slot it was filed under is used again. */
  private removeName(): void {
    const { words, bytes } = this.page;
    const { nameHash, nameLength, nameBytes } = this;
    for (let slot = nameHash & (SLOTS - 1); this.stamps[slot] === this.stamp; slot = (slot + 1) & (SLOTS - 1)) {
      const first = -this.slots[slot];
      if (first <= 0 || words[first] !== nameHash || words[first + 2] !== nameLength) continue;
      if (!bytesEqual(bytes, entryText(first), nameBytes, 0, nameLength)) continue;
      this.nameSlot = slot;
      if ((words[first + 3] & DEAD) !== 0) return; // repeated before, without values
      for (let entry = first; entry < this.entry && sameName(words, bytes, first, entry); ) {
        words[entry + 3] |= DEAD;
        this.dead++;
        entry = nextEntry(words, entry);
      }
      return;
    }
  }

  private compact(): void {
    const { words } = this.page;
    let to = RECORD_HEADER;
    for (let entry = RECORD_HEADER; entry < this.entry; ) {
      const next = nextEntry(words, entry);
      if ((words[entry + 3] & DEAD) === 0) {
        words.copyWithin(to, entry, next);
        to += next - entry;
      } else {
        this.count--;
      }
      entry = next;
    }
    this.entry = to;
  }
}

function sameName(words: Int32Array, bytes: Uint8Array, a: number, b: number): boolean {
  return (
    words[a] === words[b] &&
    words[a + 2] === words[b + 2] &&
    bytesEqual(bytes, entryText(a), bytes, entryText(b), words[a + 2])
  );
}

/** For two live entries of the same name. */
function sameValue(words: Int32Array, bytes: Uint8Array, a: number, b: number): boolean {
  const name = words[a + 2];
  return (
    words[a + 1] === words[b + 1] &&
    words[a + 3] === words[b + 3] &&
    bytesEqual(bytes, entryText(a) + name, bytes, entryText(b) + name, entryValueLength(words, a))
  );
}

/** Bytes of a text as a JSON string, quotes included (see wire/json-writer.ts, which writes exactly that). */
function jsonTextLength(bytes: Uint8Array, start: number, end: number): number {
  let length = end - start + 2;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte < 0x20) length += byte === 8 || byte === 9 || byte === 10 || byte === 12 || byte === 13 ? 1 : 5;
    else if (byte === 0x22 || byte === 0x5c) length += 1;
    else if (byte === 0xed && bytes[i + 1] >= 0xa0) length += 3; // an unpaired surrogate becomes \uXXXX
  }
  return length;
}

/**
 * True if the two records hold the same properties, whatever the order of names and values. Records written in the
 * same order (the usual case) are compared word by word; else each entry of one is looked up in the other.
 */
export function sameRecords(a: Page, aAt: number, b: Page, bAt: number): boolean {
  const length = a.words[aAt];
  if (a.words[aAt + 1] !== b.words[bAt + 1] || a.words[aAt + 2] !== b.words[bAt + 2]) return false;
  if (length !== b.words[bAt]) return false; // every entry takes the same room in either order
  let equal = true;
  for (let i = 0; equal && i < length; i++) equal = a.words[aAt + i] === b.words[bAt + i];
  return equal || sameSets(a, aAt, b, bAt);
}

/** Slow path of `sameRecords`: entries of `b` by pair hash, then a look-up per entry of `a`. */
function sameSets(a: Page, aAt: number, b: Page, bAt: number): boolean {
  const byHash = new Map<number, number[]>();
  const bEnd = bAt + b.words[bAt];
  for (let entry = bAt + RECORD_HEADER; entry < bEnd; entry = nextEntry(b.words, entry)) {
    const chain = byHash.get(b.words[entry + 1]);
    if (chain) chain.push(entry);
    else byHash.set(b.words[entry + 1], [entry]);
  }
  const aEnd = aAt + a.words[aAt];
  for (let entry = aAt + RECORD_HEADER; entry < aEnd; entry = nextEntry(a.words, entry)) {
    const found = byHash.get(a.words[entry + 1])?.some((other) => {
      if (a.words[entry + 2] !== b.words[other + 2] || a.words[entry + 3] !== b.words[other + 3]) return false;
      const length = a.words[entry + 2] + entryValueLength(a.words, entry);
      return bytesEqual(a.bytes, entryText(entry), b.bytes, entryText(other), length);
    });
    if (!found) return false;
  }
  return true;
}

/** The properties of the record at `at`, for programs and gateways. */
export function toProperties(page: Page, at: number): Properties {
  const result = new Map<string, PropertyValue[]>();
  const { words, bytes } = page;
  for (let entry = at + RECORD_HEADER; entry < at + words[at]; entry = nextEntry(words, entry)) {
    const text = entryText(entry);
    const valueStart = text + words[entry + 2];
    const name = readText(bytes, text, valueStart);
    const value = readText(bytes, valueStart, valueStart + entryValueLength(words, entry));
    const values = result.get(name);
    if (values) values.push(entryIsInteger(words, entry) ? BigInt(value) : value);
    else result.set(name, [entryIsInteger(words, entry) ? BigInt(value) : value]);
  }
  return result;
}
