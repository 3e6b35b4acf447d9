/** What `npm start`, `npm test`, `npm run build` and the launchers say when something is missing; the check of the imports. */

import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "./support/root.js";

const folder = mkdtempSync(join(tmpdir(), "pathfinder-setup-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** Compiles the addon with another compiler, to another place. */
function buildAddonWith(compiler: string, out = join(folder, "addon.node")) {
  const module = pathToFileURL(join(root, "scripts/setup.mjs")).href;
  const script = `import { buildAddon } from ${JSON.stringify(module)}; await buildAddon({ out: ${JSON.stringify(out)} });`;
  return spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    env: { ...process.env, CXX: compiler },
  });
}

test("without a compiler the message names the Debian package", () => {
  const { status, stderr } = buildAddonWith("no-such-compiler");
  assert.is(status, 1);
  assert.match(stderr, /no C\+\+ compiler: "no-such-compiler" is not installed; on Debian: apt install g\+\+/);
});

test("without the C library's headers the message names the Debian package", () => {
  const compiler = join(folder, "compiler");
  writeFileSync(
    compiler,
    '#!/bin/sh\necho "addon.cc:1:10: fatal error: sys/socket.h: No such file or directory" >&2\nexit 1\n',
  );
  chmodSync(compiler, 0o755);
  const { status, stderr } = buildAddonWith(compiler);
  assert.is(status, 1);
  assert.match(stderr, /the header sys\/socket.h is missing; on Debian: apt install g\+\+ libc6-dev/);
});

test("where nothing can be written the message names the folder, and no compiler runs", () => {
  const { status, stderr } = buildAddonWith("no-such-compiler", "/dev/null/dist/addon.node");
  assert.is(status, 1);
  assert.match(stderr, /^setup: something has to be made, but \/dev\/null\/dist is not writable \(ENOTDIR\)/);
  assert.is(stderr.split("\n").length, 2, stderr);
});

test("what is current is not made again; a product that was removed is", async () => {
  const { unlessCurrent } = (await import(pathToFileURL(join(root, "scripts/setup.mjs")).href)) as {
    unlessCurrent(stamp: string, digest: string, products: readonly string[], make: () => void): Promise<void>;
  };
  const [stamp, ...products] = ["made/stamp", "made/first", "made/second"].map((name) => join(folder, name));
  let made = 0;
  const run = (digest: string) =>
    unlessCurrent(stamp, digest, products, () => {
      made++;
      for (const product of products) writeFileSync(product, "");
    });
  await run("a");
  await run("a");
  assert.is(made, 1);
  rmSync(products[1]);
  await run("a");
  assert.is(made, 2);
  assert.ok(existsSync(products[1]));
  await run("b");
  assert.is(made, 3);
});

test("a launcher without its bundle, or without Node.js, says so in one line", () => {
  const alone = join(folder, "pafc");
  copyFileSync(join(root, "dist/pafc"), alone);
  const started = (command: string, env: NodeJS.ProcessEnv) => {
    const { status, stdout, stderr } = spawnSync(command, ["-h"], {
      encoding: "utf8",
      env: { ...process.env, ...env },
    });
    return { status, stdout, stderr };
  };
  assert.equal(started(alone, {}), {
    status: 127,
    stdout: "",
    stderr: `pafc: ${folder}/pathfinder-edge.cjs is missing; copy or link dist/ as a whole\n`,
  });
  assert.equal(started(join(root, "dist/pafc"), { NODE: "no-such-node" }), {
    status: 127,
    stdout: "",
    stderr: "pafc: Node.js is not there: no program 'no-such-node'; on Debian: apt install nodejs\n",
  });
});

test("an import against the planned direction is found, in every form, and nothing else", async () => {
  const { strayImports } = (await import(pathToFileURL(join(root, "scripts/check.mjs")).href)) as {
    strayImports(root: string): string[];
  };
  const write = (file: string, text: string) => {
    const path = join(folder, "src", file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  write("core/good.ts", 'import { a } from "./other.js";\nlog(`text from "b"`);\n');
  write("wire/good.ts", 'import type {\n  A,\n} from "../core/good.js";\n');
  write("core/stray.ts", 'import { readFileSync } from "node:fs";\n');
  write("core/filter/up.ts", 'export { x } from "../../wire/good.js";\n');
  write("server/lazy.ts", 'const m = await import("../daemon/pafd.js");\n');
  write("attic/any.ts", "\n");
  const stray = strayImports(join(folder, "src")).map((line) => line.replace(/^.*src\//, ""));
  assert.equal(stray.sort(), [
    "attic/any.ts: no such room: attic",
    'core/filter/up.ts: imports "../../wire/good.js"; core may import nothing',
    'core/stray.ts: imports "node:fs"; core is pure',
    'server/lazy.ts: imports "../daemon/pafd.js"; server may import core, wire, transport',
  ]);
});

test.run();
