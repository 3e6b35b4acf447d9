/** pafc with domain files: -a, -l, -n, and the name of a domain in the place of an address. */

import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { chooseServer } from "../../src/cli/server-choice.js";
import { UsageError } from "../../src/cli/usage-error.js";
import { type LiveDomain, liveDomain } from "../client/live-domain.js";
import { Authority, opensslMissing } from "../support/certificates.js";
import { withFolder } from "../support/pafd.js";
import { Run } from "./run.js";

const test = suite("pafc and domains");
let live: LiveDomain;
test.before(async () => {
  live = await liveDomain();
});
test.after(() => live.close());

async function pafc(directory: string, ...argv: string[]) {
  const run = new Run(argv, { env: { PAF_DOMAINS: directory } });
  run.stdin.end("version\n");
  return { code: await run.code, stdout: run.stdout.text, stderr: run.stderr.text };
}

/** Domain files by name. */
const withDomains = (files: Readonly<Record<string, string>>, body: (directory: string) => Promise<void>) =>
  withFolder(async (folder) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    await body(folder);
  });

const json = (...servers: object[]) => JSON.stringify({ servers });

test("-l lists regular files, -a the addresses of one domain", async () => {
  await withDomains({ home: "# ours\n ux:one \n\ntcp:two:1\n", "odd\x1b": "", work: json() }, async (directory) => {
    mkdirSync(join(directory, "folder"));
    symlinkSync("home", join(directory, "alias"));
    symlinkSync("nowhere", join(directory, "broken"));
    assert.equal(await pafc(directory, "-l"), { code: 0, stdout: "alias\nhome\nodd\\x1b\nwork\n", stderr: "" });
    assert.equal(await pafc(directory, "-a", "home"), { code: 0, stdout: "ux:one\ntcp:two:1\n", stderr: "" });
    assert.equal(await pafc(directory, "--addresses", "work"), { code: 0, stdout: "\n", stderr: "" });
    const none = await pafc(directory, "-a", "none");
    assert.equal([none.code, none.stdout], [0, "\n"]);
    assert.match(none.stderr, /none: no such file or directory \(ENOENT\)\.\n$/);
    const nowhere = await pafc(join(directory, "none"), "--list-domains");
    assert.equal([nowhere.code, nowhere.stdout], [0, ""]);
    assert.match(nowhere.stderr, /^pafc: directory .*ENOENT/);
  });
});

test("a domain in the place of an address: interactive and one-shot, by index, with its versions", async () => {
  const files = {
    lines: `ux:nobody-listens-here\n${live.tcp}\n`,
    home: json({ address: live.ux, maxProtocolVersion: 2 }, { address: live.tcp, minProtocolVersion: 3 }),
  };
  await withDomains(files, async (directory) => {
    const advertised = async (...argv: string[]) => {
      const { code, stdout } = await pafc(directory, ...argv);
      assert.is(code, 0, stdout);
      return /Advertised: (.*)/.exec(stdout)?.[1];
    };
    assert.is(await advertised("home"), "2-2");
    assert.is(await advertised("-n", "1", "home"), "3-3");
    assert.is(await advertised("-p", "3", "home"), "3-3", "-p overrides the file");
    assert.is(await advertised("-n", "1", "lines"), "2-3");
    assert.is(await advertised(live.ux), "2-3");
    const first = await pafc(directory, "lines", "ping");
    assert.is(first.code, 1);
    assert.equal(first.stdout.split("\n").slice(0, -1), [
      `${SIGN} [Errno 111] Connection refused.`,
      "ux:nobody-listens-here: nobody is listening there (ECONNREFUSED)",
      "ux:nobody-listens-here is server 0 of the 2 of domain lines; -n takes another.",
    ]);
    const second = await pafc(directory, "--server-index=1", "--protocol=2", "--client-id=0x2A", "lines", "clients");
    assert.is(second.code, 0, second.stdout);
    assert.match(second.stdout, /\n2a +tcp:127/);
  });
});

test("the local address of the chosen server is used", async () => {
  const home = json({ address: live.tcp, localAddress: "tcp:127.0.0.9:0" });
  await withDomains(
    { home, lost: json({ address: live.tcp, networkNamespace: "none-of-this-name" }) },
    async (where) => {
      const { code, stdout } = await pafc(where, "-i", "2a", "home", "clients");
      assert.is(code, 0, stdout);
      assert.match(stdout, /\n2a +tcp:127\.0\.0\.9:\d+ /);
      const lost = await pafc(where, "lost", "ping");
      assert.is(lost.code, 1, "not from here instead");
      assert.match(lost.stdout, /none-of-this-name/);
    },
  );
});

const SIGN = "Error communicating with Patherfinder server:";

test("TLS files and versions of the chosen server", async () => {
  const tls = { tlsCertificateFile: "c", tlsKeyFile: "k", tlsTrustedCaFile: "t", tlsCrlFile: "r" };
  const files = {
    home: json({ address: "tls:h:1", ...tls, minProtocolVersion: 1, maxProtocolVersion: 9 }),
    future: json({ address: "ux:a", minProtocolVersion: 4, maxProtocolVersion: 5 }),
    past: json({ address: "ux:a", maxProtocolVersion: 1 }),
  };
  await withDomains(files, async (directory) => {
    const env = { PAF_DOMAINS: directory };
    const invocation = { kind: "run", timeoutSeconds: 1, json: false } as const;
    assert.equal(await chooseServer({ ...invocation, server: "home" }, env), {
      address: "tls:h:1",
      tls: { cert: "c", key: "k", tc: "t", crl: "r" },
      versions: { min: 2, max: 3 },
    });
    for (const [server, version] of [
      ["future", 4],
      ["past", 1],
    ] as const) {
      const error = await chooseServer({ ...invocation, server }, env).catch((reason: unknown) => reason);
      assert.instance(error, UsageError);
      assert.is((error as UsageError).lines[0], `Protocol version ${version} is not supported.`);
    }
  });
});

const missing = opensslMissing();
if (missing) console.log(`skipped pafc with the TLS files of a domain: ${missing}`);

(missing ? test.skip : test)("the TLS files of the domain are used, interactive and one-shot", async () => {
  const root = new Authority("root");
  const [server, client] = [root.issue("server"), root.issue("client")];
  const address = await live.domain.listen("tls:127.0.0.1:0", { tls: { ...server, tc: root.cert } });
  const tls = { tlsCertificateFile: client.cert, tlsKeyFile: client.key, tlsTrustedCaFile: root.cert };
  await withDomains({ home: json({ address: "ux:first" }, { address, ...tls }) }, async (directory) => {
    const listed = await pafc(directory, "-i", "2a", "-n", "1", "home", "clients");
    assert.is(listed.code, 0, listed.stdout);
    assert.match(listed.stdout, /\n2a +tls:127\.0\.0\.1:\d+ /);
    const interactive = await pafc(directory, "-n1", "home");
    assert.equal([interactive.code, interactive.stdout.split("\n").at(-3)], [0, "OK."]);
  });
});

test("what is wrong is told, on standard output, with exit code 1", async () => {
  await withDomains({ home: live.ux, empty: "", bad: "{", slash: "" }, async (directory) => {
    const there = `Domains in ${directory}: bad, empty, home, slash.`;
    const lines = async (...argv: string[]) => {
      const { code, stdout } = await pafc(directory, ...argv);
      assert.is(code, 1, stdout);
      return stdout.split("\n").slice(0, -1);
    };
    assert.equal(await lines("-n", "1", "home"), ["No server address with index 1."]);
    assert.equal(await lines("-n", "0", "none"), [
      "Domain 'none' does not exist, but a server index is given.",
      `domain file ${directory}/none: no such file or directory (ENOENT).`,
      there,
    ]);
    assert.equal(await lines("-n", "0", live.ux, "ping"), [
      `Domain '${live.ux}' does not exist, but a server index is given.`,
      `domain file ${directory}/${live.ux}: no such file or directory (ENOENT).`,
      there,
    ]);
    for (const [name, why] of [
      ["empty", /: no servers\.$/],
      ["bad", /bad, line 1: not JSON/],
      ["none", /ENOENT/],
    ] as const) {
      const [first, , reason, last] = await lines(name, "ping");
      assert.is(first, `${SIGN} [Errno 22] Invalid argument.`);
      assert.match(reason, why);
      assert.is(last, there);
    }
    assert.is((await lines("services")).at(-1), "The server is missing: pafc ADDR services");
    const nowhere = join(directory, "none");
    assert.is(
      (await pafc(nowhere, "home", "ping")).stdout.split("\n").at(-2),
      `There are no domains in ${nowhere}; PAF_DOMAINS names another directory.`,
    );
    for (let i = 10; i < 20; i++) writeFileSync(join(directory, `more${i}`), "");
    assert.match((await lines("none", "ping"))[3], /: bad, empty, home, more10, more11, .* more16 and 4 more\.$/);
  });
});

test.run();
