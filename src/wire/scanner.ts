/**
 * Scans one protocol message in place into a reusable `Message` (pathfinder-protocol.md, 3 to 6). HOT: once per message.
 * Nothing is allocated for a well-formed message; `npm run bench -- ping` shows the cost.
 */

import type { RecordBuilder } from "../core/record.js";
import { readText } from "../core/text.js";
import { Uint63 } from "../core/uint63.js";
import { ALLOWED, COMMANDS, F, FIELDS, fieldNames, MATCH_TYPES, MESSAGE_TYPES, MUST, TRACK_TYPES } from "./commands.js";
import { JsonReader } from "./json-reader.js";
import { ProtocolError } from "./protocol-error.js";

const QUOTE = 0x22;
/** Longest message that is scanned (2.1); the buffers of a scanner are made for it. */
export const MAX_SCANNED_BYTES = 65_535;

/** What a message said. Valid until the next one is scanned. */
export class Message {
  /** Number in COMMANDS. */
  command = 0;
  /** Number in MESSAGE_TYPES. */
  type = 0;
  trackType = 0;
  matchType = 0;
  /** Bit per field of FIELDS. */
  present = 0;
  /** Two halves per field. */
  private readonly halves = new Int32Array(2 * FIELDS.length);
  readonly numbers = new Float64Array(FIELDS.length);
  /** Decoded texts, one behind the other; start and end per field. */
  readonly textBytes = new Uint8Array(MAX_SCANNED_BYTES);
  private readonly textRanges = new Int32Array(2 * FIELDS.length);
  private textEnd = 0;

  hi(field: number): number {
    return this.halves[2 * field];
  }

  lo(field: number): number {
    return this.halves[2 * field + 1];
  }

  has(field: number): boolean {
    return (this.present & (1 << field)) !== 0;
  }

  /** A text field; allocates. */
  text(field: number): string {
    return readText(this.textBytes, this.textRanges[2 * field], this.textRanges[2 * field + 1]);
  }

  /** @internal */
  clear(): void {
    this.present = 0;
    this.textEnd = 0;
    this.command = -1;
    this.type = -1;
    this.trackType = -1;
    this.matchType = -1;
  }

  /** @internal */
  setInteger(field: number, value: Uint63): void {
    this.halves[2 * field] = value.hi;
    this.halves[2 * field + 1] = value.lo;
  }

  /** @internal Reads a text from `reader`. All texts of a message, repeated ones too, are shorter than the message. */
  readTextFrom(reader: JsonReader, field: number): void {
    this.textRanges[2 * field] = this.textEnd;
    this.textEnd = reader.text(this.textBytes, this.textEnd);
    this.textRanges[2 * field + 1] = this.textEnd;
  }
}

/** Words by length, then compared byte by byte: the tables are tiny and the lengths tell most of them apart. */
class WordTable {
  private readonly byLength: { readonly bytes: Uint8Array; readonly index: number }[][] = [];

  constructor(words: readonly string[]) {
    words.forEach((word, index) => {
      const bytes = Uint8Array.from(word, (letter) => letter.charCodeAt(0));
      (this.byLength[bytes.length] ??= []).push({ bytes, index });
    });
    for (let i = 0; i < this.byLength.length; i++) this.byLength[i] ??= [];
  }

  /** The number of the word `bytes[start … end)`, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length >= this.byLength.length) return -1;
    const words = this.byLength[length];
    for (let w = 0; w < words.length; w++) {
      const word = words[w].bytes;
      let i = 0;
      while (i < length && bytes[start + i] === word[i]) i++;
      if (i === length) return words[w].index;
    }
    return -1;
  }
}

const FIELD_TABLE = new WordTable(FIELDS.map(([name]) => name));
const COMMAND_TABLE = new WordTable(COMMANDS.map(({ name }) => name));
const TYPE_TABLE = new WordTable(MESSAGE_TYPES);
const TRACK_TABLE = new WordTable(TRACK_TYPES);
const MATCH_TABLE = new WordTable(MATCH_TYPES);
const FIELD_KINDS = FIELDS.map(([, kind]) => kind);

export interface ScannerOptions {
  /** Where `service-props` are built. */
  readonly builder: RecordBuilder;
  /** Servers refuse unknown members; clients ignore them (6.11). */
  readonly ignoreUnknownMembers?: boolean;
}

export class Scanner {
  readonly message = new Message();
  private readonly reader = new JsonReader();
  private readonly integer = new Uint63();
  private readonly word = new Uint8Array(MAX_SCANNED_BYTES);

  constructor(private readonly options: ScannerOptions) {}

  /**
   * Scans `bytes[start … end)`, a message of a peer that speaks `version`, and checks that it has the fields that its
   * command and type must have, and no others. Of a repeated member the last one counts (3.1), but each must be valid.
   * Throws a `ProtocolError`.
   */
  scan(bytes: Uint8Array, start: number, end: number, version: number): Message {
    const { message, reader } = this;
    if (end - start > MAX_SCANNED_BYTES) {
      throw new ProtocolError(`message of ${end - start} bytes (at most ${MAX_SCANNED_BYTES} accepted)`);
    }
    reader.begin(bytes, start, end);
    message.clear();
    reader.expect(0x7b);
    if (reader.peek() === 0x7d) reader.at++;
    else {
      do this.member();
      while (reader.more(0x7d));
    }
    if (reader.peek() !== -1) throw reader.error("text behind the message");
    this.check(version);
    return message;
  }

  private member(): void {
    const { reader, message } = this;
    if (reader.peek() !== QUOTE) throw reader.error("expected the name of a member");
    const nameAt = reader.at;
    const field = this.wordIn(FIELD_TABLE);
    reader.expect(0x3a);
    if (field < 0) {
      if (!this.options.ignoreUnknownMembers) {
        reader.at = nameAt;
        throw reader.error("unknown member");
      }
      reader.skipValue(this.word);
      return;
    }
    switch (FIELD_KINDS[field]) {
      case "word":
        this.wordField(field);
        break;
      case "uint63":
        reader.uint63(FIELDS[field][0], this.integer);
        message.setInteger(field, this.integer);
        break;
      case "number":
        message.numbers[field] = reader.nonNegative(FIELDS[field][0]);
        break;
      case "text":
        if (reader.peek() !== QUOTE) throw reader.mismatch(`"${FIELDS[field][0]}" must be a string`);
        message.readTextFrom(reader, field);
        break;
      case "props":
        reader.properties(this.options.builder);
    }
    message.present |= 1 << field;
  }

  private wordField(field: number): void {
    const { reader, message } = this;
    if (reader.peek() !== QUOTE) throw reader.mismatch(`"${FIELDS[field][0]}" must be a string`);
    const valueAt = reader.at;
    let found: number;
    if (field === F.command) found = message.command = this.wordIn(COMMAND_TABLE);
    else if (field === F.type) found = message.type = this.wordIn(TYPE_TABLE);
    else if (field === F.trackType) found = message.trackType = this.wordIn(TRACK_TABLE);
    else found = message.matchType = this.wordIn(MATCH_TABLE);
    if (found < 0) {
      throw new ProtocolError(`unknown "${FIELDS[field][0]}": ${reader.raw(valueAt, reader.at)}`);
    }
  }

  /** Reads a string and returns its number in `table`, or -1. Words are compared in place; escapes are the slow path. */
  private wordIn(table: WordTable): number {
    const { reader } = this;
    const start = reader.at + 1;
    const end = reader.plainStringEnd();
    if (end >= 0) {
      const index = table.find(reader.bytes, start, end);
      if (index >= 0) {
        reader.at = end + 1;
        return index;
      }
    }
    return table.find(this.word, 0, reader.text(this.word, 0));
  }

  private check(version: number): void {
    const { command, type, present } = this.message;
    if (command < 0 || type < 0 || !this.message.has(F.taId)) {
      const missing = 0b111 & ~present;
      throw new ProtocolError(`mandatory member ${fieldNames(missing)} is missing`);
    }
    const definition = COMMANDS[command];
    if (definition.since > version) {
      throw new ProtocolError(`unknown command "${definition.name}" in protocol version ${version}`);
    }
    const index = command * MESSAGE_TYPES.length + type;
    const must = MUST[index];
    if (must === -1) throw new ProtocolError(`there is no ${messageName(command, type)}`);
    if ((present & must) !== must) {
      const missing = fieldNames(must & ~present);
      throw new ProtocolError(`${messageName(command, type)}: mandatory member ${missing} is missing`);
    }
    const extra = present & ~ALLOWED[index];
    if (extra !== 0 && !this.options.ignoreUnknownMembers) {
      throw new ProtocolError(`${messageName(command, type)}: unexpected member ${fieldNames(extra)}`);
    }
  }
}

const messageName = (command: number, type: number): string => `${COMMANDS[command].name} ${MESSAGE_TYPES[type]}`;
