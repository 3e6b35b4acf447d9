import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Authority, opensslMissing, tlsDirectory } from "../support/certificates.js";
import {
  dial,
  echo,
  endSoon,
  PythonPeer,
  portOf,
  pythonMissing,
  type Recorder,
  rejection,
  send,
  serve,
} from "../support/transport-peers.js";

const test = suite("utls");
test.after(endSoon);
const missing = opensslMissing();

const noPython = pythonMissing();
const withPython = noPython === undefined ? test : test.skip;
if (noPython) console.log(`skipped: a busy peer for utls: ${noPython}`);

async function says(address: string, options: Parameters<typeof dial>[1] = {}): Promise<Recorder> {
  const client = await dial(address, options);
  send(client, "hello");
  await client.receives(1);
  return client;
}

/** A port that nobody uses now. */
async function freePort(host = "127.0.0.1"): Promise<number> {
  const server = await serve(`tcp:${host}:0`);
  server.close();
  return portOf(server);
}

function withCertificates(): void {
  const root = new Authority("root");
  process.env.XCM_TLS_CERT = tlsDirectory("default", root.issue("ours"), root.cert);
  const nowhere = { cert: "/nowhere", key: "/nowhere", tc: "/nowhere" };

  for (const [listenAt, connectTo, reported, uxName] of [
    ["utls:127.0.0.1:PORT", "utls:127.0.0.1:PORT", "utls:127.0.0.1:PORT", "127.0.0.1:PORT"],
    ["utls:[0:0::1]:PORT", "utls:[::1]:PORT", "utls:[::1]:PORT", "[::1]:PORT"],
    ["utls:*:PORT", "utls:0.0.0.0:PORT", "utls:0.0.0.0:PORT", "0.0.0.0:PORT"],
    ["utls:[*]:PORT", "utls:[*]:PORT", "utls:[::]:PORT", "[::]:PORT"],
    ["utls:LOCALHOST:PORT", "utls:LOCALHOST:PORT", /^utls:(127\.0\.0\.1|\[::1\]):PORT$/, "LOCALHOST:PORT"],
    ["utls:127.0.0.1:0", "utls:127.0.0.1:PORT", "utls:127.0.0.1:PORT", "127.0.0.1:PORT"],
    ["utls:localhost:0", undefined, /^utls:(127\.0\.0\.1|\[::1\]):PORT$/, /^(127\.0\.0\.1|\[::1\]):PORT$/],
  ] as const) {
    test(`${listenAt}: what is bound, and that it is found from the same host without certificates`, async () => {
      const wanted = String(await freePort());
      const server = await serve(listenAt.replace("PORT", wanted), echo);
      const port = String(portOf(server));
      if (!listenAt.endsWith(":0")) assert.is(port, wanted);
      const general = (text: string) => text.replace(new RegExp(`:${port}$`), ":PORT");
      if (typeof reported === "string") assert.is(general(server.address), reported);
      else assert.match(general(server.address), reported);
      const client = await says((connectTo ?? server.address).replace("PORT", port), { tls: nowhere });
      const them = server.accepted[0]!.connection;
      assert.equal([client.connection.transport, them.transport], ["ux", "ux"]);
      assert.is(client.connection.remoteAddress, them.localAddress);
      const name = general(them.localAddress.slice("ux:".length));
      if (typeof uxName === "string") assert.is(name, uxName);
      else assert.match(name, uxName);
      assert.equal([them.subjectKeyId, client.connection.subjectKeyId], [undefined, undefined]);
      server.close();
      await client.ends();
    });
  }

  test("a name that does not match goes over the network, and is who its certificate says", async () => {
    const server = await serve("utls:127.0.0.1:0", echo);
    const client = await says(`utls:localhost:${portOf(server)}`);
    const them = server.accepted[0]!.connection;
    assert.equal([client.connection.transport, them.transport], ["tls", "tls"]);
    assert.match(them.remoteAddress, /^tls:127\.0\.0\.1:\d+$/);
    assert.is(them.subjectKeyId!.length, 20);
    const plain = await says(`ux:127.0.0.1:${portOf(server)}`);
    assert.is(plain.connection.transport, "ux");
    assert.match(
      (await rejection(dial(`utls:localhost:${portOf(server)}`, { tls: nowhere }))).message,
      /^tls:localhost:.*\/nowhere/,
    );
    server.close();
  });

  withPython("only a server that is not there is tried over the network, not one that is busy", async () => {
    const server = await serve("tls:127.0.0.1:0", echo);
    const address = `utls:127.0.0.1:${portOf(server)}`;
    const busy = new PythonPeer(
      `name = "\\0" + sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(name); s.listen(0); waiting = []
try:
  while True:
    c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); c.setblocking(False); c.connect(name); waiting.append(c)
except BlockingIOError: say("full"); wait()`,
      address.slice("utls:".length),
    );
    await busy.says();
    const error = await rejection(dial(address, { connectTimeoutMs: 20 }));
    assert.equal([error.code, error.message.startsWith("ux:127.0.0.1:")], ["EAGAIN", true]);
    assert.is(server.accepted.length, 0);
    await busy.kill();
    assert.is((await says(address)).connection.transport, "tls");
    server.close();
    assert.is((await rejection(dial(address))).code, "ECONNREFUSED");
  });

  test("if one half is taken, neither is bound", async () => {
    const port = await freePort();
    const ux = await serve(`ux:127.0.0.1:${port}`);
    const error = await rejection(serve(`utls:127.0.0.1:${port}`));
    assert.equal(
      [error.code, error.message],
      ["EADDRINUSE", `utls:127.0.0.1:${port}: ux:127.0.0.1:${port}: address already in use (EADDRINUSE)`],
    );
    const tls = await serve(`tls:127.0.0.1:${port}`); // free again
    ux.close();
    assert.is((await rejection(serve(`utls:127.0.0.1:${port}`))).code, "EADDRINUSE");
    const uxAgain = await serve(`ux:127.0.0.1:${port}`); // never bound
    tls.close();
    uxAgain.close();
  });

  test("pausing, resuming and closing concern both halves", async () => {
    const server = await serve("utls:127.0.0.1:0", echo);
    const [ux, tls] = [server.address, `tls:127.0.0.1:${portOf(server)}`];
    server.listener.pauseAccepting();
    const local = await dial(ux);
    const remote = dial(tls);
    send(local, "hello");
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    assert.is(server.accepted.length, 0);
    server.listener.resumeAccepting();
    await local.receives(1);
    send(await remote, "hello");
    await (await remote).receives(1);
    server.listener.close();
    server.listener.close();
    for (const address of [ux, tls]) assert.is((await rejection(dial(address))).code, "ECONNREFUSED");
    send(local, "still here");
    await local.receives(2);
    server.close();
  });

  test("an address too long for a ux name", async () => {
    const address = `utls:${"a".repeat(103)}:4711`;
    for (const outcome of [rejection(dial(address)), rejection(serve(address))]) {
      assert.is((await outcome).code, "EINVAL");
    }
  });
}

if (missing) console.log(`skipped: utls: ${missing}`);
else withCertificates();
test.run();
