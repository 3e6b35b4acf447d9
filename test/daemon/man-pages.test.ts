/** The manual pages of pafd: complete, and their examples work. */

import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadConfig } from "../../src/daemon/config/config.js";
import { FACILITIES } from "../../src/daemon/config/schema.js";
import { OPTIONS } from "../../src/daemon/option-table.js";
import { pafdHelp } from "../../src/daemon/options.js";
import { withFolder, withPafd } from "../support/pafd.js";
import { root } from "../support/root.js";
import { endSoon, freshName } from "../support/transport-peers.js";
import { KEYS } from "./config/keys.js";

test.after(endSoon);

const pages = ["build/man/pafd.8", "build/man/pafd.conf.5"] as const;
const [PAFD_8, PAFD_CONF_5] = pages.map((name) => readFileSync(join(root, name), "utf8"));

/** What a page's source shows to its reader, as far as our examples use it. */
const plain = (roff: string) => roff.replaceAll("\\-", "-").replaceAll("\\(aq", "'").replaceAll("\\e", "\\");

/** The examples of a section, in order. */
function examples(page: string, section: string): string[] {
  const text =
    page.split(/^(?=\.S[HS] )/m).find((part) => part.startsWith(`.S`) && part.slice(4).startsWith(section)) ?? "";
  return [...text.matchAll(/^\.EX\n(.*?)^\.EE/gms)].map(([, example]) => plain(example));
}

test("pafd(8) has exactly the options of --help, with the same short forms", () => {
  const shown = [...PAFD_8.matchAll(/^\.TP\n\.B[RI]? (?:\\-(\w)\b.*?)?(?:", ")?\\-\\-([a-z\\-]+)/gm)];
  const options = Object.fromEntries(shown.map(([, short, name]) => [plain(name), short]));
  assert.equal(options, Object.fromEntries(Object.entries(OPTIONS).map(([name, { short }]) => [name, short])));
  for (const name of Object.keys(options)) assert.ok(pafdHelp().includes(`--${name}`), name);
});

test("pafd.conf(5) explains every key and every facility", () => {
  const words = new Set(PAFD_CONF_5.match(/[a-z_]+/g));
  assert.equal(
    KEYS.filter((key) => !words.has(key)),
    [],
  );
  for (const facility of FACILITIES.filter((name) => !name.startsWith("local"))) {
    assert.ok(plain(PAFD_CONF_5).includes(facility), facility);
  }
});

test("pafd(8) names the signals, exit codes, environment and limits", () => {
  for (const word of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "XCM_TLS_CERT", "65,535", "65,023", "4,096", "8,192"]) {
    assert.ok(PAFD_8.includes(word), word);
  }
});

test("the examples of configuration are right", () => {
  const [example] = examples(PAFD_CONF_5, "EXAMPLE");
  assert.is(loadConfig(example, "example").gateways.length, 2);
  const tls = examples(PAFD_8, "Walk-through").find((text) => text.startsWith("domains:"));
  assert.is(loadConfig(tls!, "example").domains[0].sockets[0].tls?.cert, "/etc/pafd/server.pem");
});

test("the example of a hook works", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "hook.mjs");
    const [example] = examples(PAFD_8, "HOOK");
    writeFileSync(file, example.replace("name=lamp", "name=pafd"));
    await withPafd(["-r", file, `ux:${freshName()}`], async (pafd) => {
      await pafd.says(/hook: undefined listens at ux:/);
      await pafd.says("hook: a lamp has appeared");
    });
  });
});

const noOpenssl = spawnSync("openssl", ["version"]).status !== 0;
if (noOpenssl) console.log("skipped: the walk-through of TLS (openssl is missing)");

(noOpenssl ? test.skip : test)(
  "the walk-through of TLS makes certificates that are good, and one that is revoked",
  async () => {
    await withFolder(async (folder) => {
      const [make, , configuration, connect, show, revoke] = examples(PAFD_8, "Walk-through");
      const env = { ...process.env, HOME: folder, PATH: `${join(root, "dist")}:${process.env.PATH}` };
      const run = (script: string, cwd: string) =>
        execFileSync("bash", ["-e", "-c", script], { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
      run(make, folder);
      const ca = join(folder, "ca");
      const verify = (...args: string[]) =>
        spawnSync("openssl", ["verify", "-CAfile", "ca.pem", ...args], { cwd: ca }).status;
      assert.is(verify("-purpose", "sslserver", "server.pem"), 0);
      assert.is(verify("-purpose", "sslclient", "lamp.pem"), 0);
      assert.is.not(verify("-purpose", "sslserver", "lamp.pem"), 0);
      assert.match(run(show, ca), /([0-9A-F]{2}:){19}[0-9A-F]{2}/);
      const file = join(folder, "pafd.conf");
      writeFileSync(file, configuration.replaceAll("/etc/pafd", ca).replace("tls:*:4712", "tls:127.0.0.1:0"));
      await withPafd(["-f", file], async (pafd) => {
        const [, port] = /Listening on tls:127\.0\.0\.1:(\d+)/.exec(pafd.log)!;
        assert.match(run(connect.replace("SERVER:4712", `127.0.0.1:${port}`), ca), / ms\n/);
      });
      run(revoke, ca);
      const list = ["-crl_check_all", "-CRLfile", "crl.pem"];
      assert.is(verify(...list, "-purpose", "sslserver", "server.pem"), 0);
      assert.is.not(verify(...list, "lamp.pem"), 0);
      run(revoke.replace(/^openssl ca .* -revoke .*$/m, ""), ca); // the next list, before this one expires
      assert.is.not(verify(...list, "lamp.pem"), 0);
    });
  },
);

for (const name of pages) {
  test(`${name} is free of mistakes that its formatter sees`, () => {
    const { error, stderr, status } = spawnSync("groff", ["-man", "-ww", "-z", "-Tutf8", name], {
      cwd: root,
      encoding: "utf8",
    });
    if ((error as NodeJS.ErrnoException | undefined)?.code === "ENOENT") {
      console.log("groff is missing: only the macros of the manual pages are looked at");
      const known = /^\.(TH|S[HS]|TP|IP|PP|br|B|I|BR|RB|BI|IB|IR|RI|EX|EE|RS|RE|\\")( |$)/;
      const text = readFileSync(join(root, name), "utf8");
      const odd = text.split("\n").filter((line) => line.startsWith(".") && !known.test(line));
      assert.equal(odd, []);
      return;
    }
    assert.equal({ status, stderr }, { status: 0, stderr: "" });
  });
}

test.run();
