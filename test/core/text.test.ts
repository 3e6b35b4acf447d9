import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { byteLength, encodeText, readText, utf8Length } from "../../src/core/text.js";

test("every code point is written as Buffer writes it, and read back", () => {
  for (let point = 0; point <= 0x10_ffff; point += point < 0x3000 ? 1 : 97) {
    if (point >= 0xd800 && point < 0xe000) continue;
    const text = String.fromCodePoint(point);
    const bytes = encodeText(text);
    if (!Buffer.from(text).equals(bytes) || byteLength(text) !== bytes.length)
      assert.unreachable(`U+${point.toString(16)}`);
    if (readText(bytes, 0, bytes.length) !== text) assert.unreachable(`U+${point.toString(16)} read`);
    if (point >= 0x80 && utf8Length(bytes, 0, bytes.length) !== bytes.length)
      assert.unreachable(`U+${point.toString(16)}`);
  }
});

for (const [text, bytes] of [
  ["", []],
  ["\ud800", [0xed, 0xa0, 0x80]],
  ["\udfff", [0xed, 0xbf, 0xbf]],
  ["\ud800\ud800\udc00", [0xed, 0xa0, 0x80, 0xf0, 0x90, 0x80, 0x80]],
  ["\udc00\ud800", [0xed, 0xb0, 0x80, 0xed, 0xa0, 0x80]],
  ["a\u{10ffff}", [0x61, 0xf4, 0x8f, 0xbf, 0xbf]],
] as const) {
  test(`${JSON.stringify(text)} is kept exactly`, () => {
    assert.equal([...encodeText(text)], bytes);
    assert.is(byteLength(text), bytes.length);
    assert.is(readText(Uint8Array.from(bytes), 0, bytes.length), text);
  });
}

test("sequences of one to four bytes are well-formed exactly where the platform says so", () => {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** The byte values at which the meaning of a byte changes. */
  const edges = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed];
  edges.push(0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xfe, 0xff);
  let wellFormed = 0;
  const bytes = new Uint8Array(4);
  const visit = (length: number, at: number): void => {
    if (at === length) {
      const found = utf8Length(bytes, 0, length);
      // The platform's verdict on the shortest prefix that is one character.
      let expected = 0;
      for (let prefix = 2; prefix <= length && expected === 0; prefix++) {
        const decoded = decoder.decode(bytes.subarray(0, prefix));
        // Not fatal, because exceptions are slow: what is malformed comes out as U+FFFD, which is not among the cases.
        if ([...decoded].length === 1 && decoded !== "\ufffd") expected = prefix;
      }
      if (found !== expected) assert.unreachable(`${[...bytes.subarray(0, length)]}: ${found}, not ${expected}`);
      if (found > 0) wellFormed++;
      return;
    }
    for (const edge of at === 0 ? edges.filter((value) => value >= 0x80) : edges) {
      bytes[at] = edge;
      visit(length, at + 1);
    }
  };
  for (const length of [1, 2, 3, 4]) visit(length, 0);
  assert.ok(wellFormed > 1000);
});

test("a long text is read in pieces, and no character is cut", () => {
  for (const character of ["x", "ä", "€", "🙂", "\ud800"]) {
    for (let length = 1020; length < 1028; length++) {
      const text = `${"x".repeat(length)}${character}${"y".repeat(length)}${character}`;
      const bytes = encodeText(text);
      if (readText(bytes, 0, bytes.length) !== text) assert.unreachable(`${length} and ${character}`);
    }
  }
});

test("a text that was read takes no more memory than any other", () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage: () => void = runInNewContext("gc");
  const bytes = encodeText("x".repeat(32_000));
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const texts = Array.from({ length: 200 }, () => readText(bytes, 0, bytes.length));
  collectGarbage();
  const each = (process.memoryUsage().heapUsed - before) / texts.length;
  assert.ok(each < 2 * 32_000, `${each} bytes for a text of 32,000`);
});

test.run();
