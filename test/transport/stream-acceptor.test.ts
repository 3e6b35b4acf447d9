import { spawnSync } from "node:child_process";
import { fstatSync, openSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { requireAddon } from "../../src/transport/addon.js";
import { acceptStreams, adopt, type StreamAcceptorOptions } from "../../src/transport/stream-acceptor.js";
import { endSoon, socketDescriptors, Watch } from "../support/transport-peers.js";

const test = suite("stream acceptor");
test.after(endSoon);

/** An acceptor on 127.0.0.1, and the sockets that it has accepted. */
async function accepting(options: Partial<StreamAcceptorOptions> = {}) {
  const watch = new Watch();
  const sockets: Socket[] = [];
  const acceptor = await acceptStreams({
    host: "127.0.0.1",
    port: 0,
    onSocket: (socket) => {
      sockets.push(socket);
      watch.happened();
    },
    onAcceptError: (error) => assert.unreachable(error.message),
    ...options,
  });
  const accepted = (count: number) => watch.until(() => sockets.length >= count, `${count} sockets`);
  return { acceptor, sockets, accepted, port: portOf(acceptor.hostAndPort) };
}

const portOf = (hostAndPort: string) => Number(hostAndPort.slice(hostAndPort.lastIndexOf(":") + 1));

async function visit(port: number, host = "127.0.0.1"): Promise<Socket> {
  const client = connect({ host, port });
  await new Promise((connected) => client.once("connect", connected));
  return client;
}

const closed = (socket: Socket) => new Promise((resolve) => socket.once("close", resolve));

test("what comes before the owner reads is neither read early nor lost", async () => {
  const { acceptor, sockets, accepted, port } = await accepting();
  const client = await visit(port);
  const text = "x".repeat(10_000);
  await new Promise((written) => client.write(text, written));
  await accepted(1);
  const socket = sockets[0]!;
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
  assert.equal([socket.bytesRead, socket.readableLength, socket.isPaused()], [0, 0, true]);
  let received = "";
  socket.on("data", (data) => (received += data));
  assert.is(received, "");
  socket.resume();
  client.end();
  await closed(socket);
  assert.is(received, text);
  acceptor.close();
});

test("addresses and ports of both ends; a half-closed connection is closed; a reset is an error", async () => {
  for (const [host, clientAt, local] of [
    ["127.0.0.1", "127.0.0.1", "127.0.0.1"],
    ["::1", "::1", "::1"],
    ["::", "127.0.0.1", "::ffff:127.0.0.1"],
  ] as const) {
    const { acceptor, sockets, accepted, port } = await accepting({ host });
    const [orderly, rude] = [await visit(port, clientAt), await visit(port, clientAt)];
    await accepted(2);
    assert.equal([sockets[0]!.localAddress, sockets[0]!.localPort], [local, port]);
    assert.equal([sockets[0]!.remoteAddress, sockets[0]!.remotePort], [local, orderly.localPort]);
    let error: NodeJS.ErrnoException | undefined;
    sockets[1]!.on("error", (reason) => (error = reason));
    for (const socket of sockets) socket.resume();
    orderly.resume().end();
    rude.resetAndDestroy();
    await Promise.all([closed(orderly), closed(rude), ...sockets.map(closed)]);
    assert.is(error?.code, "ECONNRESET");
    acceptor.close();
  }
});

test("at most `perTurn` sockets come in one turn of the event loop", async () => {
  for (const perTurn of [4, undefined]) {
    const turns: number[] = [0];
    const { acceptor, sockets, port } = await accepting({
      ...(perTurn ? { perTurn } : {}),
      onSocket: (socket) => {
        if (turns[turns.length - 1]++ === 0) setImmediate(() => turns.push(0));
        sockets.push(socket);
      },
    });
    acceptor.pauseAccepting();
    const clients: Socket[] = [];
    for (let i = 0; i < 50; i++) clients.push(await visit(port));
    acceptor.resumeAccepting();
    while (sockets.length < 50) await new Promise(setImmediate);
    assert.is(Math.max(...turns), perTurn ?? 16, `${turns}`);
    for (const socket of [...clients, ...sockets]) socket.destroy();
    acceptor.close();
  }
});

test("the listener has XCM's socket options; its port is free again at once", async () => {
  const addon = requireAddon();
  const ipv6Only = Number(readFileSync("/proc/sys/net/ipv6/bindv6only", "utf8"));
  for (const [host, level, option] of [
    ["127.0.0.1", 0, 1],
    ["::", 41, 67],
  ] as const) {
    let port = 0;
    for (const round of [0, 1, 2]) {
      const before = socketDescriptors();
      const ours = () => [...socketDescriptors()].filter(([inode]) => !before.has(inode));
      const { acceptor, sockets, accepted, port: bound } = await accepting({ host, port });
      const listener = ours()[0]![1];
      assert.is(addon.getOption(listener, 1, 30), 1, "SO_ACCEPTCONN");
      assert.is(
        addon.getOption(listener, 1, 2),
        round === 0 ? 0 : 1,
        "SO_REUSEADDR only for a port that was asked for",
      );
      assert.is(addon.getOption(listener, level, option), 160, "the traffic class");
      if (host === "::") assert.is(addon.getOption(listener, 41, 26), ipv6Only, "IPV6_V6ONLY");
      if (round > 0) {
        assert.is(bound, port);
        const client = await visit(port, host === "::" ? "::1" : host);
        await accepted(1);
        const child = spawnSync("ls", ["-l", "/proc/self/fd"], {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
        });
        for (const [inode] of ours()) assert.not.match(child.stdout, `socket:[${inode}]`, "a child inherits nothing");
        sockets[0]!.destroy(); // our side closes first, so that the port stays in TIME_WAIT
        client.resume();
        await closed(client);
      }
      port = bound;
      acceptor.close();
    }
  }
});

test("what cannot be bound is said with Node's own code", async () => {
  const { acceptor, port } = await accepting();
  for (const [host, taken, code] of [
    ["127.0.0.1", port, "EADDRINUSE"],
    ["192.0.2.77", 0, "EADDRNOTAVAIL"],
    ["no address", 0, "EINVAL"],
  ] as const) {
    const error = await accepting({ host, port: taken }).then(
      () => assert.unreachable("it worked"),
      (reason) => reason,
    );
    assert.is(error.code, code);
  }
  acceptor.close();
});

test("a descriptor that Node.js refuses is closed", () => {
  const file = openSync("/dev/null", "r");
  assert.is(adopt(file), -5);
  assert.throws(() => fstatSync(file), /EBADF/);
});

test.run();
