import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TlsFiles } from "../../src/transport/index.js";
import { tlsCredentials } from "../../src/transport/tls-credentials.js";
import { tlsFileNames } from "../../src/transport/tls-file-names.js";
import { Authority, certificateFile, openssl, opensslMissing, tlsDirectory } from "../support/certificates.js";
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

/* Which files are used, what is said when they are no good, and how those that change are taken up. */
const test = suite("tls credentials");
test.after(endSoon);
const missing = opensslMissing();

/** In a process of its own with this argument: only tells which files it would use. */
if (process.argv[2] === "names") {
  console.log(JSON.stringify(tlsFileNames({ key: "k" })));
  process.exit();
}

async function says(server: Server, tls: TlsFiles): Promise<Recorder> {
  const client = await dial(`tls:127.0.0.1:${portOf(server)}`, { tls });
  send(client, "hello");
  await client.receives(1);
  return client;
}

function idOf(recorder: Recorder): string {
  return Buffer.from(recorder.connection.subjectKeyId!).toString("hex");
}

interface Files {
  readonly folder: string;
  tls: Required<TlsFiles>;
  put(item: string, text: string): void;
}

let folders = 0;

/** A folder with good files of its own, and how to put something else in the place of one. */
function files(root: Authority, identity = root.issue(`s${folders}`)): Files {
  const folder = tlsDirectory(`files-${folders++}`, identity, root.cert);
  const at = (item: string) => join(folder, `${item}.pem`);
  copyFileSync(root.revocationList(), at("crl"));
  const tls = { cert: at("cert"), key: at("key"), tc: at("tc"), crl: at("crl") };
  return { folder, tls, put: (item, text) => writeFileSync(at(item), text) };
}

function withCertificates(): void {
  const root = new Authority("root");
  const peer: TlsFiles = { ...root.issue("peer"), tc: root.cert };
  const encrypted = (cipher: string[]) => openssl("pkey", "-in", peer.key!, ...cipher, "-passout", "pass:x");

  for (const [what, item, spoil, said] of [
    [
      "a file that does not exist",
      "cert",
      ({ tls }) => rmSync(tls.cert),
      /certificate file "\S+\/cert\.pem": it does not exist \(ENOENT\)$/,
    ],
    [
      "a folder",
      "tc",
      ({ tls }) => {
        rmSync(tls.tc);
        mkdirSync(tls.tc);
      },
      /file of trusted certificates "\S+\/tc\.pem": it is not a regular file$/,
    ],
    [
      "a FIFO",
      "key",
      ({ tls }) => {
        rmSync(tls.key);
        spawnSync("mkfifo", [tls.key]);
      },
      /key file "\S+\/key\.pem": it is not a regular file$/,
    ],
    [
      "a name below a file",
      "tc",
      (of) => {
        of.tls = { ...of.tls, tc: `${of.tls.tc}/x` };
      },
      /"\S+\/tc\.pem\/x": it does not exist \(ENOTDIR\)$/,
    ],
    [
      "an empty certificate file",
      "cert",
      ({ put }) => put("cert", ""),
      /cert\.pem": there is no certificate in it \(PEM is accepted\)$/,
    ],
    [
      "a certificate that is none",
      "cert",
      ({ put }) => put("cert", block("CERTIFICATE")),
      /cert\.pem": certificate 1 in it is not valid \(.+\)$/,
    ],
    [
      "a second certificate that is none",
      "tc",
      ({ put }) => put("tc", text(root.cert) + block("CERTIFICATE")),
      /tc\.pem": certificate 2 in it is not valid \(.+\)$/,
    ],
    [
      "a certificate as DER",
      "tc",
      ({ tls }) => openssl("x509", "-in", root.cert, "-outform", "DER", "-out", tls.tc),
      /tc\.pem": there is no certificate in it/,
    ],
    [
      "a key file without a key",
      "key",
      ({ put }) => put("key", text(root.cert)),
      /key\.pem": there is no private key in it \(PEM is accepted\)$/,
    ],
    [
      "a key that is none",
      "key",
      ({ put }) => put("key", block("PRIVATE KEY")),
      /key\.pem": its private key is not valid \(.+\)$/,
    ],
    [
      "an encrypted key",
      "key",
      ({ put }) => put("key", encrypted(["-aes128"])),
      /key\.pem": it is encrypted; only keys without a passphrase are accepted$/,
    ],
    [
      "a key encrypted the old way",
      "key",
      ({ put }) => put("key", encrypted(["-aes128", "-traditional"])),
      /key\.pem": it is encrypted; only keys without/,
    ],
    [
      "the key of another certificate",
      "key",
      ({ put }) => put("key", text(peer.key!)),
      /key\.pem": it is not the key of the first certificate in "\S+\/cert\.pem"$/,
    ],
    [
      "an empty file of revocation lists",
      "crl",
      ({ put }) => put("crl", "\n"),
      /file of revocation lists "\S+\/crl\.pem": there is no revocation list in it/,
    ],
    [
      "a revocation list that is none",
      "crl",
      ({ put }) => put("crl", block("X509 CRL")),
      /crl\.pem": holds no valid revocation list \(.+\)$/,
    ],
    [
      "a file that is too large",
      "cert",
      ({ put }) => put("cert", "\n".repeat(16 * 1024 * 1024 + 1)),
      /cert\.pem": it has 16777217 bytes \(at most 16777216 accepted\)$/,
    ],
  ] as readonly [string, string, (of: Files) => unknown, RegExp][]) {
    test(`${what}: neither listening nor connecting, and the ${item} file is named`, async () => {
      const of = files(root);
      spoil(of);
      for (const transport of ["tls", "utls"]) {
        const error = await rejection(serve(`${transport}:127.0.0.1:0`, echo, { tls: of.tls }));
        assert.is(error.code, "EPROTO");
        assert.match(error.message, said);
        assert.match(error.message, /^tls:127\.0\.0\.1:0: /);
        assert.not.match(error.message, "AAAA", "what is in the file is not shown");
      }
      // Nobody listens at port 1: nothing was sent there before the files were looked at.
      const error = await rejection(dial("tls:127.0.0.1:1", { tls: of.tls }));
      assert.equal([error.code, said.test(error.message)], ["EPROTO", true]);
    });
  }

  test("a key that this process may not read", () => {
    const { tls } = files(root);
    chmodSync(tls.key, 0);
    const user = process.geteuid!();
    if (user === 0) process.seteuid!(65_534); // root reads everything; this one may not even look into the folder
    try {
      assert.throws(() => tlsCredentials(tls), /: this process may not read it \(EACCES\)$/);
    } finally {
      if (user === 0) process.seteuid!(0);
    }
  });

  test("new connections use new files, established ones go on, without restart", async () => {
    const first = root.issue("first");
    const of = files(root, first);
    const server = await serve("tls:127.0.0.1:0", echo, { tls: of.tls });
    const before = await says(server, peer);
    const second = root.issue("second");
    // One after the other: between the two, key and certificate do not fit.
    of.put("key", text(second.key));
    for (let i = 0; i < 2; i++) assert.is((await rejection(dial(server.address, { tls: peer }))).code, "EPROTO");
    assert.is(server.acceptErrors.length, 1, "the same is not said twice");
    assert.match(
      server.acceptErrors[0]!.message,
      /^tls:127\.0\.0\.1:0: key file "\S+\/key\.pem": it is not the key of the first/,
    );
    of.put("cert", text(second.cert));
    const after = await says(server, peer);
    assert.is.not(idOf(before), idOf(after));
    send(before, "still here");
    await before.receives(2);

    for (const item of ["cert", "key", "tc"] as const) rmSync(of.tls[item]);
    for (let i = 0; i < 2; i++) assert.is((await rejection(dial(server.address, { tls: peer }))).code, "EPROTO");
    assert.is(server.acceptErrors.length, 2);
    assert.match(server.acceptErrors[1]!.message, /it does not exist \(ENOENT\)$/);
    of.put("cert", text(first.cert));
    of.put("key", text(first.key));
    of.put("tc", text(root.cert));
    assert.is(idOf(await says(server, peer)), idOf(before));
    assert.is(server.acceptErrors.length, 2);
    server.close();
  });

  test("a new revocation list counts for those who come then", async () => {
    const of = files(root);
    const server = await serve("tls:127.0.0.1:0", echo, { tls: of.tls });
    const victim = root.issue("victim");
    const welcome = await says(server, { ...victim, tc: root.cert });
    root.revoke(victim);
    of.put("crl", text(root.revocationList()));
    const outcome = dial(server.address, { tls: { ...victim, tc: root.cert } });
    await outcome.then(
      (recorder) => recorder.ends(),
      () => {},
    );
    await server.connections(2);
    await server.accepted[1]!.ends();
    assert.match(server.accepted[1]!.error!.message, /CERT_REVOKED/);
    send(welcome, "still here");
    await welcome.receives(2);
    server.close();
  });

  test("a folder swapped by renaming a link, and a file that is one", async () => {
    const [a, b] = [files(root), files(root)];
    const link = certificateFile("current");
    symlinkSync(a.folder, link);
    const server = await serve("tls:127.0.0.1:0", echo, {
      tls: { cert: join(link, "cert.pem"), key: join(link, "key.pem"), tc: join(link, "tc.pem") },
    });
    const first = idOf(await says(server, peer));
    symlinkSync(b.folder, `${link}.new`);
    renameSync(`${link}.new`, link);
    assert.is.not(idOf(await says(server, peer)), first);
    assert.equal(server.acceptErrors, []);
    server.close();

    const linked = certificateFile("linked-tc.pem");
    symlinkSync(a.tls.tc, linked);
    const names = { ...a.tls, tc: linked };
    const before = tlsCredentials(names);
    utimesSync(a.tls.tc, 1, 1); // an older file is another one as well
    assert.is.not(tlsCredentials(names), before);
  });

  test("files that stay the same are read once, for any number of connections", () => {
    const { tls } = files(root);
    const once = tlsCredentials(tls);
    assert.is(tlsCredentials({ ...tls }), once);
    const { crl, ...others } = tls;
    assert.is.not(tlsCredentials(others), once, `without ${crl} it is another context`);
  });

  test("names that are not given come from XCM's folder, decided when listening and at each connect", async () => {
    const before = process.env.XCM_TLS_CERT;
    try {
      const [a, b] = [files(root), files(root)];
      process.env.XCM_TLS_CERT = a.folder;
      const server = await serve("tls:127.0.0.1:0", echo);
      const first = idOf(await says(server, peer));
      process.env.XCM_TLS_CERT = b.folder;
      assert.is(idOf(await says(server, peer)), first, "the server stays with its files");
      await says(server, {});
      const ids = server.accepted.map(idOf);
      assert.is.not(ids[2], ids[1], "the client does not");
      assert.equal(tlsFileNames({ key: "k" }), { cert: `${b.folder}/cert.pem`, key: "k", tc: `${b.folder}/tc.pem` });
      process.env.XCM_TLS_CERT = "";
      assert.is(tlsFileNames().cert, "/cert.pem", "also if it is empty");
      delete process.env.XCM_TLS_CERT;
      assert.equal(tlsFileNames({ crl: "r" }), {
        cert: "/etc/xcm/tls/cert.pem",
        key: "/etc/xcm/tls/key.pem",
        tc: "/etc/xcm/tls/tc.pem",
        crl: "r",
      });
      server.close();
    } finally {
      if (before !== undefined) process.env.XCM_TLS_CERT = before;
    }
  });
}

/** Runs this file in a mount namespace in which the network namespace we are in has a name. */
function inNamespace(setUp: string): { status: number | null; stdout: string; stderr: string } {
  const script = `mkdir -p /run/netns && mount -t tmpfs none /run/netns && ${setUp} && exec "$@"`;
  const command = ["bash", "-c", script, "_", process.execPath, __filename, "names"];
  const env = { ...process.env, XCM_TLS_CERT: "/certificates" };
  return spawnSync("unshare", ["--mount", "--propagation", "private", ...command], { encoding: "utf8", env });
}

const namespaces = inNamespace("true").status === 0;
if (!namespaces && process.env.CI === "true") throw new Error("namespaces are not allowed here, and CI skips nothing");
if (!namespaces) console.log("skipped: names in a network namespace: mount namespaces are not allowed here");

(namespaces ? test : test.skip)("in a network namespace that has a name, the names of the files end in it", () => {
  const mark = (name: string, source: string) =>
    `touch /run/netns/${name} && mount --bind ${source} /run/netns/${name}`;
  const own = "/proc/self/ns/net";
  const cases = [
    [mark("blue", own), "_blue"],
    [`touch /run/netns/red && ln -s /nowhere /run/netns/gone && ${mark("green", own)}`, "_green"],
    ["touch /run/netns/other", ""],
    ["umount /run/netns", ""],
  ] as const;
  for (const [setUp, suffix] of cases) {
    const { stdout, stderr } = inNamespace(setUp);
    const expected = { cert: `/certificates/cert${suffix}.pem`, key: "k", tc: `/certificates/tc${suffix}.pem` };
    assert.equal(JSON.parse(stdout || "{}"), expected, stderr);
  }
});

function text(name: string): string {
  return readFileSync(name, "latin1");
}

function block(label: string): string {
  return `-----BEGIN ${label}-----\n${"A".repeat(64)}\n-----END ${label}-----\n`;
}

if (missing) console.log(`skipped: credentials of tls: ${missing}`);
else withCertificates();
test.run();
