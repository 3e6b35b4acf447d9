import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  dial,
  echo,
  endSoon,
  freshName,
  openDescriptors,
  outbox,
  PythonPeer,
  pythonMissing,
  type Recorder,
  rejection,
  send,
  serve,
} from "../support/transport-peers.js";

const test = suite("ux and uxf");
const folder = mkdtempSync(join(tmpdir(), "paf-unix-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
test.after(endSoon);

let descriptors = 0;
test.before.each(() => {
  descriptors = openDescriptors();
});
test.after.each((context) => {
  const now = openDescriptors();
  // One may be a pipe of a child whose end Node has not noticed yet; a leak of these tests is one per connection.
  if (now > descriptors + 3) throw new Error(`${context.__test__}: ${now - descriptors} descriptors leaked`);
});

for (const address of [`ux:${freshName()}`, `uxf:${join(folder, "echo")}`]) {
  test(`${address.split(":")[0]}: messages of all lengths there and back, then an orderly end`, async () => {
    const server = await serve(address, echo);
    assert.is(server.address, address);
    const client = await dial(address);
    const texts = [1, 2, 80, 4_096, 65_535].map((length) => String(length % 10).repeat(length));
    for (const text of texts) send(client, text);
    await client.receives(texts.length);
    assert.equal(client.messages, texts);
    const peer = server.accepted[0]!;
    assert.equal(peer.connection.credentials?.pid, process.pid);
    assert.equal(client.connection.credentials?.uid, process.getuid!());
    if (address.startsWith("ux:")) {
      assert.match(client.connection.localAddress, /^ux:[0-9a-f]{5}$/);
      assert.is(peer.connection.remoteAddress, client.connection.localAddress);
    } else {
      assert.is(client.connection.localAddress, "uxf:");
      assert.is(peer.connection.remoteAddress, "uxf:");
    }
    assert.is(client.connection.remoteAddress, address);
    assert.is(peer.connection.localAddress, address);
    client.connection.close();
    client.connection.close();
    assert.is(client.closes, 0, "not from within close()");
    await Promise.all([client.ends(), peer.ends()]);
    send(client, "nobody hears this");
    assert.equal([client.error, peer.error], [undefined, undefined]);
    server.close();
    server.close();
    assert.not(existsSync(join(folder, "echo")));
    await new Promise(setImmediate);
    assert.equal([client.closes, peer.closes], [1, 1]);
  });
}

test("nobody listens: ECONNREFUSED, also where a path does not exist", async () => {
  for (const address of [`ux:${freshName()}`, `uxf:${join(folder, "nothing")}`]) {
    const error = await rejection(dial(address));
    assert.is(error.code, "ECONNREFUSED");
    assert.is(error.message, `${address}: nobody is listening there (ECONNREFUSED)`);
  }
});

test("a name that is in use: EADDRINUSE", async () => {
  for (const address of [`ux:${freshName()}`, `uxf:${join(folder, "taken")}`]) {
    const server = await serve(address, echo);
    assert.is((await rejection(serve(address))).code, "EADDRINUSE");
    const client = await dial(address); // the first one is unharmed, and its file is still there
    send(client, "still here");
    await client.receives(1);
    client.connection.close();
    server.close();
  }
});

test("the socket file of a server that died is replaced; anything else is left alone", async () => {
  const path = join(folder, "stale");
  spawnSync("python3", ["-c", `import socket\nsocket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind("${path}")`]);
  assert.ok(existsSync(path), "the stale file was made");
  const server = await serve(`uxf:${path}`, echo);
  const client = await dial(`uxf:${path}`);
  send(client, "hello");
  await client.receives(1);
  client.connection.close();
  server.close();

  writeFileSync(path, "a file of somebody's");
  const inTheWay = await rejection(serve(`uxf:${path}`));
  assert.is(inTheWay.code, "EADDRINUSE");
  assert.is(inTheWay.message, `uxf:${path}: what exists at this path is no socket (EADDRINUSE)`);
  assert.ok(existsSync(path));
  rmSync(path);

  symlinkSync("/dev/null", path);
  assert.is((await rejection(serve(`uxf:${path}`))).code, "EADDRINUSE");
  assert.ok(existsSync(path));
  rmSync(path);

  const stream = createServer().listen(path);
  await new Promise((resolve) => stream.once("listening", resolve));
  assert.is((await rejection(serve(`uxf:${path}`))).code, "EADDRINUSE");
  assert.ok(existsSync(path));
  await new Promise((resolve) => stream.close(resolve));
});

test("a file that took the place of the listener's own is not removed", async () => {
  const path = join(folder, "replaced");
  const server = await serve(`uxf:${path}`);
  rmSync(path);
  writeFileSync(path, "not ours");
  server.close();
  assert.ok(existsSync(path));
});

test("no permission or no such folder: the error names the address", async () => {
  const error = await rejection(serve(`uxf:${folder}/no/such/folder`));
  assert.is(error.code, "ENOENT");
  assert.match(error.message, `uxf:${folder}/no/such/folder: `);
});

test("closing a slow reader's connection drops what is queued; the peer's going away does, too", async () => {
  const server = await serve(`ux:${freshName()}`);
  for (const side of ["ours", "theirs"] as const) {
    const client = await dial(server.address);
    await server.connections(side === "ours" ? 1 : 2);
    const peer = server.accepted[side === "ours" ? 0 : 1]!;
    client.connection.pauseReading();
    for (let i = 0; i < 100; i++) send(peer, "x".repeat(60_000));
    outbox.flush();
    assert.ok(peer.connection.queuedMessages > 0);
    (side === "ours" ? peer : client).connection.close();
    await peer.ends();
    assert.is(peer.error?.code, side === "ours" ? undefined : "ECONNRESET");
    client.connection.close();
    await client.ends();
  }
  server.close();
});

test("1,000 connections at once", async () => {
  const server = await serve(`ux:${freshName()}`, echo);
  const clients = await Promise.all(Array.from({ length: 1_000 }, () => dial(server.address)));
  clients.forEach((client, i) => {
    send(client, `first ${i}`);
    send(client, `second ${i}`);
  });
  await Promise.all(clients.map((client) => client.receives(2)));
  clients.forEach((client, i) => {
    assert.equal(client.messages, [`first ${i}`, `second ${i}`]);
  });
  assert.is(new Set(server.accepted.map(({ connection }) => connection.remoteAddress)).size, 1_000);
  server.close();
  await Promise.all(clients.map((client) => client.ends()));
});

test("descriptors are not inherited by a child", async () => {
  const server = await serve(`ux:${freshName()}`, echo);
  const client = await dial(server.address);
  await server.connections(1);
  // Without stdio and a shell there is nothing between us and the child that could close them.
  const child = spawnSync("ls", ["-l", "/proc/self/fd"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const links = spawnSync("ls", ["-l", `/proc/${process.pid}/fd`], { encoding: "utf8" }).stdout;
  const ours = new Set(links.match(/socket:\[\d+\]/g));
  assert.ok(ours.size >= 3, "three sockets of ours are open");
  for (const inherited of child.stdout.match(/socket:\[\d+\]/g) ?? []) assert.not(ours.has(inherited), inherited);
  client.connection.close();
  server.close();
});

const missing = pythonMissing();
const withPython = missing === undefined ? test : test.skip;
if (missing) console.log(`skipped: raw peers for ux: ${missing}`);

const CLIENT = `
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if sys.argv[2]: s.bind(sys.argv[2].replace("@", "\\0"))
s.connect("\\0" + sys.argv[1])
`;

for (const [bound, printed] of [
  ["", "ux:"],
  ["@abc", "ux:abc"],
  [join(folder, "peer"), `ux:${join(folder, "peer").slice(1)}`],
] as const) {
  withPython(`a raw peer bound to "${bound}" is called ${printed}, and talks with us`, async () => {
    const name = freshName();
    const server = await serve(`ux:${name}`, echo);
    const peer = new PythonPeer(
      `${CLIENT}for i in range(40): s.send(b"message %d" % i)\nfor i in range(40): say(s.recv(100).decode())\nwait()`,
      name,
      bound,
    );
    assert.equal(
      await peer.says(40),
      [...Array(40).keys()].map((i) => `message ${i}`),
    );
    assert.is(server.accepted[0]!.connection.remoteAddress, printed);
    assert.is.not(server.accepted[0]!.connection.credentials?.pid, process.pid);
    await peer.kill();
    await server.accepted[0]!.ends();
    assert.is(server.accepted[0]!.error, undefined);
    server.close();
  });
}

withPython("a raw server sees exactly our packets", async () => {
  const name = freshName();
  const peer = new PythonPeer(
    `l = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
l.bind("\\0" + sys.argv[1]); l.listen(5); say("listening")
s, address = l.accept()
for i in range(3): data = s.recv(100000); say("%d %s" % (len(data), data[:5].decode())); s.send(data)
s.close(); wait()`,
    name,
  );
  await peer.says();
  const client = await dial(`ux:${name}`);
  for (const text of ["hello", "x".repeat(65_535), "y"]) send(client, text);
  assert.equal(await peer.says(3), ["5 hello", "65535 xxxxx", "1 y"]);
  await client.ends();
  assert.is(client.messages.length, 3);
  assert.is(client.error, undefined);
  await peer.kill();
});

withPython("a message of 65,536 bytes or more ends that connection, with its length and the peer named", async () => {
  for (const length of [65_536, 65_537, 200_000]) {
    const name = freshName();
    const server = await serve(`ux:${name}`, echo);
    const other = await dial(server.address);
    const peer = new PythonPeer(
      `${CLIENT}s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400000)
s.send(b"before"); s.send(b"x" * ${length}); s.send(b"after"); wait()`,
      name,
      "@big",
    );
    await server.connections(2);
    const big = server.accepted.find(({ connection }) => connection.remoteAddress === "ux:big")!;
    await big.ends();
    assert.equal(big.messages, ["before"]);
    assert.is(big.error?.code, "EPROTO");
    assert.is(big.error?.message, `ux:big: message of ${length} bytes (at most 65535 accepted)`);
    send(other, "unharmed");
    await other.receives(1);
    await peer.kill();
    other.connection.close();
    server.close();
  }
});

withPython("a packet of no bytes ends the connection, after what came before it", async () => {
  const name = freshName();
  const server = await serve(`ux:${name}`);
  const peer = new PythonPeer(`${CLIENT}s.send(b"before"); s.send(b""); s.send(b"after"); wait()`, name, "");
  await server.connections(1);
  await server.accepted[0]!.ends();
  assert.equal(server.accepted[0]!.messages, ["before"]);
  assert.is(server.accepted[0]!.error, undefined);
  await peer.kill();
  server.close();
});

withPython("a reset is reported after the messages that were queued before it", async () => {
  const name = freshName();
  const server = await serve(`ux:${name}`);
  server.onAccept = (recorder) => {
    recorder.connection.pauseReading();
    send(recorder, "this stays unread");
  };
  const peer = new PythonPeer(
    `${CLIENT}say("connected"); wait()\nfor i in range(40): s.send(b"%d" % i)\ns.close(); say("closed"); wait()`,
    name,
    "",
  );
  await peer.says();
  await server.connections(1);
  peer.tell();
  await peer.says();
  const connection = server.accepted[0]!;
  assert.is(connection.messages.length, 0);
  connection.connection.resumeReading();
  await connection.ends();
  assert.equal(connection.messages, [...Array(40).keys()].map(String));
  assert.is(connection.error?.code, "ECONNRESET");
  await peer.kill();
  server.close();
});

withPython("a reset that is noticed while sending: the same", async () => {
  const name = freshName();
  const server = await serve(`ux:${name}`);
  server.onAccept = (recorder) => recorder.connection.pauseReading();
  const peer = new PythonPeer(
    `${CLIENT}say("connected"); wait()\nfor i in range(40): s.send(b"%d" % i)\ns.close(); say("closed"); wait()`,
    name,
    "",
  );
  await peer.says();
  await server.connections(1);
  const connection = server.accepted[0]!;
  send(connection, "this stays unread");
  outbox.flush();
  peer.tell();
  await peer.says();
  for (let i = 0; i < 3; i++) send(connection, "too late");
  outbox.flush();
  connection.connection.resumeReading();
  await connection.ends();
  assert.is(connection.messages.length, 40);
  assert.is(connection.error?.code, "ECONNRESET");
  await peer.kill();
  server.close();
});

withPython("a peer that is killed while it writes", async () => {
  const name = freshName();
  const server = await serve(`ux:${name}`, echo);
  const peer = new PythonPeer(`${CLIENT}while True: s.send(b"x" * 500)`, name, "");
  await server.connections(1);
  const connection: Recorder = server.accepted[0]!;
  await connection.receives(100);
  await peer.kill();
  await connection.ends();
  assert.ok(connection.error === undefined || connection.error.code === "ECONNRESET");
  server.close();
});

withPython("a full backlog is waited out, up to the time limit", async () => {
  const name = freshName();
  const peer = new PythonPeer(
    `l = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
l.bind("\\0" + sys.argv[1]); l.listen(0); say("listening"); wait()
while True: s, a = l.accept(); say("accepted"); s.close()`,
    name,
  );
  await peer.says();
  const first = await dial(`ux:${name}`);
  const error = await rejection(dial(`ux:${name}`, { connectTimeoutMs: 50 }));
  assert.is(error.code, "EAGAIN");
  const abort = new AbortController();
  const aborted = rejection(dial(`ux:${name}`, { signal: abort.signal }));
  const second = dial(`ux:${name}`, { connectTimeoutMs: 15_000 });
  abort.abort();
  assert.is((await aborted).code, "ECANCELED");
  peer.tell();
  await peer.says(2);
  await Promise.all([first.ends(), (await second).ends()]);
  await peer.kill();
});

test.run();
