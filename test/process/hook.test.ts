/** The start-up hook of a real pafd: modules of every kind, what they may do, and what happens when they fail. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Client, Pafd, runPafd, withFolder, withPafd } from "../support/pafd.js";
import { endSoon, freshName } from "../support/transport-peers.js";

test.after(endSoon);

/** Publishes where it is told to, and says what it was given. */
const BODY = `async (domains, { log, version }) => {
  for (const { name, addresses, directory } of domains) {
    log.info(() => \`hook: \${name} \${addresses} \${version}\`);
    const properties = new Map([["from", ["hook", 42n]]]);
    const outcome = await directory.publish({ id: 31n, generation: 0n, ttlSeconds: 60n, properties });
    log.warning(() => \`hook: \${outcome}\`);
  }
}`;
const ES_MODULE = `import { readFileSync } from "node:fs";\nif (!readFileSync) throw 1;\nexport default ${BODY};`;
const COMMON = `const fs = require("node:fs");\nif (!fs) throw 1;\nmodule.exports = ${BODY};`;

/** File, its text, and the package.json beside it. */
const KINDS: readonly (readonly [string, string, string?])[] = [
  ["hook.mjs", ES_MODULE],
  ["hook.cjs", COMMON],
  ["hook.js", COMMON],
  ["hook.js", ES_MODULE, '{"type": "module"}'],
  ["hook.js", `"use strict";\nexports.__esModule = true;\nexports.default = ${BODY};`],
  ["a b #%1?.mjs", ES_MODULE],
];
for (const [name, text, packageJson] of KINDS) {
  const kind = packageJson ? "a package of modules" : text.startsWith("import") ? "a module" : text.split(/[;\n]/)[0];
  test(`${name} (${kind}) is called once with the running domains`, async () => {
    await withFolder(async (folder) => {
      writeFileSync(join(folder, name), text);
      if (packageJson) writeFileSync(join(folder, "package.json"), packageJson);
      const address = `ux:${freshName()}`;
      await withPafd(
        ["-r", name, address],
        async (pafd) => {
          await pafd.says(/^WARNING:root:hook: ok$/m);
          assert.match(pafd.log, new RegExp(`^INFO:root:hook: undefined ${address} \\d+\\.\\d+\\.\\d+$`, "m"));
          assert.is(pafd.log.match(/hook: ok/g)?.length, 1);
          const client = await Client.connect(address, 1);
          await client.ask("services", 1);
          const service = client.messages.find((message) => message.includes('"service-id":31')) ?? "";
          assert.match(service, /"from":\["hook",42\]|"from":\[42,"hook"\]/);
          const unpublished = await client.ask("unpublish", 2, { "service-id": 31 });
          assert.match(unpublished, /permission-denied/, "the hook is a user of its own");
          client.connection.close();
        },
        { cwd: folder },
      );
    });
  });
}

test("it is called when every domain listens, with names and the addresses really bound", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "hook.mjs");
    writeFileSync(
      file,
      "export default (domains, { log }) => log.info(() => JSON.stringify(domains.map(({ name, addresses }) => [name, addresses])));",
    );
    const conf = join(folder, "pafd.conf");
    const name = freshName();
    writeFileSync(conf, `domains: [{name: a, sockets: ["ux:${name}", "tcp:127.0.0.1:0"]}, {sockets: []}]\n`);
    await withPafd(["-f", conf, "-r", file], async (pafd) => {
      await pafd.says(
        new RegExp(`\\[\\["a",\\["ux:${name}","tcp:127\\.0\\.0\\.1:[1-9]\\d*"\\]\\],\\[null,\\[\\]\\]\\]`),
      );
    });
  });
});

const FAILURES: readonly (readonly [string, string, RegExp])[] = [
  [
    "throws.mjs",
    "export default () => {\n  throw new TypeError('planned\\nINFO:root:forged');\n};",
    /' failed: TypeError: planned \(line 2\)\.$/,
  ],
  ["throws.cjs", "module.exports = () => {\n\n  null.x;\n};", /' failed: TypeError: Cannot read .* \(line 3\)\.$/],
  ["rejects.mjs", "export default async () => {\n  await null;\n  throw 'no error';\n};", /' failed: no error\.$/],
  ["load.mjs", "throw new Error('at load');", /' cannot be loaded: Error: at load \(line 1\)\.$/],
  ["syntax.mjs", "export default (;", /' cannot be loaded: SyntaxError: /],
  ["syntax.cjs", "module.exports = (;", /' cannot be loaded: SyntaxError: .* \(line 1\)\.$/],
  ["needs.mjs", "import 'no-such-package';", /' cannot be loaded: Error.*no-such-package/],
  ["none.mjs", "export const hook = 1;", /' cannot be used: its default export is not a function\.$/],
  ["none.cjs", "module.exports = { default: null };", /' cannot be used: its default export is not a function\.$/],
  ["gone.mjs", "", /^Hook cannot be loaded: \[Errno 2\] No such file or directory: '.*gone\.mjs'\.$/],
];
for (const [name, text, expected] of FAILURES) {
  test(`${name}: one line that names the file, exit code 1, sockets removed`, async () => {
    await withFolder(async (folder) => {
      const file = join(folder, name);
      if (text !== "") writeFileSync(file, text);
      const { status, stdout, stderr } = runPafd(["-sn", "-r", file, `uxf:${join(folder, "socket")}`]);
      assert.is(status, 1, stderr);
      assert.is(stdout, "");
      const lines = stderr.trimEnd().split("\n");
      assert.is(lines.length, 2, stderr);
      assert.match(lines[0], /started with configuration/);
      const message = lines[1].replace(/^ERROR:root:/, "");
      assert.match(message, expected);
      assert.ok(message.includes(file), message);
      assert.is(runPafd(["-v"]).status, 0);
    });
  });
}

test("a folder is no hook; -r is not looked at where nothing runs", async () => {
  await withFolder((folder) => {
    mkdirSync(join(folder, "hook"));
    const { status, stderr } = runPafd(["-sn", "-r", join(folder, "hook"), `ux:${freshName()}`]);
    assert.is(status, 1);
    assert.match(stderr, /ERROR:root:Hook '.*hook' cannot be loaded: Error.*/);
    assert.is(runPafd(["-r", "gone", "--print-config"]).status, 0);
  });
});

test("a hook that never ends its call does not keep pafd from ending", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "hook.mjs");
    writeFileSync(file, "export default (_, { log }) => (log.info(() => 'called'), new Promise(() => {}));");
    const pafd = new Pafd(["-sn", "-r", file, `ux:${freshName()}`]);
    try {
      await pafd.says("called");
      assert.equal(await pafd.stop(), { code: 0, signal: null });
    } finally {
      await pafd.kill();
    }
  });
});

test("what a hook throws after its call ends pafd as any bug does", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "hook.mjs");
    writeFileSync(file, "export default () => { setImmediate(() => { throw new Error('later'); }); };");
    const { status, stderr } = runPafd(["-sn", "-r", file, `ux:${freshName()}`]);
    assert.is(status, 1);
    assert.match(stderr, /^ERROR:root:Internal error: Error: later/m);
  });
});

test.run();
