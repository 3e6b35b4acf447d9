import { connect as connectRaw } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TlsFiles } from "../../src/transport/index.js";
import {
  Authority,
  bundle,
  certificateFile,
  EXPIRED,
  type Identity,
  NOT_YET_VALID,
  opensslMissing,
  selfSigned,
} from "../support/certificates.js";
import { OpensslClient } from "../support/openssl-client.js";
import {
  dial,
  echo,
  endSoon,
  portOf,
  type Recorder,
  rejection,
  type Server,
  send,
  serve,
} from "../support/transport-peers.js";

/* Who is not let in, why in words, and that such a peer neither gets a word in nor sees one. */
const test = suite("tls refusals");
test.after(endSoon);
const missing = opensslMissing();

/** The one connection of a server after its end: nothing was delivered, and the error is its log line. */
async function refusedConnection(server: Server): Promise<Recorder> {
  await server.connections(1);
  const recorder = server.accepted[0]!;
  await recorder.ends();
  const { connection, error } = recorder;
  assert.equal(recorder.messages, [], "an unverified peer was heard");
  assert.is(connection.subjectKeyId, undefined);
  assert.is(error?.code, "EPROTO");
  assert.ok(error!.message.startsWith(`${connection.remoteAddress}: `), error!.message);
  assert.match(connection.remoteAddress, /^tls:127\.0\.0\.1:\d+$/);
  assert.match(error!.message, /^[\x20-\x7e…]+$/);
  return recorder;
}

function refusals(): void {
  const root = new Authority("root");
  const other = new Authority("other");
  const intermediate = new Authority("intermediate", root);
  const ours = root.issue("ours");
  const good = root.issue("good");
  const revoked = root.issue("revoked");
  root.revoke(revoked);
  const list = root.revocationList();
  const files: TlsFiles = { ...ours, tc: root.cert };
  const chained = intermediate.issue("chained");
  const noAuthority = new Authority("no-authority", root, [
    "basicConstraints = CA:false",
    "subjectKeyIdentifier = hash",
  ]);
  const chain = ({ cert, key }: Identity, above: Identity): Identity => ({ cert: bundle(cert, above.cert), key });

  const EKU = ["extendedKeyUsage = serverAuth", "subjectKeyIdentifier = hash"];
  const CASES: readonly [
    what: string,
    peer: Identity | undefined,
    refusal: RegExp,
    files: TlsFiles,
    extra?: string[],
  ][] = [
    [
      "an expired certificate",
      root.issue("old", EXPIRED),
      /: certificate refused: it has expired \(CERT_HAS_EXPIRED; subject CN=old\)$/,
      files,
    ],
    [
      "one that is not valid yet",
      root.issue("new", NOT_YET_VALID),
      /: it is not valid yet \(CERT_NOT_YET_VALID; subject CN=new\)$/,
      files,
    ],
    [
      "a self-signed one",
      selfSigned("self"),
      /: it is self-signed and not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT; subject CN=self\)$/,
      files,
    ],
    [
      "one of another authority",
      other.issue("foreign"),
      /: its issuer is not trusted \(UNABLE_TO_\w+; subject CN=foreign\)$/,
      files,
    ],
    [
      "one of another authority, which is shown as well",
      chain(other.issue("foreign"), other),
      /: the root above it is not trusted \(SELF_SIGNED_CERT_IN_CHAIN; subject CN=foreign\)$/,
      files,
    ],
    [
      "one for servers only",
      root.issue("wrong", { extensions: EKU }),
      /: the key usages in it, .* do not allow this use \(INVALID_PURPOSE; subject CN=wrong\)$/,
      files,
    ],
    [
      "one below a certificate that is no authority's",
      chain(noAuthority.issue("below"), noAuthority),
      /: the key usages in it, or in a certificate above it, do not allow this use \(INVALID_PURPOSE; subject CN=below\)$/,
      files,
    ],
    [
      "a revoked one",
      revoked,
      /: it, or a certificate above it, has been revoked \(CERT_REVOKED; subject CN=revoked\)$/,
      { ...files, crl: list },
    ],
    [
      "one whose authority has no revocation list",
      chain(chained, intermediate),
      /: there is no revocation list of its issuer.* \(UNABLE_TO_GET_CRL; subject CN=chained\)$/,
      { ...files, crl: list },
    ],
    [
      "one whose authority's revocation list has expired",
      good,
      /: the revocation list of its issuer.* has expired \(CRL_HAS_EXPIRED; subject CN=good\)$/,
      { ...files, crl: root.revocationList(EXPIRED) },
    ],
    [
      "one whose authority's revocation list is not valid yet",
      good,
      /: the revocation list .* is not valid yet \(CRL_NOT_YET_VALID; subject CN=good\)$/,
      { ...files, crl: root.revocationList(NOT_YET_VALID) },
    ],
    ["none at all", undefined, /: the peer has presented no certificate \(PEER_DID_NOT_RETURN_A_CERTIFICATE\)$/, files],
  ];
  for (const version of ["-tls1_3", "-tls1_2"]) {
    for (const [what, peer, refusal, serverFiles] of CASES) {
      test(`${version}: a client that presents ${what}`, async () => {
        const server = await serve("tls:127.0.0.1:0", echo, { tls: serverFiles });
        server.onAccept = ({ connection }) => send(connection, "a secret"); // the owner itself is careless
        const client = new OpensslClient(server.address, peer, version);
        client.send("hello");
        const { error } = await refusedConnection(server);
        assert.match(error!.message, refusal);
        await client.ends();
        assert.is(client.received.length, 0);
        server.close();
      });
    }
  }

  test("other certificates of an authority whose list names a revoked one come in", async () => {
    const server = await serve("tls:127.0.0.1:0", echo, { tls: { ...files, crl: list } });
    const client = await dial(server.address, { tls: { ...good, tc: root.cert } });
    send(client, "hello");
    await client.receives(1);
    client.connection.close();
    server.close();
  });

  test("with lists of all authorities, a revoked one below an intermediate authority", async () => {
    const [fine, bad] = [intermediate.issue("fine"), intermediate.issue("bad")];
    intermediate.revoke(bad);
    const crl = bundle(list, intermediate.revocationList());
    const server = await serve("tls:127.0.0.1:0", echo, { tls: { ...files, crl } });
    const client = await dial(server.address, { tls: { ...chain(fine, intermediate), tc: root.cert } });
    send(client, "hello");
    await client.receives(1);
    const unwelcome = new OpensslClient(server.address, chain(bad, intermediate));
    unwelcome.send("hello");
    await unwelcome.ends();
    await server.accepted[1]!.ends();
    assert.match(server.accepted[1]!.error!.message, /revoked \(CERT_REVOKED; subject CN=bad\)$/);
    assert.equal(server.accepted[1]!.messages, []);
    client.connection.close();
    server.close();
  });

  for (const [what, text] of [
    ["a framed hello", '\0\0\0\x14{"ta-cmd": "hello"}x'],
    ["a web browser", "GET / HTTP/1.0\r\n\r\n"],
    ["zeros", "\0".repeat(64)],
    ["the beginning of something that looks like TLS", "\x16\x03\x01\x00\x05aaaaaaaa"],
    ["an SSLv2 hello", "\x80\x2e\x01\x00\x02".padEnd(48, "x")],
  ] as const) {
    test(`plain text: ${what}`, async () => {
      const server = await serve("tls:127.0.0.1:0", echo, { tls: files });
      const socket = connectRaw(portOf(server), "127.0.0.1");
      socket.on("error", () => {}).resume();
      const ends = new Promise((resolve) => socket.once("close", resolve));
      socket.write(text, "latin1");
      const { error } = await refusedConnection(server);
      await ends;
      if (what === "a framed hello" || what === "a web browser") {
        assert.match(error!.message, /: the peer does not speak TLS \((HTTP_REQUEST|WRONG_VERSION_NUMBER)\)$/);
      }
      server.close();
    });
  }

  for (const [what, args, refusal] of [
    [
      "TLS 1.1",
      ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
      /: the peer speaks no TLS version of 1\.2 and 1\.3 \(UNSUPPORTED_PROTOCOL\)$/,
    ],
    [
      "a cipher suite without forward secrecy",
      ["-tls1_2", "-cipher", "AES128-SHA256"],
      /: no cipher suite in common \(NO_SHARED_CIPHER\)$/,
    ],
    [
      "DHE cipher suites only",
      ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"],
      /: no cipher suite in common \(NO_SHARED_CIPHER\)$/,
    ],
  ] as const) {
    test(`a client that speaks ${what}`, async () => {
      const server = await serve("tls:127.0.0.1:0", echo, { tls: files });
      const client = new OpensslClient(server.address, good, ...args);
      client.send("hello");
      const { error } = await refusedConnection(server);
      assert.match(error!.message, refusal);
      await client.ends();
      assert.is(client.received.length, 0);
      server.close();
    });
  }

  for (const [what, bytes] of [
    ["at once", ""],
    ["in the middle of its hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  ] as const) {
    for (const how of ["end", "resetAndDestroy"] as const) {
      test(`a peer that leaves ${what} (${how})`, async () => {
        const server = await serve("tls:127.0.0.1:0", echo, { tls: files });
        const socket = connectRaw(portOf(server), "127.0.0.1");
        socket.on("error", () => {});
        await new Promise((resolve) => socket.once("connect", resolve));
        if (bytes) await new Promise((resolve) => socket.write(bytes, "latin1", resolve));
        await server.connections(1);
        socket[how]();
        const { error } = await refusedConnection(server);
        assert.match(error!.message, /: the peer closed the connection during the TLS handshake$/);
        server.close();
      });
    }
  }

  test("more certificates than OpenSSL reads", async () => {
    const server = await serve("tls:127.0.0.1:0", echo, { tls: files });
    const client = new OpensslClient(server.address, {
      ...good,
      cert: bundle(good.cert, ...Array(400).fill(root.cert)),
    });
    client.send("hello");
    const { error } = await refusedConnection(server);
    assert.match(error!.message, /: the peer's certificates are too long \(EXCESSIVE_MESSAGE_SIZE\)$/);
    await client.ends();
    server.close();
  });

  test("a client that refuses our certificate, and says so", async () => {
    const server = await serve("tls:127.0.0.1:0", echo, { tls: files });
    const client = new OpensslClient(server.address, good, "-CAfile", other.cert, "-verify_return_error");
    const { error } = await refusedConnection(server);
    assert.match(error!.message, /: the peer refused our certificate: unknown ca \(TLSV1_ALERT_UNKNOWN_CA\)$/);
    await client.ends();
    server.close();
  });

  test("names in a certificate cannot forge a line, and are cut", async () => {
    const forged = "/O=x\ny\x1b[31m\u2028Zürich/CN=";
    const names: [string, RegExp][] = [
      [`${forged}evil`, /subject O=x(, |\\+[0-9A-Za-z]*)+y.*31m.*evil\)$/],
      [
        `/O=${"o".repeat(64)}/OU=${"u".repeat(64)}/CN=${"c".repeat(64)}/L=${"l".repeat(64)}`,
        /subject O?.{190,205}…\)$/,
      ],
    ];
    for (const [subject, shown] of names) {
      const name = certificateFile("hostile");
      const hostile = selfSigned(name.slice(name.lastIndexOf("/") + 1) + subject.length, subject);
      const server = await serve("tls:127.0.0.1:0", echo, { tls: files });
      const client = new OpensslClient(server.address, hostile);
      const { error } = await refusedConnection(server);

      assert.match(error!.message, shown);
      assert.ok(error!.message.length < 500);
      await client.ends();
      server.close();
    }
  });

  for (const [what, identity, refusal] of [
    ["of another authority", other.issue("foreign-server"), /: certificate refused: its issuer is not trusted/],
    ["that has expired", root.issue("old-server", EXPIRED), /: certificate refused: it has expired/],
    [
      "for clients only",
      root.issue("client", { extensions: ["extendedKeyUsage = clientAuth"] }),
      /\(INVALID_PURPOSE; subject CN=client\)$/,
    ],
  ] as const) {
    test(`a server with a certificate ${what}: connecting fails, and the owner hears nothing else`, async () => {
      const server = await serve("tls:127.0.0.1:0", echo, { tls: { ...identity, tc: root.cert } });
      const listener = { onMessage: () => assert.unreachable(), onDrain() {}, onClose: () => assert.unreachable() };
      const error = await rejection(dial(server.address, { tls: { ...good, tc: root.cert }, listener }));
      assert.is(error.code, "EPROTO");
      assert.match(error.message, refusal);
      assert.ok(error.message.startsWith(`${server.address}: `), error.message);
      await server.accepted[0]!.ends();
      server.close();
    });
  }

  test("a client whose certificate is refused hears of it, in the handshake or right after", async () => {
    const server = await serve("tls:127.0.0.1:0", echo, { tls: files });
    const client = dial(server.address, { tls: { ...other.issue("foreign"), tc: root.cert } });
    const error = await client.then(
      async (recorder) => {
        await recorder.ends();
        return recorder.error!;
      },
      (early) => early,
    );
    assert.is(error.code, "EPROTO");
    assert.match(error.message, /refused our certificate/);
    server.close();
  });
}

if (missing) console.log(`skipped: refusals of tls: ${missing}`);
else refusals();
test.run();
