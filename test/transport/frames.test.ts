import { test } from "uvu";
import * as assert from "uvu/assert";
import { FrameReader, writeHeader } from "../../src/transport/frames.js";
import { TransportError } from "../../src/transport/index.js";

function frame(payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4 + payload.length);
  writeHeader(bytes, 0, payload.length);
  bytes.set(payload, 4);
  return bytes;
}

/** Every message of the chunks, copied. */
function read(chunks: readonly Uint8Array[], maxLength = 1_000): string[] {
  const reader = new FrameReader(maxLength);
  const messages: string[] = [];
  for (const chunk of chunks) {
    reader.feed(chunk);
    while (reader.next()) messages.push(Buffer.from(reader.bytes.slice(reader.start, reader.end)).toString("latin1"));
  }
  return messages;
}

const text = (...words: string[]) => Buffer.concat(words.map((word) => frame(Buffer.from(word))));

test("a header is a 32-bit big-endian length", () => {
  assert.equal([...frame(Buffer.alloc(0x0102))].slice(0, 4), [0, 0, 1, 2]);
  const header = new Uint8Array(4);
  writeHeader(header, 0, 0x00fe_dcba);
  assert.equal([...header], [0, 0xfe, 0xdc, 0xba]);
});

test("messages come out whole, wherever the stream is cut in two or three", () => {
  const stream = text("a", "hello", "0123456789");
  for (let i = 0; i <= stream.length; i++) {
    for (let j = i; j <= stream.length; j++) {
      const chunks = [stream.subarray(0, i), stream.subarray(i, j), stream.subarray(j)];
      assert.equal(read(chunks), ["a", "hello", "0123456789"], `cut at ${i} and ${j}`);
    }
  }
});

test("one byte at a time", () => {
  assert.equal(read([...text("a", "hello")].map((byte) => Uint8Array.of(byte))), ["a", "hello"]);
});

test("a partial frame is no message", () => {
  assert.equal(read([text("a", "hello").subarray(0, 13)]), ["a"]);
});

test("the longest frame is accepted, in one piece and in two", () => {
  const stream = text("x".repeat(1_000));
  assert.is(read([stream])[0]!.length, 1_000);
  assert.is(read([stream.subarray(0, 500), stream.subarray(500)])[0]!.length, 1_000);
});

for (const [what, header] of [
  ["0", [0, 0, 0, 0]],
  ["1001", [0, 0, 3, 0xe9]],
  ["4294967295", [255, 255, 255, 255]],
  ["2147483648", [128, 0, 0, 0]],
] as const) {
  test(`a header of ${what} is refused wherever it is cut, after the messages before it`, () => {
    const stream = Buffer.concat([text("a"), Buffer.from(header), Buffer.from("rest")]);
    for (let cut = 0; cut <= stream.length; cut++) {
      const reader = new FrameReader(1_000);
      const messages: string[] = [];
      try {
        for (const chunk of [stream.subarray(0, cut), stream.subarray(cut)]) {
          reader.feed(chunk);
          while (reader.next()) messages.push(String.fromCharCode(reader.bytes[reader.start]!));
        }
        assert.unreachable("it was accepted");
      } catch (error) {
        assert.instance(error, TransportError);
        assert.is((error as TransportError).code, "EPROTO");
        assert.is((error as TransportError).message, `frame of ${what} bytes (1 to 1000 accepted)`);
        assert.equal(messages, ["a"]);
      }
    }
  });
}

test("a promise of a long frame costs no memory until its bytes arrive", () => {
  const readers = Array.from({ length: 2_000 }, () => new FrameReader(65_535));
  const before = process.memoryUsage().arrayBuffers;
  for (const reader of readers) {
    reader.feed(Uint8Array.of(0, 0, 0xff, 0xff, 1));
    assert.not(reader.next());
  }
  const each = (process.memoryUsage().arrayBuffers - before) / readers.length;
  assert.ok(each < 4_096, `${each} bytes each`);
});

test("random streams in random chunks give the messages that were written", () => {
  let seed = 42;
  const random = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n;
  for (let round = 0; round < 2_000; round++) {
    const words = Array.from({ length: random(10) }, () => "w".repeat(1 + random(random(5) === 0 ? 999 : 12)));
    const stream = text(...words);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < stream.length; ) {
      const length = 1 + random(random(2) === 0 ? 5 : 400);
      chunks.push(stream.subarray(at, at + length));
      at += length;
    }
    assert.equal(read(chunks), words);
  }
});

test("garbage never gives a message outside the limits", () => {
  let seed = 7;
  const random = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n;
  let refused = 0;
  for (let round = 0; round < 300_000; round++) {
    const reader = new FrameReader(300);
    try {
      for (let chunks = random(6); chunks > 0; chunks--) {
        reader.feed(Buffer.from(Array.from({ length: random(30) }, () => (random(3) === 0 ? random(256) : random(2)))));
        while (reader.next()) {
          const length = reader.end - reader.start;
          assert.ok(length >= 1 && length <= 300 && reader.end <= reader.bytes.length);
        }
      }
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      refused++;
    }
  }
  assert.ok(refused > 10_000);
});

test.run();
