/**
 * Filter programs: a filter compiled to one binary block, and the evaluator that runs it over a property record.
 *
 * A program is a list of comparisons; each names where to go on if it holds and where if it does not, so `&`, `|` and
 * `!` cost nothing at run time and the evaluator is one loop without recursion. Block layout in 32-bit words:
 *
 *     0  words in the whole program        4… comparisons:  +0 operation   +3 hash of the key
 *     1  bytes of the canonical text                        +1 if true     +4 key: byte offset   +5 its length
 *     2  byte offset of the canonical text                  +2 if false    +6… operands, see below
 *     3  the comparison to begin with
 *
 * Jump targets are word offsets in the program, or TRUE or FALSE. The texts follow the comparisons.
 */

import { type BlockStore, NO_BLOCK, Page } from "../blocks.js";
import { compareDecimal } from "../decimal.js";
import type { PairHash } from "../pair-hash.js";
import {
  bytesEqual,
  entryIsInteger,
  entryNameLength,
  entryText,
  entryValueLength,
  nextEntry,
  RECORD_HEADER,
} from "../record.js";
import { readText, writeText } from "../text.js";
import { type Filter, MAX_FILTER_LENGTH, printFilter } from "./syntax.js";

const HEADER = 4;
const TRUE = -1;
const FALSE = -2;

const EQUAL = 0; //     +6 hash of the pair  +7 value: byte offset  +8 its length
const PRESENT = 1; //   no operands
const GREATER = 2; //   +6 value: byte offset  +7 its length
const LESS = 3; //      likewise
const SUBSTRING = 4; // +6 number of parts, then per part byte offset and length

/** Room for the largest program: a comparison needs at least five characters of filter text and at most nine words. */
const SCRATCH_WORDS = MAX_FILTER_LENGTH * 4;

export class FilterCompiler {
  private readonly page = new Page(SCRATCH_WORDS);
  private words = 0;
  private texts: number[] = [];
  private textBytes = new Uint8Array(MAX_FILTER_LENGTH * 8);
  private textEnd = 0;

  constructor(
    private readonly store: BlockStore,
    private readonly hash: PairHash,
  ) {}

  /** Compiles `filter` (which was parsed, and so keeps the limits of syntax.ts) into a block of the store. */
  compile(filter: Filter): number {
    this.words = HEADER;
    this.textEnd = 0;
    this.texts = [];
    const entry = this.emit(filter, TRUE, FALSE);
    const canonicalAt = this.text(printFilter(filter));
    const { words, bytes } = this.page;
    // Offsets of texts were noted relative to the first of them; now that the length of the code is known, they shift.
    const textBase = this.words * 4;
    for (const at of this.texts) words[at] += textBase;
    for (let i = 0; i < this.textEnd; i++) bytes[textBase + i] = this.textBytes[i];
    const total = this.words + ((this.textEnd + 3) >> 2);
    words[0] = total;
    words[1] = this.textEnd - canonicalAt;
    words[2] = textBase + canonicalAt;
    words[3] = entry;
    return this.store.store(this.page, 0, total);
  }

  release(program: number): void {
    this.store.release(program, this.store.page(program).words[this.store.at(program)]);
  }

  /** Writes the code of `filter`, operands last to first, because each one jumps to the next. Returns its entry. */
  private emit(filter: Filter, onTrue: number, onFalse: number): number {
    switch (filter.kind) {
      case "not":
        return this.emit(filter.operand, onFalse, onTrue);
      case "and":
        return filter.operands.reduceRight((next, operand) => this.emit(operand, next, onFalse), onTrue);
      case "or":
        return filter.operands.reduceRight((next, operand) => this.emit(operand, onTrue, next), onFalse);
      case "present":
        return this.comparison(PRESENT, filter.key, onTrue, onFalse);
      case "greater":
      case "less": {
        const at = this.comparison(filter.kind === "greater" ? GREATER : LESS, filter.key, onTrue, onFalse);
        this.operand(filter.value);
        return at;
      }
      case "equal": {
        const at = this.comparison(EQUAL, filter.key, onTrue, onFalse);
        const hashAt = this.words++;
        const start = this.textEnd;
        this.operand(filter.value);
        this.page.words[hashAt] = this.hash.value(this.textBytes, start, this.textEnd);
        return at;
      }
      case "substring": {
        const at = this.comparison(SUBSTRING, filter.key, onTrue, onFalse);
        this.page.words[this.words++] = filter.parts.length;
        for (const part of filter.parts) this.operand(part);
        return at;
      }
    }
  }

  private comparison(operation: number, key: string, onTrue: number, onFalse: number): number {
    const { words } = this.page;
    const at = this.words;
    const keyAt = this.text(key);
    words[at] = operation;
    words[at + 1] = onTrue;
    words[at + 2] = onFalse;
    words[at + 3] = this.hash.name(this.textBytes, keyAt, this.textEnd);
    words[at + 4] = keyAt;
    words[at + 5] = this.textEnd - keyAt;
    this.texts.push(at + 4);
    this.words = at + 6;
    return at;
  }

  private operand(text: string): void {
    const at = this.text(text);
    this.texts.push(this.words);
    this.page.words[this.words++] = at;
    this.page.words[this.words++] = this.textEnd - at;
  }

  private text(text: string): number {
    const at = this.textEnd;
    this.textEnd = writeText(this.textBytes, at, text);
    return at;
  }
}

/** The canonical text of a program's filter. */
export function programText(store: BlockStore, program: number): string {
  const { words, bytes } = store.page(program);
  const at = store.at(program);
  const start = at * 4 + words[at + 2];
  return readText(bytes, start, start + words[at + 1]);
}

/*
 * HOT: once per candidate subscription and change. Allocates nothing; keys and pairs are compared by hash first, then
 * byte for byte. `npm run bench -- filter` shows evaluations per second and bytes allocated per evaluation.
 */

/** True if the record satisfies the program; no program means no filter, which everything satisfies. */
export function matches(store: BlockStore, program: number, record: number): boolean {
  if (program === NO_BLOCK) return true;
  return evaluate(store.page(program), store.at(program), store.page(record), store.at(record));
}

/** The same for a record that is not in the store (yet). */
export function evaluate(program: Page, at: number, record: Page, recordAt: number): boolean {
  const code = program.words;
  const end = recordAt + record.words[recordAt];
  let next = code[at + 3];
  while (next >= 0) {
    const pc = at + next;
    next = holds(program, at, pc, record, recordAt, end) ? code[pc + 1] : code[pc + 2];
  }
  return next === TRUE;
}

/** True if some value of the comparison's key satisfies it; each comparison looks at the values independently (14.4). */
function holds(program: Page, at: number, pc: number, record: Page, recordAt: number, end: number): boolean {
  const code = program.words;
  const { words, bytes } = record;
  const operation = code[pc];
  const keyHash = code[pc + 3];
  const keyAt = at * 4 + code[pc + 4];
  const keyLength = code[pc + 5];
  for (let entry = recordAt + RECORD_HEADER; entry < end; entry = nextEntry(words, entry)) {
    // The hash of a pair tells most: of a name with many values, equality looks closer at one.
    if (operation === EQUAL && words[entry + 1] !== code[pc + 6]) continue;
    if (words[entry] !== keyHash || entryNameLength(words, entry) !== keyLength) continue;
    const text = entryText(entry);
    if (!bytesEqual(bytes, text, program.bytes, keyAt, keyLength)) continue;
    if (operation === PRESENT) return true;
    const value = text + keyLength;
    const valueLength = entryValueLength(words, entry);
    const isInteger = entryIsInteger(words, entry);
    if (operation === EQUAL) {
      // An integer is kept as its decimal text, which is what equality compares it by.
      const length = code[pc + 8];
      if (valueLength === length && bytesEqual(bytes, value, program.bytes, at * 4 + code[pc + 7], length)) return true;
    } else if (operation === SUBSTRING) {
      if (!isInteger && containsParts(program, at, pc, bytes, value, value + valueLength)) return true;
    } else if (isInteger) {
      const operand = at * 4 + code[pc + 6];
      const order = compareDecimal(bytes, value, value + valueLength, program.bytes, operand, operand + code[pc + 7]);
      if (operation === GREATER ? order > 0 : order < 0) return true;
    }
  }
  return false;
}

/** True if `bytes[start … end)` begins with the first part, ends with the last, and has the others between, in order. */
function containsParts(program: Page, at: number, pc: number, bytes: Uint8Array, start: number, end: number): boolean {
  const code = program.words;
  const count = code[pc + 6];
  const first = pc + 7;
  const last = first + 2 * (count - 1);
  const headLength = code[first + 1];
  const tailLength = code[last + 1];
  let from = start + headLength;
  const to = end - tailLength;
  if (from > to) return false;
  if (!bytesEqual(bytes, start, program.bytes, at * 4 + code[first], headLength)) return false;
  if (!bytesEqual(bytes, to, program.bytes, at * 4 + code[last], tailLength)) return false;
  for (let part = first + 2; part < last; part += 2) {
    from = findBehind(bytes, from, to, program.bytes, at * 4 + code[part], code[part + 1]);
    if (from < 0) return false;
  }
  return true;
}

/** Parts up to this length are searched naively; the cost per byte is then bounded by it. */
const NAIVE_LENGTH = 4;
/** For Knuth, Morris and Pratt's search of longer parts: both text and part come from peers and may be hostile. */
const failure = new Int32Array(MAX_FILTER_LENGTH * 3);

/** The position behind the first occurrence of the part in `bytes[from … to)`, or -1. */
function findBehind(
  bytes: Uint8Array,
  from: number,
  to: number,
  parts: Uint8Array,
  part: number,
  length: number,
): number {
  if (length <= NAIVE_LENGTH) {
    for (let at = from; at + length <= to; at++) if (bytesEqual(bytes, at, parts, part, length)) return at + length;
    return -1;
  }
  if (length > to - from) return -1; // before the part is looked at: many short values must not cost its length each
  failure[0] = 0;
  for (let i = 1, matched = 0; i < length; i++) {
    while (matched > 0 && parts[part + i] !== parts[part + matched]) matched = failure[matched - 1];
    if (parts[part + i] === parts[part + matched]) matched++;
    failure[i] = matched;
  }
  for (let at = from, matched = 0; at < to; at++) {
    while (matched > 0 && bytes[at] !== parts[part + matched]) matched = failure[matched - 1];
    if (bytes[at] === parts[part + matched]) matched++;
    if (matched === length) return at + 1;
  }
  return -1;
}
