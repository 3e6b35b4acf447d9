import { test } from "uvu";
import * as assert from "uvu/assert";
import { type OversizedMessage, OversizedMessages } from "../../../src/gateway/mqtt/oversized-messages.js";

const MAX_BYTES = 200;

function packet(first: number, body: Buffer): Buffer {
  const length = body.length < 128 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >> 7];
  return Buffer.concat([Buffer.from([first, ...length]), body]);
}

function message(qos: 0 | 1, topic: string, payloadBytes: number): Buffer {
  const name = Buffer.from(topic);
  const id = Buffer.from(qos === 1 ? [0xab, 0xcd] : []);
  const head = Buffer.from([name.length >> 8, name.length & 0xff]);
  return packet(0x31 | (qos << 1), Buffer.concat([head, name, id, Buffer.alloc(payloadBytes, 0x31)]));
}

const PASSING = [
  Buffer.from([0xd0, 0]),
  message(0, "t", 197 - 3 - 3),
  message(1, "topic", 3),
  packet(0x90, Buffer.alloc(126, 0x80)),
  Buffer.from([0xd0, 0]),
];
const [ping, largest, small, suback] = PASSING;

/** What passes of the stream, given in pieces that end at these places, and what is left out. */
function sifted(stream: Buffer, ends: readonly number[]) {
  const out: OversizedMessage[] = [];
  const messages = new OversizedMessages(MAX_BYTES, (one) => out.push(one));
  const passed: Buffer[] = [];
  let at = 0;
  for (const end of [...ends, stream.length]) {
    passed.push(...messages.take(stream.subarray(at, end)));
    at = end;
  }
  return { passed: Buffer.concat(passed), out, isLeavingOut: messages.isLeavingOut };
}

test("split at every position, and at every two: what is too large goes, all else stays as it is", () => {
  const topic = "sd1/a/ü";
  const stream = Buffer.concat([
    ...[ping, message(0, "", 300), largest, message(1, topic, 187), message(0, "x", 1000), small, suback],
    ...[message(1, "y", 400), ping],
  ]);
  const expected = Buffer.concat([ping, largest, small, suback, ping]);
  const out = [
    { topic: "", bytes: 305 },
    { topic, bytes: 202, packetId: 0xabcd },
    { topic: "x", bytes: 1006 },
    { topic: "y", bytes: 408, packetId: 0xabcd },
  ];
  const check = (ends: readonly number[]) => {
    const result = sifted(stream, ends);
    assert.ok(result.passed.equals(expected), `split at ${ends.slice(0, 2)}`);
    assert.equal(result.out, out, `split at ${ends.slice(0, 2)}`);
    assert.is(result.isLeavingOut, false);
  };
  for (let end = 0; end <= stream.length; end++) check([end]);
  for (let end = 0; end < stream.length; end += 7) for (let gap = 1; gap < 12; gap++) check([end, end + gap]);
  for (const size of [1, 2, 3]) {
    check(Array.from({ length: Math.floor(stream.length / size) }, (_, n) => (n + 1) * size));
  }
});

test("what passes is not copied", () => {
  const stream = Buffer.concat(PASSING);
  const passing = new OversizedMessages(MAX_BYTES, () => {}).take(stream);
  assert.is(passing.length, 1);
  assert.is(passing[0].buffer, stream.buffer);
});

test("a long topic is told in part", () => {
  const { out } = sifted(message(1, "t".repeat(3000), 1), []);
  assert.equal(out, [{ topic: "t".repeat(1024), bytes: 3008, packetId: 0xabcd }]);
});

test("anything else that is too large is an error, and so is a length or a topic without an end", () => {
  const errors: [Buffer, RegExp][] = [
    [packet(0x90, Buffer.alloc(300)).subarray(0, 3), /^a packet of 303 bytes \(200 at most are accepted\)$/],
    [packet(0x34, Buffer.alloc(300)).subarray(0, 3), /^a packet of 303 bytes/],
    [packet(0x36, Buffer.alloc(300)).subarray(0, 3), /^a packet of 303 bytes/],
    [Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff]), /^a packet whose length is none$/],
    [packet(0x30, Buffer.alloc(300, 0xff)), /^a message whose topic does not end$/],
    [packet(0x32, Buffer.concat([Buffer.from([1, 43]), Buffer.alloc(300)])), /^a message whose topic does not end$/],
  ];
  for (const [bytes, text] of errors) {
    for (const size of [1, 1000]) {
      const ends = Array.from({ length: Math.floor(bytes.length / size) }, (_, n) => (n + 1) * size);
      assert.throws(
        () => sifted(bytes, ends),
        (error: Error) => text.test(error.message),
      );
    }
  }
});

test.run();
