/** Connecting from other network namespaces: real ones, made with `ip netns`; one of them is our own under a name. */

import { spawnSync } from "node:child_process";
import { readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tlsFileNames } from "../../src/transport/tls-file-names.js";
import { Authority, opensslMissing } from "../support/certificates.js";
import {
  dial,
  echo,
  endSoon,
  freshName,
  openDescriptors,
  PythonPeer,
  portOf,
  pythonMissing,
  type Recorder,
  rejection,
  send,
  serve,
} from "../support/transport-peers.js";

const test = suite("network namespace");
test.after(endSoon);

const OTHER = `pathfinder-edge-${process.pid}`;
const OWN = `${OTHER}-own`;
const NO_NAMESPACE = `${OTHER}-file`;
const ip = (...args: string[]) => spawnSync("ip", args, { encoding: "utf8" });

function missing(): string | undefined {
  process.on("exit", () => {
    for (const name of [OTHER, OWN]) ip("netns", "delete", name);
    rmSync(`/run/netns/${NO_NAMESPACE}`, { force: true });
  });
  for (const args of [
    ["netns", "add", OTHER],
    ["netns", "attach", OWN, String(process.pid)],
    ["-n", OTHER, "link", "set", "lo", "up"],
    ["-n", OTHER, "address", "add", "10.99.0.1/32", "dev", "lo"],
  ]) {
    const { status, stderr, error } = ip(...args);
    if (status !== 0) return `ip ${args.join(" ")}: ${error?.message ?? stderr.trim()} (root and iproute2 are needed)`;
  }
  return pythonMissing() ?? opensslMissing();
}

/** Echoes what connections over tcp (both families, frames passed on as they are) and ux say, in the namespace OTHER. */
const PEER = `
import ctypes, threading
if ctypes.CDLL(None).setns(os.open("/run/netns/" + sys.argv[1], os.O_RDONLY), 0) != 0: sys.exit("setns")
def serve(l):
    while True:
        c, _ = l.accept()
        threading.Thread(target=echo, args=(c,), daemon=True).start()
def echo(c):
    while True:
        data = c.recv(70000)
        if not data: return c.close()
        c.sendall(data)
a = socket.socket(); a.bind(("127.0.0.1", 0)); a.listen(5); port = a.getsockname()[1]
b = socket.socket(socket.AF_INET6); b.bind(("::1", port)); b.listen(5)
u = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); u.bind("\\0" + sys.argv[2]); u.listen(5)
for l in (a, b, u): threading.Thread(target=serve, args=(l,), daemon=True).start()
say(port); wait()`;

async function talk(address: string, options: Parameters<typeof dial>[1]): Promise<Recorder> {
  const client = await dial(address, options);
  const texts = ["a", "b".repeat(65_535)];
  for (const text of texts) send(client, text);
  await client.receives(2);
  assert.equal(client.messages, texts);
  return client;
}

async function end(client: Recorder): Promise<void> {
  client.connection.close();
  await client.ends();
}

/** The namespaces of all threads of this process. */
const namespacesOfThreads = () =>
  new Set(readdirSync("/proc/self/task").map((thread) => readlinkSync(`/proc/self/task/${thread}/ns/net`)));

function withNamespaces(): void {
  test("tcp and ux servers of another namespace are reached, and of our own they are not", async () => {
    const own = namespacesOfThreads();
    const name = freshName();
    const peer = new PythonPeer(PEER, OTHER, name);
    const port = Number((await peer.says())[0]);
    const before = openDescriptors();
    const networkNamespace = OTHER;
    const tcp4 = await talk(`tcp:127.0.0.1:${port}`, { networkNamespace });
    assert.is(tcp4.connection.remoteAddress, `tcp:127.0.0.1:${port}`);
    const tcp6 = await talk(`tcp:[::1]:${port}`, { networkNamespace });
    const bound = await talk(`tcp:127.0.0.1:${port}`, { networkNamespace, localAddress: "tcp:10.99.0.1:0" });
    assert.match(bound.connection.localAddress, /^tcp:10\.99\.0\.1:\d+$/);
    const happy = await talk(`tcp:both:${port}`, {
      networkNamespace,
      algorithm: "happy_eyeballs",
      resolveName: async () => ["::1", "127.0.0.1"],
    });
    assert.is(happy.connection.remoteAddress, `tcp:[::1]:${port}`);
    const ux = await talk(`ux:${name}`, { networkNamespace });
    assert.is(ux.connection.remoteAddress, `ux:${name}`);
    const error = await rejection(dial(`ux:${name}`));
    assert.is(error.code, "ECONNREFUSED");
    assert.equal(namespacesOfThreads(), own, "no thread has stayed there");
    for (const client of [tcp4, tcp6, bound, happy, ux]) await end(client);
    await new Promise(setImmediate);
    assert.is(openDescriptors(), before);
    await peer.kill();
  });

  test("nobody listens there: the error, and no descriptor is left", async () => {
    const before = openDescriptors();
    for (const address of ["tcp:127.0.0.1:9", "tcp:[::1]:9", `ux:${freshName()}`, "uxf:/nowhere/at/all"]) {
      const error = await rejection(dial(address, { networkNamespace: OTHER }));
      assert.is(error.message, `${address}: nobody is listening there (ECONNREFUSED)`);
    }
    const abort = new AbortController();
    const options = { networkNamespace: OTHER, localAddress: "tcp:10.99.0.1:0", signal: abort.signal };
    const dialled = rejection(dial("tcp:127.0.0.1:9", options));
    abort.abort();
    assert.is((await dialled).code, "ECANCELED");
    await new Promise(setImmediate);
    assert.is(openDescriptors(), before);
  });

  test("tls and utls from a namespace (our own, by its name)", async () => {
    const authority = new Authority("root");
    const tls = { ...authority.issue("ours"), tc: authority.cert };
    const server = await serve("utls:127.0.0.1:0", echo, { tls });
    const utls = await talk(`utls:127.0.0.1:${portOf(server)}`, { networkNamespace: OWN });
    assert.is(utls.connection.transport, "ux");
    const overTls = await talk(`tls:127.0.0.1:${portOf(server)}`, { networkNamespace: OWN, tls });
    await end(utls);
    await end(overTls);
    server.close();
  });

  test("default TLS files are those of the namespace", () => {
    assert.match(tlsFileNames({}, OTHER).cert, new RegExp(`/cert_${OTHER}\\.pem$`));
    assert.not.match(tlsFileNames({}).cert, `_${OTHER}.pem`);
  });

  for (const [what, networkNamespace, code, said] of [
    [
      "that does not exist",
      `${OTHER}-none`,
      "ENOENT",
      `network namespace /run/netns/${OTHER}-none: there is no such file (ENOENT)`,
    ],
    ["that is none", NO_NAMESPACE, "EINVAL", "the file is not a network namespace (EINVAL)"],
    ["outside of /run/netns", "../../proc/1/ns/net", "EINVAL", "not the name of a file in /run/netns"],
    ["without a name", "", "EINVAL", "not the name of a file in /run/netns"],
  ] as const) {
    test(`a namespace ${what}: ${code}`, async () => {
      writeFileSync(`/run/netns/${NO_NAMESPACE}`, "");
      const before = openDescriptors();
      for (const address of ["tcp:127.0.0.1:9", "ux:a", "uxf:/a"]) {
        const error = await rejection(dial(address, { networkNamespace }));
        assert.is(error.code, code, error.message);
        assert.ok(error.message.includes(said), error.message);
      }
      assert.is(openDescriptors(), before);
    });
  }

  test("a process that may not: EPERM", async () => {
    process.seteuid!(65_534);
    try {
      for (const address of ["tcp:127.0.0.1:9", "ux:a"]) {
        const error = await rejection(dial(address, { networkNamespace: OTHER }));
        const why = "this process may not use it; it needs the capability CAP_SYS_ADMIN (EPERM)";
        assert.is(error.message, `${address}: network namespace /run/netns/${OTHER}: ${why}`);
      }
    } finally {
      process.seteuid!(0);
    }
  });
}

const reason = missing();
if (reason === undefined) withNamespaces();
else {
  if (process.env.CI === "true") throw new Error(`${reason}, and CI skips nothing`);
  console.log(`skipped: connecting from network namespaces: ${reason}`);
  test.skip("connecting from network namespaces", () => {});
}
test.run();
