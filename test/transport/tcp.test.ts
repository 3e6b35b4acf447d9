import { connect as connectRaw, createServer, type Socket } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { requireAddon } from "../../src/transport/addon.js";
import {
  dial,
  echo,
  endSoon,
  openDescriptors,
  PythonPeer,
  portOf,
  pythonMissing,
  type Recorder,
  rejection,
  type Server,
  send,
  serve,
  socketDescriptors,
} from "../support/transport-peers.js";

const test = suite("tcp");
test.after(endSoon);

/** A raw client, and what it has received so far. */
async function rawClient(server: Server): Promise<{ socket: Socket; received: () => Buffer; ends: Promise<void> }> {
  const chunks: Buffer[] = [];
  const socket = connectRaw(portOf(server), "127.0.0.1");
  socket.setNoDelay(true);
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("error", () => {});
  const ends = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  await new Promise((resolve) => socket.once("connect", resolve));
  return { socket, received: () => Buffer.concat(chunks), ends };
}

/** Messages of all lengths there and back, over one connection to `address`. */
async function talk(address: string): Promise<Recorder> {
  const client = await dial(address);
  const texts = [1, 2, 80, 4_096, 65_535].map((length) => String(length % 10).repeat(length));
  for (const text of texts) send(client, text);
  await client.receives(texts.length);
  assert.equal(client.messages, texts);
  return client;
}

test("the owner may take only short messages for a while; a longer one ends the connection by its header", async () => {
  const server = await serve("tcp:127.0.0.1:0", (text, recorder) => {
    recorder.connection.maxMessageLength = text === "long" ? 100 : 5; // as the next header is looked at
    send(recorder, text);
  });
  const client = await dial(`tcp:127.0.0.1:${portOf(server)}`);
  send(client, "long");
  send(client, "x".repeat(100));
  await client.receives(2);
  const { socket, ends } = await rawClient(server);
  socket.write(Buffer.from([0, 0, 0, 1, 120, 0, 0, 0, 6]));
  await ends;
  const them = server.accepted[1]!;
  await them.ends();
  assert.match(them.error!.message, /^tcp:127\.0\.0\.1:\d+: frame of 6 bytes \(1 to 5 accepted\)$/);
});

for (const [listenAt, connectTo, bound, client, peer] of [
  ["tcp:127.0.0.1:0", "127.0.0.1", "tcp:127.0.0.1:PORT", "tcp:127.0.0.1:", "tcp:127.0.0.1:"],
  ["tcp:[::1]:0", "[::1]", "tcp:[::1]:PORT", "tcp:[::1]:", "tcp:[::1]:"],
  ["tcp:*:0", "127.0.0.1", "tcp:0.0.0.0:PORT", "tcp:127.0.0.1:", "tcp:127.0.0.1:"],
  ["tcp:[*]:0", "[::1]", "tcp:[::]:PORT", "tcp:[::1]:", "tcp:[::1]:"],
  ["tcp:[*]:0", "127.0.0.1", "tcp:[::]:PORT", "tcp:127.0.0.1:", "tcp:[::ffff:127.0.0.1]:"],
  ["tcp:localhost:", "localhost", "tcp:127.0.0.1:PORT", "tcp:127.0.0.1:", "tcp:127.0.0.1:"],
] as const) {
  test(`${listenAt} from ${connectTo}: both ends print their addresses as XCM does`, async () => {
    const server = await serve(listenAt, echo);
    const port = portOf(server);
    const ipv6Localhost = server.address.startsWith("tcp:[::1]") && connectTo === "localhost";
    if (!ipv6Localhost) assert.is(server.address, bound.replace("PORT", String(port)));
    const us = await talk(`tcp:${connectTo}:${port}`);
    const them = server.accepted[0]!;
    if (!ipv6Localhost) {
      assert.ok(us.connection.localAddress.startsWith(client), us.connection.localAddress);
      assert.is(us.connection.remoteAddress, `${client}${port}`);
      assert.is(them.connection.localAddress, `${peer}${port}`);
    }
    const clientPort = us.connection.localAddress.slice(us.connection.localAddress.lastIndexOf(":") + 1);
    if (!ipv6Localhost) assert.is(them.connection.remoteAddress, `${peer}${clientPort}`);
    assert.is(them.connection.credentials, undefined);
    us.connection.close();
    us.connection.close();
    assert.is(us.closes, 0, "not from within close()");
    await Promise.all([us.ends(), them.ends()]);
    send(us, "nobody hears this");
    await new Promise(setImmediate);
    assert.equal([us.error, them.error, us.closes, them.closes], [undefined, undefined, 1, 1]);
    server.close();
    server.close();
  });
}

test("frames are the length and the message, several in one write", async () => {
  const server = await serve("tcp:127.0.0.1:0", echo);
  const raw = await rawClient(server);
  raw.socket.write(Buffer.from("\0\0\0\x05hello\0\0\0\x01!", "latin1"));
  await server.connections(1);
  await server.accepted[0]!.receives(2);
  while (raw.received().length < 14) await new Promise((resolve) => raw.socket.once("data", resolve));
  assert.is(raw.received().toString("latin1"), "\0\0\0\x05hello\0\0\0\x01!");
  raw.socket.destroy();
  server.close();
});

test("a frame that arrives byte by byte", async () => {
  const server = await serve("tcp:127.0.0.1:0", echo);
  const raw = await rawClient(server);
  for (const byte of Buffer.from("\0\0\0\x05hello", "latin1")) {
    await new Promise((resolve) => raw.socket.write(Uint8Array.of(byte), resolve));
    await new Promise(setImmediate);
  }
  await server.connections(1);
  await server.accepted[0]!.receives(1);
  assert.equal(server.accepted[0]!.messages, ["hello"]);
  raw.socket.destroy();
  server.close();
});

for (const [what, header, said] of [
  ["no bytes", [0, 0, 0, 0], "frame of 0 bytes"],
  ["65,536 bytes", [0, 1, 0, 0], "frame of 65536 bytes"],
  ["262,145 bytes", [0, 4, 0, 1], "frame of 262145 bytes"],
  ["4 GB", [255, 255, 255, 255], "frame of 4294967295 bytes"],
] as const) {
  test(`a header that announces ${what} ends that connection, after the messages before it`, async () => {
    const server = await serve("tcp:127.0.0.1:0", echo);
    const other = await talk(server.address);
    const raw = await rawClient(server);
    raw.socket.write(Buffer.from([0, 0, 0, 1, 97, ...header, 98, 99]));
    await server.connections(2);
    const bad = server.accepted[1]!;
    await Promise.all([bad.ends(), raw.ends]);
    assert.equal(bad.messages, ["a"]);
    assert.is(bad.error?.code, "EPROTO");
    assert.is(bad.error?.message, `${bad.connection.remoteAddress}: ${said} (1 to 65535 accepted)`);
    send(other, "unharmed");
    await other.receives(6);
    other.connection.close();
    server.close();
  });
}

test("an end in the middle of a frame is an ordinary end; a reset is an error", async () => {
  const server = await serve("tcp:127.0.0.1:0");
  for (const [index, end, code] of [
    [0, (socket: Socket) => socket.end(), undefined],
    [1, (socket: Socket) => socket.resetAndDestroy(), "ECONNRESET"],
  ] as const) {
    const raw = await rawClient(server);
    raw.socket.write(Buffer.from("\0\0\0\x05hello\0\0\0\x05he", "latin1"));
    await server.connections(index + 1);
    const peer = server.accepted[index]!;
    await peer.receives(1);
    end(raw.socket);
    await peer.ends();
    assert.equal([peer.messages, peer.error?.code], [["hello"], code]);
    await raw.ends; // a half-closed client is closed by us
  }
  server.close();
});

test("XCM's socket options are set on both ends; keepalive can be turned off and on", async () => {
  const addon = requireAddon();
  for (const host of ["127.0.0.1", "[::1]"]) {
    const server = await serve(`tcp:${host}:0`, echo);
    const before = socketDescriptors();
    const client = await talk(server.address);
    const isTcp = (fd: number) => addon.getOption(fd, 6, 4) >= 0; // others belong to the listing itself
    const ends = [...socketDescriptors()].filter(([inode, fd]) => !before.has(inode) && isTcp(fd)).map(([, fd]) => fd);
    assert.is(ends.length, 2, "both ends of the connection");
    const [level, option] = host === "[::1]" ? [41, 67] : [0, 1];
    for (const fd of ends) {
      const values = {
        nodelay: addon.getOption(fd, 6, 1),
        idle: addon.getOption(fd, 6, 4),
        interval: addon.getOption(fd, 6, 5),
        count: addon.getOption(fd, 6, 6),
        synCount: addon.getOption(fd, 6, 7),
        userTimeout: addon.getOption(fd, 6, 18),
        keepalive: addon.getOption(fd, 1, 9),
        trafficClass: addon.getOption(fd, level!, option!),
      };
      const expected = { nodelay: 1, idle: 1, interval: 1, count: 3, synCount: 3, userTimeout: 3_000, keepalive: 1 };
      assert.equal(values, { ...expected, trafficClass: 160 });
    }
    const keepalives = () => ends.map((fd) => addon.getOption(fd, 1, 9));
    client.connection.setKeepalive(false);
    server.accepted[0]!.connection.setKeepalive(false);
    assert.equal(keepalives(), [0, 0]);
    client.connection.setKeepalive(true);
    assert.equal(keepalives().sort(), [0, 1]);
    assert.equal(
      ends.map((fd) => [addon.getOption(fd, 6, 5), addon.getOption(fd, 6, 6)]),
      [
        [1, 3],
        [1, 3],
      ],
    );
    client.connection.close();
    client.connection.setKeepalive(false);
    server.close();
  }
});

test("a fast reader is never reported as drained", async () => {
  const server = await serve("tcp:127.0.0.1:0", echo);
  const client = await talk(server.address);
  assert.equal([client.drains, client.connection.queuedMessages], [0, 0]);
  client.connection.close();
  server.close();
});

test("300 connections at once, and no descriptor is left behind", async () => {
  const before = openDescriptors();
  const server = await serve("tcp:127.0.0.1:0", echo);
  const clients = await Promise.all(Array.from({ length: 300 }, () => dial(server.address)));
  clients.forEach((client, i) => {
    send(client, `hello ${i}`);
  });
  await Promise.all(clients.map((client) => client.receives(1)));
  server.close();
  await Promise.all(clients.map((client) => client.ends()));
  await new Promise((resolve) => setTimeout(resolve, 20)); // Node closes descriptors in its own time
  assert.ok(openDescriptors() <= before + 3, `${openDescriptors() - before} are left`);
});

test("errors while connecting and listening have XCM's names, and name the address", async () => {
  const server = await serve("tcp:127.0.0.1:0");
  assert.is((await rejection(serve(server.address))).code, "EADDRINUSE");
  server.close();
  await new Promise(setImmediate);
  const refused = await rejection(dial(server.address));
  assert.is(refused.message, `${server.address}: nobody is listening there (ECONNREFUSED)`);
  assert.is((await rejection(dial("tcp:127.0.0.1:0"))).code, "ECONNREFUSED");
  assert.is((await rejection(serve("tcp:192.0.2.77:0"))).code, "EADDRNOTAVAIL");
  const named = await rejection(dial(server.address.replace("127.0.0.1", "localhost")));
  assert.match(named.message, /^tcp:localhost:\d+ at \S+: nobody is listening there \(ECONNREFUSED\)$/);
  for (const action of [dial, serve]) {
    const unknown = await rejection(action("tcp:no-such-host.invalid:5"));
    assert.is(unknown.code, "ENOENT");
    assert.match(unknown.message, "tcp:no-such-host.invalid:5: no address found for the name no-such-host.invalid");
    assert.is((await rejection(action("tcp:127.0.0.1"))).code, "EINVAL");
  }
});

test("a server that does not answer: ETIMEDOUT after the time limit; an abort: ECANCELED", async () => {
  // A listener whose backlog is full drops further SYNs.
  const server = createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 });
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const peer = new PythonPeer(
    `l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(0); say(str(l.getsockname()[1]))
c = [socket.socket() for i in range(3)]
for s in c: s.setblocking(False); s.connect_ex(l.getsockname())
say("full"); wait()`,
  );
  const [full] = await peer.says(2);
  const error = await rejection(dial(`tcp:127.0.0.1:${full}`, { connectTimeoutMs: 100 }));
  assert.equal([error.code, error.message.startsWith(`tcp:127.0.0.1:${full}: `)], ["ETIMEDOUT", true]);
  const abort = new AbortController();
  const aborted = rejection(dial(`tcp:127.0.0.1:${full}`, { signal: abort.signal }));
  setImmediate(() => abort.abort());
  assert.is((await aborted).code, "ECANCELED");
  assert.is((await rejection(dial(`tcp:127.0.0.1:${port}`, { signal: abort.signal }))).code, "ECANCELED");
  await peer.kill();
  server.close();
});

const missing = pythonMissing();
const withPython = missing === undefined ? test : test.skip;
if (missing) console.log(`skipped: raw peers for tcp: ${missing}`);

withPython("a peer that is killed in the middle of a frame harms nobody", async () => {
  const server = await serve("tcp:127.0.0.1:0", echo);
  const other = await talk(server.address);
  const peer = new PythonPeer(
    `s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(struct.pack(">I", 5) + b"hello" + struct.pack(">I", 60000) + b"x" * 30000); say("sent"); wait()`,
    String(portOf(server)),
  );
  await peer.says();
  await server.connections(2);
  const victim = server.accepted[1]!;
  await victim.receives(1);
  await peer.kill();
  await victim.ends();
  assert.equal(victim.messages, ["hello"]);
  send(other, "unharmed");
  await other.receives(6);
  other.connection.close();
  server.close();
});

test.run();
