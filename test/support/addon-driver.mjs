/**
 * Exercises every path of the addon, without TypeScript in between: `node --expose-gc addon-driver.mjs ADDON SCENARIO`.
 * Says "done" when all went well. Run plainly and under the address sanitizer (addon.test.ts, addon-sanitizer.test.ts).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, readdirSync, rmSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";

const [path, scenario] = isMainThread ? process.argv.slice(2) : workerData;
const {
  SeqpacketSocket,
  StreamListener,
  NetworkWatch,
  receiveArena,
  received,
  sendTable,
  receiveBatch,
  sendBatch,
  slotStride,
  setOption,
  getOption,
  connectUnix,
  socketIn,
} = createRequire(import.meta.url)(path);
const READABLE = 1;
const WRITABLE = 2;
const END = receiveBatch;
let names = 0;
const freshName = () => Buffer.from(`\0paf-driver-${process.pid}-${isMainThread ? "main" : "worker"}-${names++}`);
const turn = () => new Promise(setImmediate);
const descriptors = () => readdirSync("/proc/self/fd").length;

function good(value) {
  assert(typeof value === "object" || value >= 0, `errno ${-value}`);
  return value;
}

/** Two ends of a connection, neither started. */
function pair() {
  const name = freshName();
  const listener = good(SeqpacketSocket.listen(name, 16));
  const client = good(SeqpacketSocket.connect(name));
  const server = good(listener.accept());
  listener.close();
  return { client, server };
}

function send(socket, ...lengths) {
  const source = new Uint8Array(lengths.reduce((a, b) => a + b, 0)).fill(120);
  let at = 0;
  lengths.forEach((length, i) => {
    sendTable[2 * i] = at;
    sendTable[2 * i + 1] = length;
    at += length;
  });
  return socket.send(source.buffer, lengths.length);
}

const listenStream = (ip = "127.0.0.1", port = 0) => StreamListener.listen(ip, port, 16, 160);

/** A connection to `listener` that is not accepted yet. */
async function visit(listener) {
  const [host, port] = listener.localName();
  const client = connect({ host, port });
  client.on("error", () => {}); // the listener may be closed
  await once(client, "connect");
  return client;
}

/** Starts `socket`; resolves with the events until the end of the stream, each as [count, lengths, end]. */
function readAll(socket) {
  return new Promise((resolve) => {
    const events = [];
    good(
      socket.start((count) => {
        events.push([count, [...received.subarray(0, Math.max(count, 0))], received[END]]);
        if (received[END] !== 0) {
          socket.close();
          resolve(events);
        }
      }),
    );
    socket.watch(READABLE);
  });
}

const scenarios = {
  async echo() {
    for (let i = 0; i < 50; i++) {
      const { client, server } = pair();
      const reading = readAll(server);
      assert.equal(send(client, 1, 80, 65_535), 3);
      assert.equal(send(client, 65_536), 1);
      assert.equal(send(client, 200_000), 1); // longer than a slot: cut, and the real length told
      client.close();
      const lengths = (await reading).flatMap(([, list]) => list);
      assert.deepEqual(lengths, [1, 80, 65_535, 65_536, 200_000]);
      assert.equal(receiveArena[0], 120);
      assert.equal(receiveArena.length, receiveBatch * slotStride);
    }
  },

  async "wrong arguments"() {
    const { client, server } = pair();
    const source = new Uint8Array(100).buffer;
    for (const [offset, length] of [
      [0, 101],
      [100, 1],
      [101, 0],
      [0, 0],
      [-1, 1],
      [1, -1],
      [2 ** 31 - 1, 2 ** 31 - 1],
    ]) {
      sendTable.set([offset, length]);
      assert.equal(client.send(source, 1), -22, `${offset} ${length}`);
    }
    assert.equal(client.send(source, 0), -22);
    assert.equal(client.send(source, -1), -22);
    assert.equal(client.send(source, sendBatch + 1), -22);
    assert.throws(() => client.send("text", 1));
    assert.throws(() => client.send());
    assert.throws(() => client.start());
    assert.throws(() => SeqpacketSocket.listen("text", 1));
    assert.throws(() => SeqpacketSocket.prototype.send.call({}, source, 1));
    assert.equal(SeqpacketSocket.connect(Buffer.alloc(200)), -22);
    assert.equal(SeqpacketSocket.listen(Buffer.alloc(200), 1), -22);
    for (const [strange, methods] of [
      [new SeqpacketSocket(), ["accept", "localName", "peerName", "credentials"]],
      [new StreamListener(), ["accept", "localName"]],
      [new NetworkWatch(), []],
    ]) {
      for (const method of methods) assert.equal(strange[method](), -9);
      assert.equal(
        strange.start(() => {}),
        -9,
      );
      strange.watch(READABLE);
      strange.close();
    }
    for (const ip of ["", "localhost", "[::1]", "::1%lo", "1.2.3", "0".repeat(100_000)]) {
      assert.equal(listenStream(ip), -22, ip);
    }
    for (const port of [-1, 65_536]) assert.equal(listenStream("127.0.0.1", port), -22);
    assert.equal(listenStream("192.0.2.77"), -99);
    assert.throws(() => StreamListener.listen());
    assert.throws(() => StreamListener.listen(1, 2, 3, 4));
    assert.throws(() => StreamListener.prototype.accept.call(client));
    assert.equal(setOption(-1, 6, 1, 1), -9);
    assert.equal(getOption(-1, 6, 1), -9);
    client.close();
    server.close();
  },

  async "a stream listener"() {
    for (const ip of ["127.0.0.1", "::1", "::"]) {
      const listener = good(listenStream(ip));
      const [host, port] = listener.localName();
      assert.equal(host, ip);
      assert(port > 0);
      assert.equal(listenStream(ip, port), -98);
      assert.equal(listener.accept(), -11);
      let events = 0;
      const accepted = new Promise((resolve) => {
        good(
          listener.start((event) => {
            assert.equal(event, 0);
            const descriptor = good(listener.accept());
            assert.equal(getOption(descriptor, 1, 3), 1); // SO_TYPE: SOCK_STREAM
            closeSync(descriptor);
            if (++events === 3) resolve();
          }),
        );
      });
      listener.watch(READABLE);
      listener.watch(0);
      const clients = [await visit(listener), await visit(listener), await visit(listener)];
      await turn();
      assert.equal(events, 0, "nothing is accepted while nothing is watched");
      listener.watch(READABLE);
      await accepted;
      clients.push(await visit(listener)); // waits when the listener is closed
      listener.close();
      listener.close();
      for (const method of ["accept", "localName"]) assert.equal(listener[method](), -9);
      for (const client of clients) client.destroy();
    }
  },

  async "a stream listener that is closed within its callback"() {
    for (let i = 0; i < 20; i++) {
      let listener = good(listenStream());
      const client = await visit(listener);
      await new Promise((resolve) => {
        listener.start(() => {
          closeSync(good(listener.accept()));
          listener.close();
          listener = undefined;
          gc();
          resolve();
        });
        listener.watch(READABLE);
      });
      client.destroy();
      await turn();
    }
  },

  async "close twice, and use after close"() {
    const { client, server } = pair();
    server.start(() => assert.fail("closed sockets call nobody"));
    server.watch(READABLE);
    send(client, 5);
    server.close();
    server.close();
    server.watch(READABLE | WRITABLE);
    assert.equal(send(server, 1), -9);
    assert.equal(
      server.start(() => {}),
      -9,
    );
    assert.equal(server.localName(), -9);
    client.close();
    client.close();
    await turn();
    await turn();
  },

  async "close within the callback"() {
    for (let i = 0; i < 50; i++) {
      let { client, server } = pair();
      send(client, 1);
      send(server, 1);
      let events = 0;
      const ended = new Promise((resolve) => {
        server.start(() => {
          events++;
          server.close();
          client.close();
          server = client = undefined; // nothing but the addon knows them now
          gc();
          resolve();
        });
        client.start(() => events++);
        server.watch(READABLE | WRITABLE);
        client.watch(READABLE | WRITABLE);
      });
      await ended;
      await turn();
      assert(events <= 3);
    }
  },

  async "collected without close"() {
    const before = descriptors();
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 20; i++) {
        pair();
        listenStream();
      }
      gc();
      await turn();
    }
    gc();
    await turn();
    await turn();
    assert(descriptors() <= before + 2, `${descriptors() - before} descriptors are left`);
  },

  async "started sockets are not collected"() {
    const ends = [];
    const clients = [];
    for (let i = 0; i < 20; i++) {
      const { client, server } = pair();
      clients.push(client);
      ends.push(readAll(server));
    }
    gc();
    await turn();
    gc();
    for (const client of clients) {
      send(client, 7);
      client.close();
    }
    for (const end of ends) assert.deepEqual((await end)[0][1], [7]);
  },

  async "a reset comes after the messages"() {
    const { client, server } = pair();
    send(server, 9); // stays unread, so that closing resets
    send(client, ...Array(20).fill(10));
    send(client, ...Array(20).fill(10));
    client.close();
    const events = await readAll(server);
    assert.equal(events.flatMap(([, lengths]) => lengths).length, 40);
    assert.equal(events.at(-1)[2], -104);
  },

  async "a reset while only writability is watched"() {
    const { client, server } = pair();
    while (send(server, 60_000) === 1);
    const writable = new Promise((resolve) =>
      server.start((event) => {
        server.watch(0);
        resolve(event);
      }),
    );
    server.watch(WRITABLE);
    client.close();
    assert.equal(await writable, -1);
    assert.equal(send(server, 1), -104);
    assert.equal(send(server, 1), -32);
    server.close();
  },

  async "callbacks that throw"() {
    const errors = [];
    process.on("uncaughtException", (error) => errors.push(error));
    const { client, server } = pair();
    let events = 0;
    const ended = new Promise((resolve) => {
      server.start((count) => {
        events++;
        if (received[END] !== 0) {
          server.close();
          resolve();
        }
        if (count === 1) throw new Error("planned");
        if (count === 2) throw undefined;
      });
    });
    server.watch(READABLE);
    for (const lengths of [[1], [1, 1], [1]]) {
      send(client, ...lengths);
      const seen = events;
      while (events === seen) await turn();
    }
    client.close();
    await ended;
    assert.deepEqual(
      errors.map((error) => error?.message),
      ["planned", undefined, "planned"],
    );
  },

  async writability() {
    const { client, server } = pair();
    let queued = 0;
    while (send(client, 60_000) === 1) queued++;
    assert(queued > 2 && queued < 100);
    let writable = 0;
    client.start((event) => {
      assert.equal(event, -1);
      writable++;
      client.close();
    });
    client.watch(WRITABLE);
    await turn();
    assert.equal(writable, 0);
    const events = await readAll(server);
    assert.equal(events.flatMap(([, lengths]) => lengths).length, queued);
    assert.equal(writable, 1);
  },

  async "datagram and stream sockets"() {
    const before = descriptors();
    const folder = mkdtempSync(join(tmpdir(), "paf-driver-"));
    const path = join(folder, "stream");
    const server = createServer();
    await new Promise((resolve) => server.listen(path, resolve));
    const received = new Promise((resolve) => server.once("connection", (socket) => socket.once("data", resolve)));
    const sunPath = Buffer.from(`${path}\0`);
    assert.equal(connectUnix(sunPath, false), -91);
    assert.equal(connectUnix(Buffer.from(`${path}x\0`), true), -2);
    assert.equal(connectUnix(Buffer.alloc(109, "x"), true), -22);
    assert.throws(() => connectUnix("text", true));
    assert.throws(() => connectUnix());
    assert.equal(descriptors(), before + 1, "only the listener");
    const fd = good(connectUnix(sunPath, true));
    writeSync(fd, "hello");
    assert.equal(String(await received), "hello");
    closeSync(fd);
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  },

  async "sockets of network namespaces"() {
    const before = descriptors();
    assert.equal(socketIn("/nonexistent", 4), -2);
    assert.throws(() => socketIn());
    assert.throws(() => socketIn("/nonexistent", "4"));
    const isRoot = process.geteuid() === 0;
    assert.equal(socketIn("/dev/null", 4), -22);
    for (const kind of [1, 4, 6]) {
      const fd = socketIn("/proc/self/ns/net", kind);
      if (isRoot) closeSync(good(fd));
      else assert.equal(fd, -1);
    }
    if (isRoot) {
      const name = freshName();
      const ours = () => socketIn("/proc/self/ns/net", 1);
      assert.equal(SeqpacketSocket.connect(name, ours()), -111);
      assert.equal(SeqpacketSocket.connect(Buffer.alloc(109, "x"), ours()), -22);
      const listener = good(SeqpacketSocket.listen(name, 16));
      const client = good(SeqpacketSocket.connect(name, ours()));
      good(listener.accept()).close();
      client.close();
      client.close();
      listener.close();
    }
    assert.equal(descriptors(), before);
  },

  /** In a network of its own, in which an interface goes up. */
  async "a network watch"() {
    const unshare = ["unshare", process.geteuid() === 0 ? "-n" : "-Urn"];
    const run = ([program, ...rest]) => spawnSync(program, rest, { encoding: "utf8" });
    if (run([...unshare, "ip", "link"]).status !== 0) {
      if (process.env.CI === "true") throw new Error("no network namespaces, or no ip, and CI skips nothing");
      return console.log("skipped: no network namespaces here, or no ip");
    }
    const { status, stdout, stderr } = run([
      ...[...unshare, process.execPath, "--expose-gc"],
      ...[fileURLToPath(import.meta.url), path, "a network watch, within"],
    ]);
    assert.equal(status, 0, stdout + stderr);
    assert.doesNotMatch(stderr, /AddressSanitizer: (?!\d+ byte)|runtime error/);
  },

  async "a network watch, within"() {
    const ip = (...words) => assert.equal(spawnSync("ip", words).status, 0);
    const watch = good(NetworkWatch.open());
    let calls = 0;
    let onCall = () => {};
    good(
      watch.start((event) => {
        assert.equal(event, 0);
        calls++;
        onCall();
      }),
    );
    const called = () => new Promise((resolve) => (onCall = resolve));
    const alive = setInterval(() => {}, 1000); // the watch alone would not do
    ip("link", "set", "lo", "up");
    await turn();
    assert.equal(calls, 0, "nothing is watched yet");
    watch.watch(READABLE);
    await called();
    ip("addr", "add", "192.0.2.1/32", "dev", "lo");
    await called();
    ip("addr", "add", "2001:db8::1/128", "dev", "lo", "nodad");
    await called();
    watch.watch(0);
    ip("link", "set", "lo", "down");
    watch.forget();
    watch.watch(READABLE);
    const before = calls;
    for (let i = 0; i < 20; i++) await turn();
    assert.equal(calls, before, "what was forgotten calls nobody");
    watch.watch(0);
    const batch = Array.from({ length: 3000 }, (_, i) => `addr add 10.1.${i >> 8}.${i & 255}/32 dev lo`).join("\n");
    assert.equal(spawnSync("ip", ["-batch", "-"], { input: batch }).status, 0);
    watch.watch(READABLE); // more than the kernel keeps: ENOBUFS
    await called();
    watch.forget();
    const closed = called();
    const resolveClosed = onCall;
    onCall = () => {
      watch.close();
      gc();
      resolveClosed();
    };
    ip("link", "set", "lo", "up");
    await closed;
    watch.forget();
    watch.close();
    assert.equal(
      watch.start(() => {}),
      -9,
    );
    clearInterval(alive);
  },

  /** Watched or not, it keeps no process alive. */
  async "a network watch that is left open"() {
    for (let i = 0; i < 3; i++) {
      const watch = good(NetworkWatch.open());
      good(watch.start(() => {}));
      watch.watch(READABLE);
      good(NetworkWatch.open());
    }
  },

  async names() {
    const { client, server } = pair();
    assert.match(client.localName().toString("latin1"), /^\0[0-9a-f]{5}$/);
    assert.deepEqual(server.peerName(), client.localName());
    assert.deepEqual(server.localName(), client.peerName());
    assert.deepEqual(server.credentials(), [process.pid, process.getuid(), process.getgid()]);
    client.close();
    server.close();
    const long = Buffer.concat([Buffer.alloc(1), Buffer.alloc(107, "n")]);
    const listener = good(SeqpacketSocket.listen(long, 1));
    assert.deepEqual(listener.localName(), long);
    assert.equal(SeqpacketSocket.listen(long, 1), -98);
    assert.equal(SeqpacketSocket.connect(long.subarray(0, 107)), -111);
    listener.close();
  },

  async workers() {
    const before = descriptors();
    for (const how of ["ends", "exits", "exits in a callback", "is terminated", "throws"]) {
      for (let i = 0; i < 4; i++) {
        const worker = new Worker(fileURLToPath(import.meta.url), { workerData: [path, `worker ${how}`] });
        const code = new Promise((resolve) => worker.once("exit", resolve));
        const error = new Promise((resolve) => worker.once("error", resolve));
        if (how === "is terminated") {
          await new Promise((resolve) => worker.once("message", resolve));
          await worker.terminate();
        }
        await code;
        if (how === "throws") assert.equal((await error).message, "planned");
      }
    }
    assert(descriptors() <= before + 2, `${descriptors() - before} descriptors are left`);
  },

  /** Ends with everything open; what happens then is the test. */
  async "exit with open sockets"() {
    openMany();
    await turn();
    console.log("done");
    process.exit(0);
  },

  async "exit within a callback"() {
    const { client, server } = openMany();
    server.start(() => {
      console.log("done");
      process.exit(0);
    });
    server.watch(READABLE);
    send(client, 3);
    await new Promise(() => {});
  },

  async "an exception that nobody catches"() {
    const { client, server } = openMany();
    server.start(() => {
      throw new Error("planned");
    });
    server.watch(READABLE);
    send(client, 3);
    await new Promise(() => {});
  },

  async "worker ends"() {
    const { client, server } = pair();
    const reading = readAll(server);
    send(client, 3);
    client.close();
    await reading;
    pair();
  },
  async "worker exits"() {
    openMany();
    process.exit(0);
  },
  async "worker exits in a callback"() {
    await scenarios["exit within a callback"]();
  },
  async "worker throws"() {
    await scenarios["an exception that nobody catches"]();
  },
  async "worker is terminated"() {
    openMany();
    const { parentPort } = await import("node:worker_threads");
    parentPort.postMessage("ready");
    await new Promise(() => {});
  },
};

/** Started, watched and unstarted sockets, all left open; gives one more pair. */
function openMany() {
  const listener = good(SeqpacketSocket.listen(freshName(), 16));
  listener.start(() => {});
  listener.watch(READABLE);
  const streams = [good(listenStream()), good(listenStream("::1")), good(listenStream())];
  for (const stream of streams.slice(1)) {
    stream.start(() => {});
    stream.watch(READABLE);
  }
  const watch = good(NetworkWatch.open());
  watch.start(() => {});
  watch.watch(READABLE);
  for (let i = 0; i < 5; i++) {
    const { client, server } = pair();
    server.start(() => {});
    server.watch(READABLE | WRITABLE);
    client.start(() => {});
    pair();
  }
  return pair();
}

await scenarios[scenario]();
if (isMainThread) console.log("done");
