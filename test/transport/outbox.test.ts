import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Connection, MAX_SENT_LENGTH, Outbox, type TransportError } from "../../src/transport/index.js";
import { MessageQueue } from "../../src/transport/message-queue.js";
import { Outlet } from "../../src/transport/outbox.js";

/** Records what it takes: one list of messages per call. */
class RecordingOutlet extends Outlet {
  readonly taken: string[][] = [];
  constructor(
    readonly name: string,
    readonly log: string[] = [],
  ) {
    super();
  }

  take(outbox: Outbox, head: number): void {
    const messages: string[] = [];
    for (let entry = head; entry !== 0; entry = outbox.entries[entry + 2]!) {
      const [begin, end] = [outbox.entries[entry]!, outbox.entries[entry + 1]!];
      messages.push(Buffer.from(outbox.bytes.slice(begin, end)).toString());
    }
    this.taken.push(messages);
    this.log.push(this.name);
    if (this.name === "broken") throw new Error("out of memory");
  }

  get connection(): Connection {
    return this as unknown as Connection;
  }
}

function send(outbox: Outbox, to: Outlet, text: string, reserve = text.length): void {
  const at = outbox.begin(reserve);
  outbox.bytes.set(Buffer.from(text), at);
  outbox.commit(to as unknown as Connection, at + text.length);
}

test("a turn sends each connection's messages in one go, connections in the order of their first message", () => {
  const outbox = new Outbox();
  const log: string[] = [];
  const [a, b, c] = ["a", "b", "c"].map((name) => new RecordingOutlet(name, log));
  outbox.enter();
  for (const [to, text] of [
    [b, "b1"],
    [a, "a1"],
    [b, "b2"],
    [c, "c1"],
    [a, "a2"],
    [b, "b3"],
  ] as const)
    send(outbox, to!, text);
  outbox.enter();
  outbox.leave();
  assert.equal(log, [], "an inner turn's end sends nothing");
  outbox.leave();
  assert.equal(log, ["b", "a", "c"]);
  assert.equal([a!.taken, b!.taken, c!.taken], [[["a1", "a2"]], [["b1", "b2", "b3"]], [["c1"]]]);
  outbox.enter();
  outbox.leave();
  assert.is(log.length, 3, "nothing is sent twice");
});

test("outside a turn, messages are sent together in a microtask", async () => {
  const outbox = new Outbox();
  const outlet = new RecordingOutlet("a");
  send(outbox, outlet, "1");
  send(outbox, outlet, "2");
  assert.is(outlet.taken.length, 0);
  await Promise.resolve();
  assert.equal(outlet.taken, [["1", "2"]]);
});

test("a message that was begun and not committed is forgotten", () => {
  const outbox = new Outbox();
  const outlet = new RecordingOutlet("a");
  outbox.enter();
  send(outbox, outlet, "1");
  const at = outbox.begin(100);
  assert.is(outbox.begin(10), at);
  send(outbox, outlet, "2", 1_000);
  outbox.leave();
  assert.equal(outlet.taken, [["1", "2"]]);
});

test("four bytes are free before each message", () => {
  const outbox = new Outbox();
  const outlet = new RecordingOutlet("a");
  outbox.enter();
  const first = outbox.begin(3);
  assert.is(first, 4);
  outbox.commit(outlet.connection, first + 3);
  assert.is(outbox.begin(3), first + 3 + 4);
  outbox.leave();
});

test("a full arena sends what is pending and begins anew; memory does not grow", () => {
  const outbox = new Outbox();
  const outlet = new RecordingOutlet("a");
  const arena = outbox.bytes;
  outbox.enter();
  for (let i = 0; i < 1_000; i++) send(outbox, outlet, `${i}`.padEnd(1_000, "."));
  outbox.leave();
  assert.is(outbox.bytes, arena);
  assert.ok(outlet.taken.length > 2 && outlet.taken.length < 10);
  assert.equal(
    outlet.taken.flat().map((text) => Number.parseInt(text, 10)),
    [...Array(1_000).keys()],
  );
});

test("many small messages are sent in parts", () => {
  const outbox = new Outbox();
  const outlet = new RecordingOutlet("a");
  outbox.enter();
  for (let i = 0; i < 10_000; i++) send(outbox, outlet, `${i}`);
  outbox.leave();
  assert.equal(outlet.taken.flat().map(Number), [...Array(10_000).keys()]);
});

test("the longest message fits; a longer one is refused and harms nothing", () => {
  const outbox = new Outbox();
  const outlet = new RecordingOutlet("a");
  outbox.enter();
  send(outbox, outlet, "before");
  for (const length of [MAX_SENT_LENGTH + 1, 2 ** 31, Number.POSITIVE_INFINITY]) {
    assert.throws(
      () => outbox.begin(length),
      (error: TransportError) => error.code === "EMSGSIZE",
    );
  }
  send(outbox, outlet, "x".repeat(MAX_SENT_LENGTH));
  send(outbox, outlet, "after");
  outbox.leave();
  assert.equal(
    outlet.taken.flat().map((text) => text.length),
    [6, MAX_SENT_LENGTH, 5],
  );
});

test("committing nothing, or without begin, is a RangeError", () => {
  const outbox = new Outbox();
  const outlet = new RecordingOutlet("a");
  outbox.enter();
  assert.throws(() => outbox.commit(outlet.connection, 10), RangeError);
  const at = outbox.begin(10);
  assert.throws(() => outbox.commit(outlet.connection, at), RangeError);
  outbox.commit(outlet.connection, at + 1);
  assert.throws(() => outbox.commit(outlet.connection, at + 2), RangeError);
  outbox.leave();
  assert.is(outlet.taken.flat().length, 1);
});

test("an outlet that fails does not keep the others from sending, and is heard of", () => {
  const outbox = new Outbox();
  const [first, broken, last] = ["first", "broken", "last"].map((name) => new RecordingOutlet(name));
  outbox.enter();
  for (const outlet of [first, broken, last]) send(outbox, outlet!, "text");
  assert.throws(() => outbox.leave(), /out of memory/);
  assert.equal([first!.taken, last!.taken], [[["text"]], [["text"]]]);
  outbox.enter();
  send(outbox, last!, "goes on");
  outbox.leave();
  assert.equal(last!.taken, [["text"], ["goes on"]]);
});

test("a message queue gives back what was put in, and lets its memory go", () => {
  const queue = new MessageQueue();
  const source = Buffer.from("0123456789".repeat(10_000));
  let [pushed, popped, bytes] = [0, 0, 0];
  const lengths: number[] = [];
  for (let round = 0; round < 300; round++) {
    for (let i = 0; i < 10; i++, pushed++) {
      const length = 1 + ((pushed * 7_919) % (pushed % 50 === 0 ? 99_000 : 300));
      queue.push(source, pushed % 10, (pushed % 10) + length);
      lengths.push(length);
      bytes += length;
    }
    for (let i = 0; i < (round < 200 ? 7 : 15) && queue.messages > 0; i++, popped++) {
      const chunk = queue.oldest;
      const begin = chunk.first === 0 ? 0 : chunk.ends[chunk.first - 1]!;
      const end = chunk.ends[chunk.first]!;
      assert.is(end - begin, lengths[popped]);
      assert.is(chunk.bytes[begin], 0x30 + (popped % 10));
      queue.drop(1);
      bytes -= end - begin;
    }
    assert.equal([queue.messages, queue.bytes], [pushed - popped, bytes]);
  }
  queue.clear();
  assert.equal([queue.messages, queue.bytes], [0, 0]);
});

test.run();
