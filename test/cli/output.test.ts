/** A reader of standard output that is slower than the server: what waits for it is bounded, and nothing is lost. */

import { PassThrough, Writable } from "node:stream";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MOST_WAITING } from "../../src/cli/output.js";
import { runPafc } from "../../src/cli/pafc.js";
import { fakeServer, HELLO_COMPLETE, soon } from "../client/live-domain.js";
import { send } from "../support/transport-peers.js";

const MATCHES = 1500;
const TEXT = "x".repeat(30_000);

/** Takes one line in a turn of the event loop, in which dozens can arrive. */
class SlowReader extends Writable {
  taken = 0;
  mostWaiting = 0;
  override _write(_line: Buffer, _encoding: string, done: () => void): void {
    this.taken++;
    this.mostWaiting = Math.max(this.mostWaiting, this.writableLength);
    this.emit("taken");
    setImmediate(done);
  }
}

test("subscribe, with five times what may wait", async () => {
  assert.ok(MATCHES * TEXT.length > 5 * MOST_WAITING);
  const server = await fakeServer((request, connection) => {
    const base = { "ta-cmd": request["ta-cmd"], "ta-id": request["ta-id"] };
    if (request["ta-cmd"] === "hello") return [{ ...HELLO_COMPLETE, ...base }];
    if (request["ta-cmd"] !== "subscribe") return [{ ...base, "msg-type": "accept" }];
    send(connection, JSON.stringify({ ...base, "msg-type": "accept" }));
    const state = { generation: 0, "service-props": { text: [TEXT] }, ttl: 30, "client-id": 1 };
    for (let id = 0; id < MATCHES; id++) {
      const match = { ...base, "msg-type": "notify", "match-type": "appeared", "service-id": id, ...state };
      send(connection, JSON.stringify(match));
    }
    return [];
  });
  const stdout = new SlowReader();
  const interrupt = new AbortController();
  stdout.on("taken", () => {
    if (stdout.taken === MATCHES) interrupt.abort();
  });
  const [stdin, stderr] = [new PassThrough(), new PassThrough()];
  const argv = ["--timeout", "0.5", server.address, "subscribe"]; // no limit for the reader
  const run = runPafc(argv, { stdin, stdout, stderr, env: {}, interrupt: interrupt.signal });
  const code = await soon(run, "the end").finally(() => server.close());
  assert.equal([code, stdout.taken], [0, MATCHES]);
  // What had arrived by then comes on top, and the line itself.
  assert.ok(stdout.mostWaiting < MOST_WAITING * 1.25, `${stdout.mostWaiting} bytes waited`);
  assert.ok(stdout.mostWaiting > MOST_WAITING * 0.75, "the reader was too fast to show anything");
});

test.run();
