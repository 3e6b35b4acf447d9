/** Mutations of protocol messages: of bytes, and of JSON's tokens. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../test/support/root.js";
import type { SeededRandom } from "./random.js";

/** Recorded messages of one direction, as bytes. */
export function recordedMessages(direction: "c2s" | "s2c"): Buffer[] {
  const folder = join(root, "test/fixtures/wire");
  const messages = new Set<string>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".jsonl"))) {
    for (const line of readFileSync(join(folder, file), "utf8").trim().split("\n")) {
      const { dir, msg } = JSON.parse(line) as { dir: string; msg: string };
      if (dir === direction && msg !== "") messages.add(msg);
    }
  }
  return [...messages].map((message) => Buffer.from(message));
}

const NUMBERS = [
  ..."0 -0 1 -1 007 +7 1.0 1e3 1E+2 0.5 -0.0 .5 5. 1e 1e400 NaN Infinity 0x10 4294967295 4294967296".split(" "),
  ..."9007199254740993 9223372036854775807 9223372036854775808 18446744073709551616 -9223372036854775808".split(" "),
  ..."-9223372036854775809 123456789012345678901234567890 0.1234567890123456789012345678901234567890123456789".split(
    " ",
  ),
  "9".repeat(5000),
];
const STRINGS = [
  ...'"" "x" "\\u0000" "\\ud800" "\\udc00" "\\ud83d\\ude00" "\\ud800\\ud800\\udc00" "\\u12" "\\x" "\\'.split(" "),
  ...'"request" "notify" "inform" "query" "reply" "appeared" "ping" "track" "pin\\u0067" "é" "😀"'.split(" "),
];
const VALUES = [
  ...'null true false {} [] [[]] {"a":{}} [1,"1",1] {"a":[1,1],"a":[2]} {"a":[]} {"a":1} {"a":[1.5]} {"":[""]}'.split(
    " ",
  ),
  "[".repeat(100),
  "[".repeat(33) + "]".repeat(33),
  "[".repeat(34) + "]".repeat(34),
  `${"[".repeat(32)}1${"]".repeat(32)}`,
  `${"[".repeat(33)}1${"]".repeat(33)}`,
  `${'{"a":'.repeat(50)}1${"}".repeat(50)}`,
];
const NAMES =
  '"ta-id" "ta-cmd" "msg-type" "ttl" "filter" "service-props" "client-id" "orphan-since" "time" "latency" "x" "t\\u0061-id"'.split(
    " ",
  );
const BYTES: readonly (readonly number[])[] = [
  ...[[0], [0x1f], [0x20], [0x09], [0x7f], [0x80], [0xff], [0xc0, 0x80], [0xc1, 0xbf], [0xc3], [0xe2, 0x82]],
  ...[
    [0xe0, 0x80, 0x80],
    [0xed, 0xa0, 0x80],
    [0xed, 0x9f, 0xbf],
    [0xef, 0xbb, 0xbf],
    [0xf0, 0x9f, 0x98],
  ],
  ...[
    [0xf0, 0x80, 0x80, 0x80],
    [0xf4, 0x8f, 0xbf, 0xbf],
    [0xf4, 0x90, 0x80, 0x80],
    [0xf5, 0x80, 0x80, 0x80],
  ],
];
const TOKEN = /"(?:[^"\\]|\\.)*"|[-+.\w]+|[{}[\]:,]/g;

/** One to four mutations of `message`, some of them mixing in `other`. */
export function mutate(random: SeededRandom, message: Buffer, other: Buffer): Buffer {
  let bytes = message;
  for (let left = 1 + random.below(random.pick([1, 1, 4])); left > 0; left--) {
    bytes = random.below(3) === 0 ? mutateBytes(random, bytes, other) : mutateTokens(random, bytes, other);
  }
  return bytes.subarray(0, 65_535);
}

function replace(bytes: Buffer, from: number, to: number, by: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)]);
}

function mutateBytes(random: SeededRandom, bytes: Buffer, other: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random.below(8));
  switch (random.below(6)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      if (at < bytes.length) flipped[at] = bytes[at]! ^ (1 << random.below(8));
      return flipped;
    }
    case 1:
      return replace(bytes, at, at, Uint8Array.from(random.pick(BYTES)));
    case 2:
      return replace(bytes, at, end, new Uint8Array(0));
    case 3:
      return replace(bytes, at, end, other.subarray(random.below(other.length)));
    case 4:
      return replace(
        bytes,
        at,
        at,
        Buffer.from(random.pick(['"', "\\", "{", "}", "[", "]", ",", ":", " ", "\n", "0"])),
      );
    default:
      return bytes.subarray(0, at);
  }
}

function mutateTokens(random: SeededRandom, bytes: Buffer, other: Buffer): Buffer {
  const text = bytes.toString("latin1");
  const tokens = [...text.matchAll(TOKEN)];
  if (tokens.length === 0) return other;
  const token = random.pick(tokens);
  const from = token.index;
  const end = from + token[0].length;
  const utf8 = (part: string) => Buffer.from(part);
  switch (random.below(7)) {
    case 0:
      return replace(bytes, from, end, utf8(random.pick(NUMBERS)));
    case 1:
      return replace(bytes, from, end, utf8(random.pick(STRINGS)));
    case 2:
      return replace(bytes, from, end, utf8(random.pick(VALUES)));
    case 3: {
      // A member more, known or not, in front or at the end.
      const member = `${random.pick(NAMES)}:${random.pick(random.pick([NUMBERS, STRINGS, VALUES]))}`;
      if (random.below(2) === 0) return replace(bytes, 0, 1, utf8(`{${member},`));
      return replace(bytes, bytes.length - 1, bytes.length, utf8(`,${member}}`));
    }
    case 4:
      // Valid white space keeps the message valid.
      return replace(bytes, from, from, utf8(random.pick([" ", "\t", "\r\n", "    "])));
    case 5: {
      const second = random.pick(tokens);
      return replace(bytes, from, end, Buffer.from(second[0], "latin1"));
    }
    default:
      // The first letter of a string as an escape: another spelling of the same word.
      if (token[0].length < 3 || token[0][0] !== '"' || token[0][1] === "\\" || token[0].charCodeAt(1) > 0x7e)
        return bytes;
      return replace(bytes, from + 1, from + 2, utf8(`\\u00${token[0].charCodeAt(1).toString(16).padStart(2, "0")}`));
  }
}
