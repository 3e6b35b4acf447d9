/**
 * The fuzz targets. Each takes a seed, makes one case from it and throws if something is wrong; it returns whether the
 * input was valid, so that a run can show that it reached both sides.
 */

import { BlockStore } from "../../src/core/blocks.js";
import { evaluate, FilterCompiler, programText } from "../../src/core/filter/program.js";
import { type Filter, FilterSyntaxError, parseFilter, printFilter } from "../../src/core/filter/syntax.js";
import { PairHash } from "../../src/core/pair-hash.js";
import { type Properties, type PropertyValue, sameProperties } from "../../src/core/properties.js";
import { RecordBuilder, recordJsonLength, recordWords, sameRecords, toProperties } from "../../src/core/record.js";
import { toBigInt } from "../../src/core/uint63.js";
import { FrameReader, writeHeader } from "../../src/transport/frames.js";
import { TransportError } from "../../src/transport/transport.js";
import { COMMANDS, FIELDS, MATCH_TYPES, MESSAGE_TYPES, TRACK_TYPES } from "../../src/wire/commands.js";
import { writeProperties } from "../../src/wire/json-writer.js";
import { ProtocolError } from "../../src/wire/protocol-error.js";
import { type Message, Scanner } from "../../src/wire/scanner.js";
import { domainFileTarget } from "./domain-file.js";
import { federationTarget } from "./federation.js";
import { evaluateNaively } from "./filter-reference.js";
import { keyIdTarget } from "./key-id.js";
import { conventionsTarget } from "./mqtt-conventions.js";
import { mutate, recordedMessages } from "./mutate.js";
import { SeededRandom } from "./random.js";
import { type FieldValue, parseJson, referenceMessage } from "./reference.js";
import { domainTarget } from "./sessions/in-memory.js";

function check(condition: boolean, what: () => string): void {
  if (!condition) throw new Error(what());
}

const hash = new PairHash(0x0123_4567, 0x89ab_cdef | 0);
const builder = new RecordBuilder(hash);
const json = new Uint8Array(6 * 65_536);

const asArrays = (props: Iterable<readonly [string, Iterable<PropertyValue>]>): Properties =>
  new Map([...props].map(([name, values]) => [name, [...values]]));

/** Checks that the record in `builder` is written as JSON of the promised length, which says the same. */
function checkJson(expected: Properties): void {
  check(sameProperties(toProperties(builder.page, 0), expected), () => "the record holds other properties");
  const length = writeProperties(json, 0, builder.page, 0);
  check(length === recordJsonLength(builder.page, 0), () => `JSON of ${length} bytes, not as promised`);
  const written = parseJson(json.subarray(0, length));
  const properties = written?.kind === "object" ? written.members : [];
  const read = properties.map(([name, values]) => {
    const elements = values.kind === "array" ? values.elements : [];
    return [
      name,
      elements.map((value) => (value.kind === "string" ? value.text : BigInt((value as { text: string }).text))),
    ];
  });
  check(sameProperties(new Map(read as [string, PropertyValue[]][]), expected), () => "the JSON says something else");
}

function field(message: Message, number: number): FieldValue | undefined {
  const [name, kind] = FIELDS[number]!;
  if (!message.has(number)) return undefined;
  switch (kind) {
    case "uint63":
      return toBigInt(message.hi(number), message.lo(number));
    case "number":
      return message.numbers[number]!;
    case "text":
      return message.text(number);
    case "word":
      if (name === "ta-cmd") return COMMANDS[message.command]!.name;
      if (name === "msg-type") return MESSAGE_TYPES[message.type]!;
      return name === "track-type" ? TRACK_TYPES[message.trackType]! : MATCH_TYPES[message.matchType]!;
    case "props":
      return undefined;
  }
}

function scannerTarget(isServer: boolean): (seed: number) => boolean {
  const corpus = recordedMessages(isServer ? "c2s" : "s2c");
  const scanner = new Scanner({ builder, ignoreUnknownMembers: !isServer });
  return (seed) => {
    const random = new SeededRandom(seed);
    const bytes = mutate(random, random.pick(corpus), random.pick(corpus));
    // Other bytes around the message must not matter.
    const start = random.below(4);
    const version = isServer ? 2 + random.below(2) : 3;
    const around = Buffer.concat([Buffer.from('{"0'.slice(0, start)), bytes, Buffer.from('"}]0')]);
    const show = () => JSON.stringify(bytes.toString("latin1").slice(0, 2000));
    const expected = referenceMessage(bytes, version, isServer);
    let message: Message;
    try {
      message = scanner.scan(around, start, start + bytes.length, version);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      check(error.message.length < 400, () => `an error text of ${error.message.length} characters for ${show()}`);
      check(expected === undefined, () => `refused (${error.message}), but valid: ${show()}`);
      return false;
    }
    if (expected === undefined) throw new Error(`accepted, but not valid: ${show()}`);
    FIELDS.forEach(([name, kind], number) => {
      check(message.has(number) === expected.has(name), () => `presence of ${name} in ${show()}`);
      if (kind === "props") {
        if (expected.has(name) && !builder.tooLarge) checkJson(asArrays(expected.get(name) as never));
      } else {
        const value = field(message, number);
        // -0 counts as 0.
        check(value === expected.get(name), () => `${name} is ${value}, not ${expected.get(name)} in ${show()}`);
      }
    });
    return true;
  };
}

const TEXTS = [
  "a",
  "b",
  "ab",
  "aab",
  "aabaa",
  "aabaabaa",
  "1",
  "2",
  "-5",
  "å",
  "😀",
  "\ud800",
  "!",
  "!a",
  "(",
  "*",
  "\\",
  " ",
  "\n",
  "\0",
  "a=b",
];

function randomText(random: SeededRandom): string {
  let text = "";
  for (let left = random.below(4); left >= 0; left--) text += random.pick(TEXTS);
  return text;
}

function randomProperties(random: SeededRandom): Map<string, PropertyValue[]> {
  const result = new Map<string, PropertyValue[]>();
  for (let left = random.below(6); left > 0; left--) {
    const values: PropertyValue[] = [];
    for (let more = random.below(5); more > 0; more--) {
      const kind = random.below(3);
      values.push(
        kind === 0
          ? BigInt.asIntN(64, random.bigint(64))
          : kind === 1
            ? BigInt(random.below(9) - 4)
            : random.below(20) === 0
              ? ""
              : randomText(random),
      );
    }
    result.set(random.below(3) === 0 ? randomText(random) : random.pick(TEXTS), values);
  }
  return result;
}

const escaped = (random: SeededRandom, text: string): string =>
  text.replace(/[()*\\&|=><]/g, "\\$&").replace(/!/g, random.below(2) === 0 ? "\\!" : "!");

function randomFilter(random: SeededRandom, depth: number): string {
  const kind = random.below(depth > 0 ? 8 : 5);
  const key = escaped(random, random.pick(TEXTS)).replace(/^!/, "\\!");
  const text = () => escaped(random, random.pick(TEXTS));
  if (kind === 0) return `(${key}=${text()})`;
  if (kind === 1) return `(${key}=*)`;
  if (kind === 2) return `(${key}>${random.pick(["", "-", "+"])}${random.bigint(66)})`;
  if (kind === 3) return `(${key}<${random.pick(["", "-", "00"])}${random.below(9)})`;
  if (kind === 4) {
    const middle = Array.from({ length: random.below(3) }, () => `${text()}*`).join("");
    return `(${key}=${random.below(2) === 0 ? text() : ""}*${middle}${random.below(2) === 0 || middle === "" ? text() : ""})`;
  }
  if (kind === 5) return `(!${randomFilter(random, depth - 1)})`;
  const operands = Array.from({ length: 2 + random.below(2) }, () => randomFilter(random, depth - 1)).join("");
  return `(${kind === 6 ? "&" : "|"}${operands})`;
}

const store = new BlockStore();
const compiler = new FilterCompiler(store, hash);

function filterTarget(seed: number): boolean {
  const random = new SeededRandom(seed);
  let text = randomFilter(random, 3);
  let long: string | undefined;
  if (random.below(4) === 0) {
    // Parts of a text with many repetitions: what the search for long parts is made for.
    long = Array.from({ length: random.below(40) }, () => random.pick(["a", "a", "ab"])).join("");
    const cuts = [0, 1, 2, 3].map(() => random.below(long!.length + 1)).sort((a, b) => a - b);
    const parts = [long.slice(cuts[0], cuts[1]) || "b", long.slice(cuts[2], cuts[3]) || "a"];
    text = random.pick([`(k=*${parts[0]}*)`, `(k=*${parts.join("*")}*)`, `(k=${parts[0]}*${parts[1]}*b)`]);
  }
  const mutated = random.below(2) === 0;
  if (mutated) {
    const at = random.below(text.length + 1);
    const piece = random.pick([
      "",
      "(",
      ")",
      "*",
      "=",
      "<",
      ">",
      "&",
      "|",
      "!",
      "\\",
      "5",
      "\\!",
      "a",
      randomFilter(random, 1),
    ]);
    text = text.slice(0, at) + piece + text.slice(at + random.below(3));
  }
  let filter: Filter;
  try {
    filter = parseFilter(text);
  } catch (error) {
    if (!(error instanceof FilterSyntaxError)) throw error;
    check(mutated, () => `${error.message}, but ${JSON.stringify(text)} is valid`);
    check(error.position >= 0 && error.position <= text.length, () => `position ${error.position} in ${text}`);
    return false;
  }
  const printed = printFilter(filter);
  check(JSON.stringify(parseFilter(printed)) === JSON.stringify(filter), () => `${text} printed as ${printed}`);
  const props = randomProperties(random);
  if (long !== undefined) props.set("k", [long]);
  builder.fromProperties(props);
  const used = store.usedWords;
  const program = compiler.compile(filter);
  const got = evaluate(store.page(program), store.at(program), builder.page, 0);
  check(got === evaluateNaively(filter, props), () => `${text} gave ${got} for ${[...props].join(" ")}`);
  check(programText(store, program) === printed, () => `${text} is kept as ${programText(store, program)}`);
  compiler.release(program);
  check(store.usedWords === used, () => `${store.usedWords - used} words of ${text} were not given back`);
  return true;
}

function recordTarget(seed: number): boolean {
  const random = new SeededRandom(seed);
  const props = randomProperties(random);
  const used = store.usedWords;
  builder.fromProperties(props);
  checkJson(props);
  const block = store.store(builder.page, 0, recordWords(builder.page, 0));
  const page = store.page(block);
  // The same in another order, each value twice, and each name once before with something else in it.
  const rebuild = (changed: Properties) => {
    builder.begin();
    const put = (name: string, values: readonly PropertyValue[]) => {
      builder.endName(Buffer.from(encode(name)).copy(builder.nameBuffer));
      for (const value of values) {
        const at = builder.beginValue();
        const bytes = encode(String(value));
        builder.page.bytes.set(bytes, at);
        builder.endValue(at + bytes.length, typeof value === "bigint");
      }
    };
    for (const name of changed.keys()) if (random.below(3) === 0) put(name, ["gone", 1n]);
    for (const [name, values] of random.shuffled([...changed])) put(name, random.shuffled([...values, ...values]));
    builder.finish();
  };
  rebuild(props);
  checkJson(props);
  check(sameRecords(builder.page, 0, page, store.at(block)), () => `not the same: ${[...props].join(" ")}`);
  const other = new Map(props);
  const name = random.pick([...props.keys(), "new"]);
  const values = props.get(name) ?? [];
  if (values.length > 0 && random.below(2) === 0) other.set(name, values.slice(1));
  else other.set(name, [...values, random.pick<PropertyValue>(["other", 77n, "77"])]);
  rebuild(other);
  const same = sameRecords(builder.page, 0, page, store.at(block));
  check(same === sameProperties(props, other), () => `${[...props].join(" ")} and ${[...other].join(" ")}: ${same}`);
  store.release(block, recordWords(page, store.at(block)));
  check(store.usedWords === used, () => "words were not given back");
  return true;
}

/** UTF-8 that keeps unpaired surrogates, by way of the platform's encoder for everything else. */
function encode(text: string): Uint8Array {
  const parts = [...text].map((character) => {
    const point = character.codePointAt(0)!;
    const isSurrogate = point >= 0xd800 && point < 0xe000;
    return isSurrogate ? Buffer.from([0xed, 0x80 | ((point >> 6) & 63), 0x80 | (point & 63)]) : Buffer.from(character);
  });
  return Buffer.concat(parts);
}

const MAX_FRAME = 300;

function framesTarget(seed: number): boolean {
  const random = new SeededRandom(seed);
  const frames: Buffer[] = [];
  for (let left = random.below(6); left > 0; left--) {
    const frame = Buffer.alloc(4 + 1 + random.below(random.pick([4, MAX_FRAME])), 97 + left);
    writeHeader(frame, 0, frame.length - 4);
    frames.push(frame);
  }
  const stream = Buffer.concat(frames);
  if (stream.length > 0 && random.below(2) === 0) stream[random.below(stream.length)] ^= 1 << random.below(8);
  // The reference reads the whole stream at once.
  const expected: string[] = [];
  let valid = true;
  for (let at = 0; at + 4 <= stream.length; ) {
    const length = stream.readUInt32BE(at);
    valid = length >= 1 && length <= MAX_FRAME;
    if (!valid || at + 4 + length > stream.length) break;
    expected.push(stream.toString("latin1", at + 4, at + 4 + length));
    at += 4 + length;
  }
  const got: string[] = [];
  const reader = new FrameReader(MAX_FRAME);
  try {
    for (let at = 0; at < stream.length; ) {
      const end = at + 1 + random.below(random.pick([3, 50, 2000]));
      reader.feed(stream.subarray(at, end));
      while (reader.next())
        got.push(
          Buffer.from(reader.bytes.buffer, reader.bytes.byteOffset + reader.start, reader.end - reader.start).toString(
            "latin1",
          ),
        );
      at = end;
    }
    check(valid, () => `a bad header was accepted in ${stream.toString("hex")}`);
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    check(!valid, () => `${error.message} in ${stream.toString("hex")}`);
  }
  check(
    got.join() === expected.join(),
    () => `${got.length} messages, not ${expected.length}, in ${stream.toString("hex")}`,
  );
  return valid;
}

export const TARGETS = {
  "scanner-server": scannerTarget(true),
  "scanner-client": scannerTarget(false),
  filter: filterTarget,
  record: recordTarget,
  frames: framesTarget,
  "key-id": keyIdTarget,
  domain: domainTarget,
  "domain-file": domainFileTarget,
  "mqtt-conventions": conventionsTarget,
  federation: federationTarget,
} as const;
export type TargetName = keyof typeof TARGETS;

/** Runs the cases `seed` … `seed + count - 1`; a failure names the command that repeats it. Returns how many were valid. */
export function fuzz(target: TargetName, count: number, seed = 1): number {
  const run = TARGETS[target];
  let valid = 0;
  for (let at = seed; at < seed + count; at++) {
    try {
      if (run(at)) valid++;
    } catch (error) {
      const { message, stack } = error as Error;
      throw new Error(
        `${target}: ${message}\nrepeat: npm run fuzz -- --target ${target} --seed ${at} --count 1\n${stack}`,
      );
    }
  }
  return valid;
}
