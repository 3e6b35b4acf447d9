/**
 * The npm package: packed, installed without a network in an empty project, and used from there as ECMAScript module, as
 * CommonJS and in strict TypeScript, against a real pafd.
 */

import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { boundAddress, environment, runPafd, withPafd } from "./support/pafd.js";
import { root } from "./support/root.js";
import { freshName, Watch } from "./support/transport-peers.js";

const test = suite("package");
const folder = mkdtempSync(join(tmpdir(), "pathfinder-edge-package-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const project = join(folder, "project");
const installed = join(project, "node_modules/pathfinder-edge");
const LIMIT_MS = 120_000;

/** npm with the Node.js it belongs to: .ci/debian-node puts another one first, which the npm of this machine may refuse. */
function npm(cwd: string, ...args: string[]): SpawnSyncReturns<string> {
  const { LD_LIBRARY_PATH: _, ...env } = environment({ npm_config_update_notifier: "false" });
  const path = env.PATH!.split(":").filter((part) => !part.includes("/.cache/debian-node/"));
  return spawnSync("npm", args, { cwd, env: { ...env, PATH: path.join(":") }, encoding: "utf8", timeout: LIMIT_MS });
}

function good({ status, stdout, stderr, error }: SpawnSyncReturns<string>): string {
  if (status !== 0) throw new Error(`status ${status}: ${error ?? ""}${stdout}${stderr}`);
  return stdout;
}

/** Runs a program of the project to its end, while this process goes on. */
function runProgram(file: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(project, file), ...args], { cwd: project, env: environment() });
    let output = "";
    const watchdog = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
    child.on("close", (code, signal) => {
      clearTimeout(watchdog);
      if (code === 0) resolve(output);
      else reject(new Error(`${file} ended with ${code ?? signal}: ${output}`));
    });
  });
}

/** Publishes a service, sees it, changes it, withdraws it. The process ends by itself, because nothing keeps it alive. */
const BODY = `
const [address] = process.argv.slice(2);
const domain = attach({ servers: [{ address: address! }] });
const name = "a (b) * \\\\ c";
const service = domain.publish({ name, load: [1, 2n], kind: ["x", "y"] });
const told: string[] = [];
domain.subscribe(and(equal("name", name), not(present("hidden"))), (match: DomainMatch) => {
  if (match.serviceId !== service.id) throw new Error("another service");
  told.push(match.type);
  if (match.type === "appeared") service.modify({ name, load: Number(match.properties.get("load")![0]) + 9 });
  if (match.type === "modified") {
    const load: Value = match.properties.get("load")![0]!;
    told.push(String(load));
    service.unpublish();
  }
  if (match.type === "disappeared") domain.close().then(() => console.log(told.join(" "), service.generation));
});
try {
  domain.subscribe("(broken", () => {});
} catch (error) {
  if (!(error instanceof FilterSyntaxError)) throw error;
}
`;
const SAYS = "appeared modified 10 disappeared 1n\n";
const NAMES = "and, attach, equal, FilterSyntaxError, not, present";
/** The same without types. */
const PLAIN = BODY.replace(/: (string\[\]|DomainMatch|Value)/g, "")
  .replaceAll("]!", "]")
  .replace(/!([\s,}.[])/g, "$1");

/** What strict TypeScript has to refuse; `@ts-expect-error` fails where it does not. */
const MISUSE = `
export function misuse(domain: Domain): void {
  // @ts-expect-error
  attach(5);
  // @ts-expect-error
  domain.publish({ flag: true });
  // @ts-expect-error
  domain.subscribe(7, () => {});
  // @ts-expect-error
  equal("a", null);
  // @ts-expect-error
  const wrong: DomainMatch = { type: "gone", serviceId: 1n };
  const right: ServerConfig = { address: "tcp:h:1", tls: { cert: "c" }, maxIdleSeconds: 5 };
  void [wrong, right];
}
`;
const TYPES = "type Domain, type DomainMatch, type ServerConfig, type Value";

async function withTcp(body: (address: string) => Promise<void>): Promise<void> {
  const given = "tcp:127.0.0.1:0";
  await withPafd([given], async (pafd) => body(await boundAddress(pafd, given)));
}

test("npm pack makes it; what is in it is of every platform, and not much", () => {
  const [packed] = Object.values<{ filename: string; size: number; unpackedSize: number; files: { path: string }[] }>(
    JSON.parse(good(npm(root, "pack", "--silent", "--json", "--pack-destination", folder))),
  );
  const { filename, size, unpackedSize, files } = packed!;
  const kB = (bytes: number) => `${Math.round(bytes / 1000)} kB`;
  const library = statSync(join(root, "dist/index.cjs")).size;
  console.log(`the package: ${kB(size)}, unpacked ${kB(unpackedSize)}, of which the library ${kB(library)}`);
  const names = files.map(({ path }) => path);
  for (const name of ["README.md", "LICENSE", "dist/THIRD-PARTY-LICENCES", "dist/pafd"]) {
    assert.ok(names.includes(name), name);
  }
  assert.equal(
    names.filter((name) => name.startsWith("dist/types/")).sort(),
    ["dist/types/index.d.mts", "dist/types/index.d.ts"],
    "nothing internal is declared",
  );
  assert.equal(
    names.filter((name) => /\.node$|^(test|src|\.cache)\//.test(name)),
    [],
  );
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{"name":"empty","private":true}');
  good(npm(project, "install", "--offline", "--no-audit", "--no-fund", join(folder, filename)));
  assert.ok(existsSync(join(installed, "dist/index.cjs")));
  const lock = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8"));
  assert.equal(Object.keys(lock.packages), ["", "node_modules/pathfinder-edge"], "it brings no other package along");
});

test("ECMAScript module", () =>
  withTcp(async (address) => {
    writeFileSync(join(project, "program.mjs"), `import { ${NAMES} } from "pathfinder-edge";${PLAIN}`);
    assert.is(await runProgram("program.mjs", address), SAYS);
  }));

test("the examples: a lamp comes, changes and goes, and both programs end when they are interrupted", () =>
  withTcp(async (address) => {
    const start = (name: string, where = address) => {
      cpSync(join(root, "examples", name), join(project, name));
      const child = spawn(process.execPath, [join(project, name), where], { cwd: project, env: environment() });
      let output = "";
      const watch = new Watch();
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (data) => {
          output += data;
          watch.happened();
        });
      }
      const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
      const says = (pattern: RegExp) => watch.until(() => pattern.test(output), `${name} says ${pattern}: ${output}`);
      return { child, ended, says, output: () => output };
    };
    const consumer = start("consumer.mjs");
    const producer = start("producer.mjs");
    await consumer.says(/^lamp [0-9a-f]+ appeared in the kitchen: 50 %$/m);
    await consumer.says(/^lamp [0-9a-f]+ modified in the kitchen: 60 %$/m);
    producer.child.kill("SIGINT");
    await consumer.says(/^lamp [0-9a-f]+ has gone$/m);
    consumer.child.kill("SIGTERM");
    assert.equal([await producer.ended, await consumer.ended], [0, 0]);
    const astray = start("consumer.mjs", "no-such-domain");
    await astray.says(/no-such-domain: no such file or directory \(ENOENT\)/);
    astray.child.kill("SIGTERM");
    assert.is(await astray.ended, 0);
    const wrong = start("consumer.mjs", "sctp:there");
    await wrong.says(/unknown transport "sctp"/);
    assert.is(await wrong.ended, 1);
    assert.ok(wrong.output().length < 3000, "without a page of minified code");
  }));

test("CommonJS", () =>
  withTcp(async (address) => {
    writeFileSync(join(project, "program.cjs"), `const { ${NAMES} } = require("pathfinder-edge");${PLAIN}`);
    assert.is(await runProgram("program.cjs", address), SAYS);
  }));

test("both kinds of import give the same classes", async () => {
  writeFileSync(
    join(project, "same.mjs"),
    `import { createRequire } from "node:module";
     import * as module from "pathfinder-edge";
     const common = createRequire(import.meta.url)("pathfinder-edge");
     const names = Object.keys(common).sort();
     console.log(names.join() === Object.keys(module).sort().join(), names.every((name) => common[name] === module[name]));`,
  );
  assert.is(await runProgram("same.mjs"), "true true\n");
});

test("strict TypeScript, as module and as CommonJS; what is wrong is refused", () =>
  withTcp(async (address) => {
    const code = `import { ${NAMES}, ${TYPES} } from "pathfinder-edge";${BODY}${MISUSE}`;
    for (const extension of ["mts", "cts"]) writeFileSync(join(project, `typed.${extension}`), code);
    // As `npm install @types/node` would have it.
    for (const name of ["@types/node", "undici-types"]) {
      cpSync(join(root, "node_modules", name), join(project, "node_modules", name), { recursive: true });
    }
    const tsc = (...more: string[]) =>
      spawnSync(
        process.execPath,
        [
          join(root, "node_modules/typescript/bin/tsc"),
          ..."--strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess --target es2022 --lib es2022".split(" "),
          ..."--module nodenext --types node".split(" "),
          ...more,
        ],
        { cwd: project, encoding: "utf8", timeout: LIMIT_MS },
      );
    good(tsc("--skipLibCheck", "false", "typed.mts", "typed.cts"));
    assert.is(await runProgram("typed.mjs", address), SAYS);
    assert.is(await runProgram("typed.cjs", address), SAYS);
    good(tsc("--module", "esnext", "--moduleResolution", "bundler", "--noEmit", "typed.mts"));
  }));

test("the declarations: every one has its words, cites no page that users do not have, and needs no other package", () => {
  const text = readFileSync(join(installed, "dist/types/index.d.ts"), "utf8");
  const without = [...text.matchAll(/^(.*)\ndeclare (?!global|const FAIL_REASONS)(.*)/gm)];
  assert.equal(
    without.filter(([, before]) => !before!.endsWith("*/")).map(([, , what]) => what),
    [],
  );
  assert.not.match(text, /\.md\b|@internal|@types/);
  writeFileSync(
    join(project, "bare.mts"),
    `import { attach, type Domain, type DomainMatch, type LinkPhase, type Match, type ServiceView } from "pathfinder-edge";
     export const domain: Domain = attach("home", { onLinkState: ({ state }) => void (state satisfies LinkPhase) });
     export const view: ServiceView = domain.watch("(a=b)");
     export const say = (match: DomainMatch): string => JSON.stringify(match);
     export const id = (match: Match): bigint => (match.type === "disappeared" ? match.serviceId : match.service.id);
     export const wait = domain.connected({ servers: 2 }).then(() => domain.publish({}).published());
     export const end = domain[Symbol.asyncDispose]();`,
  );
  const LIBS = ["es2022", "es2022,dom,dom.asynciterable", "esnext", "esnext,dom"];
  for (const lib of LIBS) {
    const strict =
      "--noEmit --strict --exactOptionalPropertyTypes --skipLibCheck false --module nodenext --types".split(" ");
    const args = [join(root, "node_modules/typescript/bin/tsc"), ...strict, "", "--target", "es2022", "--lib", lib];
    good(spawnSync(process.execPath, [...args, "bare.mts"], { cwd: project, encoding: "utf8", timeout: LIMIT_MS }));
  }
});

test("the commands are there; what needs the addon says how to get it", () =>
  withTcp(async (address) => {
    const bin = (name: string) => join(project, "node_modules/.bin", name);
    const pafc = runPafd([address, "services"], { command: bin("pafc") });
    assert.is(pafc.status, 0, pafc.stderr);
    for (const [command, ...args] of [
      ["pafd", "-s", "-n", "tcp:127.0.0.1:0"],
      ["pafc", `ux:${freshName()}`, "services"],
    ]) {
      const { status, stdout, stderr } = runPafd(args, { command: bin(command!) });
      assert.is.not(status, 0);
      assert.match(stdout + stderr, "npx pathfinder-edge-addon");
    }
  }));

test("npx pathfinder-edge-addon compiles it: then pafd and ux addresses work", async () => {
  good(npm(project, "exec", "--offline", "--", "pathfinder-edge-addon"));
  const address = `ux:${freshName()}`;
  const command = join(project, "node_modules/.bin/pafd");
  await withPafd([address], async () => assert.is(await runProgram("program.mjs", address), SAYS), { command });
});
test.run();
