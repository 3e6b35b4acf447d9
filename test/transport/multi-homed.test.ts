/** Names with several addresses and local addresses, on real sockets. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Authority, opensslMissing } from "../support/certificates.js";
import {
  dial,
  echo,
  endSoon,
  openDescriptors,
  PythonPeer,
  portOf,
  pythonMissing,
  rejection,
  type Server,
  send,
  serve,
} from "../support/transport-peers.js";

const test = suite("multi-homed names");
test.after(endSoon);
const noPython = pythonMissing();
const withPython = noPython === undefined ? test : test.skip;
if (noPython) console.log(`skipped: a host that does not answer: ${noPython}`);

const noOpenssl = opensslMissing();
const withOpenssl = noOpenssl === undefined ? test : test.skip;
if (noOpenssl) console.log(`skipped: multi-homed names over TLS: ${noOpenssl}`);

const named = (...hosts: string[]) => ({ resolveName: async () => hosts });
const HAPPY = { algorithm: "happy_eyeballs" } as const;

/** A server on each of the hosts, all with one port. */
async function serveOn(...hosts: string[]): Promise<{ port: number; servers: Server[]; close(): void }> {
  const first = await serve(`tcp:${hosts[0]}:0`, echo);
  const servers = [first];
  for (const host of hosts.slice(1)) servers.push(await serve(`tcp:${host}:${portOf(first)}`, echo));
  return {
    port: portOf(first),
    servers,
    close: () => {
      for (const server of servers) server.close();
    },
  };
}

/** A listener on ::1 whose backlog is full: who connects gets no answer. */
const SILENT = `
l = socket.socket(socket.AF_INET6); l.bind(("::1", int(sys.argv[1]))); l.listen(0)
waiting = []
for _ in range(3):
    s = socket.socket(socket.AF_INET6); s.setblocking(False); s.connect_ex(l.getsockname()); waiting.append(s)
say(l.getsockname()[1]); wait()`;

async function silent(port: number): Promise<PythonPeer> {
  const peer = new PythonPeer(SILENT, String(port));
  await peer.says();
  return peer;
}

test("both families answer: the server on IPv6 is the only one connected to, and nothing stays open", async () => {
  const { port, servers, close } = await serveOn("127.0.0.1", "[::1]");
  servers[1]!.onAccept = (accepted) => queueMicrotask(() => send(accepted, "first"));
  const before = openDescriptors();
  const client = await dial(`tcp:both:${port}`, { ...HAPPY, ...named("127.0.0.1", "::1") });
  assert.is(client.connection.remoteAddress, `tcp:[::1]:${port}`);
  send(client, "hello");
  await client.receives(2);
  assert.equal(client.messages, ["first", "hello"], "what the server says at once finds the owner");
  // Connections are accepted in the order in which they are made: an abandoned one would be there by now.
  const last = await dial(`tcp:127.0.0.1:${port}`);
  send(last, "x");
  await last.receives(1);
  assert.equal(
    servers.map(({ accepted }) => accepted.length),
    [1, 1],
  );
  client.connection.close();
  last.connection.close();
  for (const server of servers) await server.accepted[0]!.ends();
  await new Promise(setImmediate);
  assert.is(openDescriptors(), before);
  close();
});

test("IPv6 refuses: IPv4 comes, not before its time", async () => {
  const { port, close } = await serveOn("127.0.0.1");
  const began = performance.now();
  const client = await dial(`tcp:both:${port}`, { ...HAPPY, ...named("::1", "127.0.0.1") });
  assert.ok(performance.now() - began > 190, "the head start of IPv6 is 200 ms");
  assert.is(client.connection.remoteAddress, `tcp:127.0.0.1:${port}`);
  client.connection.close();
  await client.ends();
  close();
});

withPython("IPv6 does not answer: IPv4 wins, and the socket that hung is gone", async () => {
  const { port, close } = await serveOn("127.0.0.1");
  const peer = await silent(port);
  const before = openDescriptors();
  const client = await dial(`tcp:both:${port}`, { ...HAPPY, ...named("::1", "127.0.0.1") });
  assert.is(client.connection.remoteAddress, `tcp:127.0.0.1:${port}`);
  await new Promise(setImmediate);
  assert.is(openDescriptors(), before + 2, "the two ends of the one connection");
  client.connection.close();
  await client.ends();
  await peer.kill();
  close();
});

withPython("IPv6 does not answer, IPv4 refuses: a time-out; and aborted meanwhile", async () => {
  const { port, close } = await serveOn("127.0.0.1");
  close();
  const peer = await silent(port);
  const before = openDescriptors();
  const options = { ...HAPPY, ...named("::1", "127.0.0.1") };
  const error = await rejection(dial(`tcp:both:${port}`, { ...options, connectTimeoutMs: 300 }));
  assert.is(error.message, `tcp:both:${port} at ::1: no answer in time (ETIMEDOUT)`);
  for (const delayMs of [0, 20, 220]) {
    const abort = new AbortController();
    const dialled = rejection(dial(`tcp:both:${port}`, { ...options, signal: abort.signal }));
    setTimeout(() => abort.abort(), delayMs);
    assert.is((await dialled).code, "ECANCELED");
  }
  await new Promise(setImmediate);
  assert.is(openDescriptors(), before);
  await peer.kill();
});

test("single: the first address only; sequential is the default", async () => {
  const { port, close } = await serveOn("127.0.0.1");
  const names = named("127.0.0.2", "127.0.0.1");
  const error = await rejection(dial(`tcp:both:${port}`, { algorithm: "single", ...names }));
  assert.is(error.message, `tcp:both:${port} at 127.0.0.2: nobody is listening there (ECONNREFUSED)`);
  const client = await dial(`tcp:both:${port}`, names);
  assert.is(client.connection.remoteAddress, `tcp:127.0.0.1:${port}`);
  client.connection.close();
  await client.ends();
  close();
});

test("a resolver that finds nothing, or fails", async () => {
  for (const resolveName of [async () => [], async () => Promise.reject(new Error("broken"))]) {
    const error = await rejection(dial("tcp:nobody:1", { ...HAPPY, resolveName }));
    assert.is(error.message, "tcp:nobody:1: no address found for the name nobody (ENOENT)");
  }
});

test("a local address is bound, with a port too; addresses of the other family are not tried", async () => {
  const { port, servers, close } = await serveOn("127.0.0.1", "[::1]");
  const names = named("::1", "127.0.0.1");
  for (const options of [HAPPY, {}]) {
    const client = await dial(`tcp:both:${port}`, { ...options, ...names, localAddress: "tcp:127.0.0.9:0" });
    assert.match(client.connection.localAddress, /^tcp:127\.0\.0\.9:\d+$/);
    assert.is(client.connection.remoteAddress, `tcp:127.0.0.1:${port}`);
    client.connection.close();
    await client.ends();
  }
  const free = await serve("tcp:127.0.0.9:0");
  free.close();
  const wanted = `tcp:127.0.0.9:${portOf(free)}`;
  const client = await dial(`tcp:127.0.0.1:${port}`, { localAddress: wanted });
  assert.is(client.connection.localAddress, wanted);
  await servers[0]!.connections(3);
  assert.is(servers[0]!.accepted[2]!.connection.remoteAddress, wanted);
  client.connection.close();
  await client.ends();
  close();
});

for (const [address, localAddress, code, said] of [
  ["tcp:127.0.0.1:1", "tls:127.0.0.1:0", "EINVAL", "the local address tls:127.0.0.1:0 is not one of transport tcp"],
  ["tls:127.0.0.1:1", "ux:a", "EINVAL", "the local address ux:a is not one of transport tls"],
  ["utls:127.0.0.1:1", "tls:127.0.0.1:0", "EINVAL", "the local address tls:127.0.0.1:0 is not one of transport utls"],
  ["tcp:127.0.0.1:1", "nonsense", "EINVAL", 'address "nonsense"'],
  [
    "tcp:127.0.0.1:1",
    "tcp:[::1]:0",
    "EINVAL",
    "none of its addresses is of the family of the local address tcp:[::1]:0",
  ],
  [
    "tcp:127.0.0.1:1",
    "tcp:192.0.2.1:0",
    "EADDRNOTAVAIL",
    "tcp:127.0.0.1:1 from 192.0.2.1:0: no interface of this host",
  ],
  ["ux:a", "ux:b", "EACCES", "ux:a: a local address is not accepted with ux and uxf (EACCES)"],
  ["uxf:/a", "uxf:/b", "EACCES", "a local address is not accepted"],
] as const) {
  const isTls = address.startsWith("tls:");
  (isTls ? withOpenssl : test)(`${address} from ${localAddress}: ${code}`, async () => {
    const authority = isTls ? new Authority("local") : undefined;
    const tls = authority && { tls: { ...authority.issue("us"), tc: authority.cert } };
    const error = await rejection(dial(address, { localAddress, ...tls }));
    assert.is(error.code, code);
    assert.ok(error.message.includes(said), error.message);
  });
}

withOpenssl("tls over happy eyeballs and from a local address; utls from one", async () => {
  const authority = new Authority("root");
  const tls = { ...authority.issue("ours"), tc: authority.cert };
  const server = await serve("tls:127.0.0.1:0", echo, { tls });
  const options = { ...HAPPY, ...named("127.0.0.1"), tls };
  for (const transport of ["tls", "utls"]) {
    const client = await dial(`${transport}:both:${portOf(server)}`, {
      ...options,
      localAddress: `${transport}:127.0.0.8:0`,
    });
    assert.match(client.connection.localAddress, /^tls:127\.0\.0\.8:\d+$/);
    send(client, "hello");
    await client.receives(1);
    client.connection.close();
    await client.ends();
  }
  server.close();
});
test.run();
