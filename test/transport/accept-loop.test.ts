import { constants } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { AcceptLoop } from "../../src/transport/accept-loop.js";
import { Watch } from "../support/transport-peers.js";

const { EAGAIN, EBADF, ECONNABORTED, EMFILE, ENOBUFS, EPROTO } = constants.errno;

/** A listening socket whose `accept` gives what was scripted, then EAGAIN. Errors like these no peer can provoke. */
class Scripted extends Watch {
  readonly accepted: object[] = [];
  readonly errors: string[] = [];
  watched = 0;
  closes = 0;
  script: (object | number)[] = [];
  ready = (): void => {};
  readonly loop: AcceptLoop<object>;

  constructor(perTurn = 16, startsWith = 0) {
    super();
    this.loop = new AcceptLoop<object>({
      address: "tcp:test",
      socket: {
        start: (onEvent) => {
          this.ready = () => onEvent(0);
          return startsWith;
        },
        watch: (events) => {
          this.watched = events;
          this.happened();
        },
        close: () => {
          this.closes++;
          sockets.push(this);
        },
      },
      accept: () => this.script.shift() ?? -EAGAIN,
      onAccepted: (accepted) => this.accepted.push(accepted),
      onAcceptError: (error) => this.errors.push(error.message),
      perTurn,
    });
  }

  /** One turn in which `script` is what waits. */
  turn(...script: (object | number)[]): void {
    assert.is(this.watched, 1, "accepting is not resting");
    this.script = script;
    this.ready();
  }

  rested(): Promise<void> {
    return this.until(() => this.watched === 1, "the end of the rest");
  }
}

let sockets: Scripted[] = [];
const connections = (count: number) => Array.from({ length: count }, () => ({}));

test("at most so many are accepted per turn", () => {
  const socket = new Scripted(4);
  socket.turn(...connections(10));
  assert.equal([socket.accepted.length, socket.script.length], [4, 6]);
  socket.turn(...socket.script);
  socket.turn(...socket.script);
  assert.equal([socket.accepted.length, socket.errors], [10, []]);
  socket.loop.close();
});

test("connections that were gone before they were accepted are passed over", () => {
  const socket = new Scripted(4);
  socket.turn(-ECONNABORTED, {}, -EPROTO, {}, {});
  assert.equal([socket.accepted.length, socket.script.length], [2, 1], "they count as accepted ones do");
  assert.equal([socket.errors, socket.watched], [[], 1]);
  socket.loop.close();
});

test("while there is no room, accepting rests between its attempts, and says so once until one succeeds", async () => {
  const socket = new Scripted();
  for (const error of [EMFILE, EMFILE, ENOBUFS]) {
    socket.turn(-error);
    assert.is(socket.watched, 0);
    socket.loop.pause();
    socket.loop.resume();
    assert.is(socket.watched, 0, "resuming does not shorten the rest");
    await socket.rested();
  }
  assert.equal(socket.errors, ["tcp:test: accept: too many open files in this process (EMFILE)"]);
  socket.turn({}, -EMFILE);
  assert.equal([socket.errors.length, socket.watched], [1, 1], "nobody is known to wait for what did not succeed");
  socket.turn(-ENOBUFS);
  assert.equal(socket.errors.slice(1), ["tcp:test: accept: ENOBUFS"]);
  socket.loop.close();
});

test("a pause outlasts a rest; a close ends it", async () => {
  const socket = new Scripted();
  socket.turn(-EMFILE);
  socket.loop.pause();
  socket.watched = -1;
  await socket.until(() => socket.watched === 0, "the end of the rest");
  socket.loop.resume();
  socket.turn(-EMFILE);
  socket.loop.close();
  socket.loop.close();
  socket.watched = -1;
  socket.loop.resume();
  socket.ready();
  assert.equal([socket.watched, socket.accepted.length], [-1, 0], "a closed loop does nothing");
});

test("a socket that cannot be watched is closed", () => {
  sockets = [];
  try {
    new Scripted(16, -EBADF);
    assert.unreachable("it worked");
  } catch (error) {
    assert.is((error as Error).message, "tcp:test: EBADF");
  }
  assert.equal(
    sockets.map(({ closes }) => closes),
    [1],
  );
});

test.run();
