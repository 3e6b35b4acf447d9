import { readFileSync } from "node:fs";
import { connect as connectRaw, createServer, type Server as RawServer, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { requireAddon } from "../../src/transport/addon.js";
import { hasPartialChains, PARTIAL_CHAINS } from "../../src/transport/tls-credentials.js";
import { Authority, bundle, type Identity, openssl, opensslMissing, tlsDirectory } from "../support/certificates.js";
import { OpensslClient } from "../support/openssl-client.js";
import {
  dial,
  echo,
  endSoon,
  openDescriptors,
  portOf,
  type Recorder,
  rejection,
  send,
  serve,
  socketDescriptors,
} from "../support/transport-peers.js";

const test = suite("tls");
test.after(endSoon);
const missing = opensslMissing();

async function talk(address: string, options: Parameters<typeof dial>[1] = {}): Promise<Recorder> {
  const client = await dial(address, options);
  const texts = [1, 2, 80, 4_096, 65_535].map((length) => String(length % 10).repeat(length));
  for (const text of texts) send(client, text);
  await client.receives(texts.length);
  assert.equal(client.messages, texts);
  return client;
}

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes!).toString("hex");
}

/** As openssl prints it. */
function subjectKeyIdOf({ cert }: Identity): string {
  const printed = openssl("x509", "-in", cert, "-noout", "-ext", "subjectKeyIdentifier");
  return printed.split("\n")[1]!.trim().replaceAll(":", "").toLowerCase();
}

function withCertificates(): void {
  const root = new Authority("root");
  const ours = root.issue("ours");
  const theirs = root.issue("theirs");
  process.env.XCM_TLS_CERT = tlsDirectory("default", ours, root.cert);
  const client = { tls: theirs };

  for (const [listenAt, connectTo, bound, remote] of [
    ["tls:127.0.0.1:0", "127.0.0.1", /^tls:127\.0\.0\.1:\d+$/, /^tls:127\.0\.0\.1:\d+$/],
    ["tls:[*]:0", "[::1]", /^tls:\[::\]:\d+$/, /^tls:\[::1\]:\d+$/],
    ["tls:[*]:0", "127.0.0.1", /^tls:\[::\]:\d+$/, /^tls:\[::ffff:127\.0\.0\.1\]:\d+$/],
    ["tls:localhost:0", "localhost", /^tls:(127\.0\.0\.1|\[::1\]):\d+$/, /^tls:(127\.0\.0\.1|\[::1\]):\d+$/],
  ] as const) {
    test(`${listenAt} from ${connectTo}: messages of all lengths, the addresses, the peers' key identifiers`, async () => {
      const server = await serve(listenAt, echo);
      let early: Uint8Array | undefined = new Uint8Array(1);
      server.onAccept = ({ connection }) => {
        early = connection.subjectKeyId;
      };
      const us = await talk(`tls:${connectTo}:${portOf(server)}`, client);
      const them = server.accepted[0]!;
      assert.match(server.address, bound);
      assert.match(them.connection.remoteAddress, remote);
      assert.equal([us.connection.transport, them.connection.transport], ["tls", "tls"]);
      const port = us.connection.localAddress.slice(us.connection.localAddress.lastIndexOf(":") + 1);
      assert.ok(them.connection.remoteAddress.endsWith(`:${port}`));
      assert.is(us.connection.remoteAddress.slice(-String(portOf(server)).length), String(portOf(server)));
      assert.is(early, undefined, "known before the handshake");
      assert.is(hex(them.connection.subjectKeyId), subjectKeyIdOf(theirs));
      assert.is(hex(us.connection.subjectKeyId), subjectKeyIdOf(ours));
      us.connection.close();
      await Promise.all([us.ends(), them.ends()]);
      assert.equal([us.error, them.error, us.closes, them.closes], [undefined, undefined, 1, 1]);
      server.close();
    });
  }

  for (const version of ["-tls1_2", "-tls1_3"]) {
    test(`openssl s_client ${version}: frames there and back, and it sees an orderly end`, async () => {
      const server = await serve("tls:127.0.0.1:0", (text, recorder) => {
        echo(text, recorder);
        if (text === "bye") recorder.connection.close();
      });
      const peer = new OpensslClient(server.address, theirs, version, "-CAfile", root.cert, "-verify_return_error");
      peer.send("hello");
      await peer.until(() => peer.received.length >= 9, "the answer");
      assert.is(peer.received.toString("latin1"), "\0\0\0\x05hello");
      assert.is(hex(server.accepted[0]!.connection.subjectKeyId), subjectKeyIdOf(theirs));
      peer.send("bye");
      await peer.ends();
      assert.not.match(peer.said, /error|errno|alert/i);
      server.close();
    });
  }

  for (const [what, extensions, expected] of [
    ["none", ["basicConstraints = CA:false", "subjectKeyIdentifier = none"], ""],
    ["three bytes", ["subjectKeyIdentifier = 01:02:ff"], "0102ff"],
    [
      "one behind other extensions",
      [
        "basicConstraints = CA:false",
        "subjectAltName = DNS:a,DNS:b",
        "keyUsage = digitalSignature",
        "subjectKeyIdentifier = DER:04:02:AA:BB",
      ],
      "aabb",
    ],
    ["the longest", [`subjectKeyIdentifier = ${"AB:".repeat(255)}AB`], "ab".repeat(256)],
    ["one byte more", [`subjectKeyIdentifier = ${"AB:".repeat(256)}AB`], undefined],
  ] as const) {
    test(`a certificate's subject key identifier: ${what}`, async () => {
      const server = await serve("tls:127.0.0.1:0", echo);
      const connected = dial(server.address, { tls: root.issue("special", { extensions }) });
      if (expected === undefined) {
        await connected.then(
          (recorder) => recorder.ends(),
          () => {},
        );
        await server.accepted[0]!.ends();
        assert.match(
          server.accepted[0]!.error!.message,
          /its subject key identifier has 257 bytes \(at most 256 accepted\)/,
        );
      } else {
        send(await connected, "hello");
        await server.accepted[0]!.receives(1);
        assert.is(hex(server.accepted[0]!.connection.subjectKeyId), expected);
        (await connected).connection.close();
      }
      server.close();
    });
  }

  test("RSA certificates work as well", async () => {
    const server = await serve("tls:127.0.0.1:0", echo, { tls: root.issue("rsa-server", { rsaBits: 2048 }) });
    const us = await talk(server.address, { tls: root.issue("rsa-client", { rsaBits: 2048 }) });
    us.connection.close();
    server.close();
  });

  test("an intermediate authority's certificate is sent along with our own", async () => {
    const intermediate = new Authority("intermediate", root);
    const leaf = intermediate.issue("leaf");
    const server = await serve("tls:127.0.0.1:0", echo, {
      tls: { ...leaf, cert: bundle(leaf.cert, intermediate.cert) },
    });
    const us = await talk(server.address, client);
    us.connection.close();
    server.close();
  });

  test("any trusted certificate is an anchor, where Node.js can do that; elsewhere a warning says so", async () => {
    const warnings: string[] = [];
    const server = await serve("tls:127.0.0.1:0", echo, {
      tls: { tc: theirs.cert },
      onWarning: (text) => warnings.push(text),
    });
    const connected = dial(server.address, client);
    if (PARTIAL_CHAINS) {
      send(await connected, "hello");
      await (await connected).receives(1);
      assert.equal(warnings, []);
      (await connected).connection.close();
    } else {
      await connected.then(
        (recorder) => recorder.ends(),
        () => {},
      );
      await server.accepted[0]!.ends();
      assert.match(server.accepted[0]!.error!.message, / is not trusted/);
      assert.is(warnings.length, 1);
      assert.match(
        warnings[0]!,
        /^tls:127\.0\.0\.1:0: file of trusted certificates ".*": 1 of 1 certificates are neither/,
      );
    }
    server.close();
    const versions = ["18.20.4", "20.17.0", "20.18.0", "21.7.0", "22.8.1", "22.9.0", "24.0.0"];
    assert.equal(versions.map(hasPartialChains), [false, false, true, false, false, true, true]);
  });

  test("neither side's name is checked, and no server name is sent", async () => {
    const raw = createTlsServer({ ...pem(ours), ca: readFileSync(root.cert), requestCert: true });
    const seen = new Promise<TLSSocket>((resolve) => raw.once("secureConnection", resolve));
    await new Promise<void>((resolve) => raw.listen(0, "localhost", resolve));
    const us = await dial(`tls:localhost:${(raw.address() as { port: number }).port}`, client);
    const socket = await seen;
    assert.equal(
      [socket.authorized, (socket as { servername?: unknown }).servername, socket.alpnProtocol],
      [true, false, false],
    );
    assert.equal([socket.getProtocol(), socket.getCipher().standardName], ["TLSv1.3", "TLS_AES_256_GCM_SHA384"]);
    us.connection.close();
    await new Promise((resolve) => socket.once("close", resolve));
    raw.close();
  });

  test("a peer that ends TLS alone, or TCP alone, has ended the connection; a reset is an error", async () => {
    const server = await serve("tls:127.0.0.1:0", echo);
    for (const [index, end, code] of [
      [0, (_: Socket, socket: TLSSocket) => socket.end(), undefined],
      [1, (_: Socket, socket: TLSSocket) => socket.destroy(), undefined],
      [2, (tcp: Socket) => tcp.resetAndDestroy(), "ECONNRESET"],
    ] as const) {
      const tcp = connectRaw(portOf(server), "127.0.0.1");
      const socket = connectTls({
        socket: tcp,
        ...pem(theirs),
        ca: readFileSync(root.cert),
        checkServerIdentity: () => undefined,
      });
      socket.on("error", () => {});
      socket.write(Buffer.from("\0\0\0\x05hello\0\0\0\x05he", "latin1"));
      await new Promise((resolve) => socket.once("data", resolve)); // the tickets were read before it
      const peer = server.accepted[index]!;
      end(tcp, socket);
      await peer.ends();
      assert.equal([peer.messages, peer.error?.code], [["hello"], code]);
      socket.destroy();
    }
    server.close();
  });

  test("a frame that is too long ends the connection with an orderly end, after what was before it", async () => {
    const server = await serve("tls:127.0.0.1:0", echo);
    const socket = connectTls({ port: portOf(server), ...pem(theirs), rejectUnauthorized: false });
    socket.write(Buffer.from("\0\0\0\x01a\0\x01\0\0", "latin1"));
    for await (const _ of socket); // throws if the end is an error
    assert.match(server.accepted[0]!.error!.message, /^tls:.*: frame of 65536 bytes/);
    server.close();
  });

  test("XCM's socket options are set below TLS on both ends; keepalive can be turned off and on", async () => {
    const addon = requireAddon();
    const server = await serve("tls:127.0.0.1:0", echo);
    const before = socketDescriptors();
    const us = await talk(server.address, client);
    const isTcp = (fd: number) => addon.getOption(fd, 6, 4) >= 0; // others belong to the listing itself
    const ends = [...socketDescriptors()].filter(([inode, fd]) => !before.has(inode) && isTcp(fd)).map(([, fd]) => fd);
    assert.is(ends.length, 2);
    const options = [
      [6, 1],
      [6, 5],
      [6, 6],
      [6, 7],
      [6, 18],
      [1, 9],
      [0, 1],
    ] as const;
    for (const fd of ends) {
      assert.equal(
        options.map(([level, option]) => addon.getOption(fd, level, option)),
        [1, 1, 3, 3, 3_000, 1, 160],
      );
    }
    const keepalives = () => ends.map((fd) => addon.getOption(fd, 1, 9)).sort();
    us.connection.setKeepalive(false);
    assert.equal(keepalives(), [0, 1]);
    us.connection.setKeepalive(true);
    assert.equal(keepalives(), [1, 1]);
    us.connection.close();
    server.close();
  });

  test("connecting to somebody who does not answer, in TCP or in TLS, ends in time or when aborted", async () => {
    const mute: RawServer = createServer((socket) => socket.on("error", () => {}).resume());
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const address = `tls:127.0.0.1:${(mute.address() as { port: number }).port}`;
    const late = await rejection(dial(address, { ...client, connectTimeoutMs: 50 }));
    assert.equal([late.code, late.message], ["ETIMEDOUT", `${address}: TLS handshake: no answer in time (ETIMEDOUT)`]);
    const abort = new AbortController();
    mute.once("connection", () => abort.abort());
    assert.is((await rejection(dial(address, { ...client, signal: abort.signal }))).code, "ECANCELED");
    assert.is((await rejection(dial(address, { ...client, signal: AbortSignal.abort() }))).code, "ECANCELED");
    mute.close();
    assert.is((await rejection(dial("tls:127.0.0.1:1", client))).code, "ECONNREFUSED");
    assert.is((await rejection(serve(address.replace(/\d+$/, "99999")))).code, "EINVAL");
  });

  test("a peer that talks something else than TLS: connecting fails with EPROTO", async () => {
    for (const answer of ["\0\0\0\x05hello", "SSH-2.0-x\r\n", ""]) {
      const raw = createServer((socket) => socket.on("error", () => {}).end(answer));
      await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
      const error = await rejection(dial(`tls:127.0.0.1:${(raw.address() as { port: number }).port}`, client));
      assert.is(error.code, "EPROTO");
      assert.match(error.message, answer ? /does not speak TLS/ : /closed the connection during the TLS handshake/);
      raw.close();
    }
  });

  test("what an owner does before the handshake is done: pausing, sending, closing", async () => {
    const server = await serve("tls:127.0.0.1:0", echo);
    server.onAccept = ({ connection }) => {
      connection.pauseReading();
      send(connection, "early");
    };
    const paused = await dial(server.address, client);
    send(paused, "hello");
    await paused.receives(1);
    assert.equal(paused.messages, ["early"]);
    assert.equal(server.accepted[0]!.messages, []);
    server.accepted[0]!.connection.resumeReading();
    await paused.receives(2);
    assert.equal(paused.messages, ["early", "hello"]);
    paused.connection.close();
    server.onAccept = ({ connection }) => connection.close();
    assert.is((await rejection(dial(server.address, client))).code, "EPROTO");
    await server.accepted[1]!.ends();
    assert.is(server.accepted[1]!.error, undefined);
    server.close();
  });

  test("every descriptor is given back, whichever side ends the connection and however", async () => {
    const server = await serve("tls:127.0.0.1:0", echo);
    (await talk(server.address, client)).connection.close();
    await server.accepted[0]!.ends();
    const settled = openDescriptors();
    for (let i = 0; i < 20; i++) {
      const us = await talk(server.address, client);
      const them = server.accepted.at(-1)!;
      (i % 2 ? us : them).connection.close();
      await Promise.all([us.ends(), them.ends()]);
    }
    for (let i = 0; openDescriptors() > settled; i++) {
      assert.ok(i < 200, `${openDescriptors() - settled} descriptors are left`);
      await new Promise((resolve) => setTimeout(resolve, 10)); // a closed connection lingers for a moment
    }
    server.close();
  });
}

function pem({ cert, key }: Identity): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

if (missing) console.log(`skipped: connections over tls: ${missing}`);
else withCertificates();
test.run();
