/** The process's timers on the real event loop: never before the sockets have been read. */

import { connect, createServer, type Socket } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { eventLoopTimers, systemClock } from "../../src/daemon/event-loop-time.js";
import { Outbox } from "../../src/transport/index.js";

const endOf = (ms: number) => {
  const end = systemClock.monotonicMs() + ms;
  while (systemClock.monotonicMs() < end);
};

test("what peers sent while the process stood still is read before timers fire that are overdue", async () => {
  const happened: string[] = [];
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const accepted = new Promise<Socket>((done) => server.once("connection", done));
  const { port } = server.address() as { port: number };
  const peer = connect(port, "127.0.0.1");
  const socket = await accepted;
  socket.on("data", () => happened.push("read"));
  const timers = eventLoopTimers(systemClock, new Outbox());
  for (let round = 0; round < 20; round++) {
    // From timers and from immediates: whatever the event loop does next after having stood still.
    await new Promise<void>((done) => (round % 2 === 0 ? setTimeout(done, 1) : setImmediate(done)));
    happened.length = 0;
    const fired = new Promise<void>((done) => {
      timers.after("test", 5, () => {
        happened.push("timer");
        done();
      });
    });
    peer.write("sign of life");
    endOf(30);
    await fired;
    assert.equal(happened, ["read", "timer"], `round ${round}`);
  }
  assert.is(timers.size, 0);
  peer.destroy();
  socket.destroy();
  server.close();
});

test("a timer that is cancelled while the sockets are read does not fire, and a later one does", async () => {
  const timers = eventLoopTimers(systemClock, new Outbox());
  const cancelled = timers.after("test", 1, () => assert.unreachable("it was cancelled"));
  const late = new Promise<void>((done) => void timers.after("test", 10, done));
  await new Promise<void>((done) => {
    setTimeout(() => {
      // This timer is behind the one of the heap, so that its immediate is already waiting.
      cancelled.cancel();
      done();
    }, 1);
    endOf(5);
  });
  await late;
  assert.is(timers.size, 0);
});

test.run();
