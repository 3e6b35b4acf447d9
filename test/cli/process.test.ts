/** pafc as a process of its own: signals, pipes that end early, and an exit when all is done. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runPafc } from "../../src/cli/pafc.js";
import { Session } from "../../src/client/session.js";
import { properties } from "../../src/core/properties.js";
import { type LiveDomain, liveDomain, soon } from "../client/live-domain.js";
import { Watch } from "../support/transport-peers.js";

const test = suite("pafc process");
let live: LiveDomain;
let owner: Session;

test.before(async () => {
  live = await liveDomain();
  owner = await Session.connect(live.ux, { clientId: 1n });
  await owner.track();
  for (let id = 1n; id <= 2000n; id++) {
    await owner.publish({ id, generation: 0n, ttlSeconds: 30n, properties: properties({ text: "x".repeat(200) }) });
  }
});
test.after(() => {
  owner.close();
  live.close();
});

class Program extends Watch {
  stdout = "";
  stderr = "";
  readonly child: ChildProcess;
  readonly exit: Promise<readonly [number | null, NodeJS.Signals | null]>;

  constructor(command: string, args: readonly string[]) {
    super();
    this.child = spawn(command, args, { env: { ...process.env, PAFC_TEST: "1" }, stdio: ["pipe", "pipe", "pipe"] });
    this.child.stdout!.on("data", (data) => {
      this.stdout += data;
      this.happened();
    });
    this.child.stderr!.on("data", (data) => {
      this.stderr += data;
    });
    const exit = new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) => {
      this.child.on("close", (code, signal) => resolve([code, signal]));
    });
    this.exit = soon(exit, `the end of ${args.slice(-2)}`).catch((error) => {
      this.child.kill("SIGKILL");
      throw error;
    });
  }
}

/** This file is the program too: see the last lines. */
const pafc = (...args: string[]) => new Program(process.execPath, [__filename, ...args]);

/** A shell script in which `pafc` runs pafc. */
const shell = (script: string) =>
  new Program("bash", ["-c", `set -o pipefail; pafc() { "${process.execPath}" "${__filename}" "$@"; }; ${script}`]);

test("a list: exit code 0, and nothing keeps the process", async () => {
  const program = pafc(live.ux, "services");
  assert.equal(await program.exit, [0, null]);
  assert.is(program.stdout.split("\n").length, 2002);
  assert.is(program.stderr, "");
});

test("SIGINT, SIGTERM and SIGHUP end publish and subscribe in order", async () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const publishing = pafc(live.ux, "publish", `name=${signal}`);
    await publishing.until(() => publishing.stdout.endsWith(".\n"), "the service id");
    assert.is((await owner.services(`(name=${signal})`)).length, 1);
    const watching = pafc("--json", live.ux, "subscribe", `(name=${signal})`);
    await watching.until(() => watching.stdout.includes("appeared"), "the match");
    publishing.child.kill(signal);
    assert.equal(await publishing.exit, [0, null], publishing.stderr);
    assert.is((await owner.services(`(name=${signal})`)).length, 0);
    await watching.until(() => watching.stdout.includes("disappeared"), "its end");
    watching.child.kill(signal);
    assert.equal(await watching.exit, [0, null], watching.stderr);
  }
});

test("two signals at once, as timeout(1) sends them, do not keep a benchmark from withdrawing its services", async () => {
  const seen = new Watch();
  let appeared = 0;
  await owner.subscribe(1n, "(name=service-*)", ({ type }) => {
    if (type === "appeared") appeared++;
    seen.happened();
  });
  const program = pafc(live.ux, "bench", "100000", "0");
  await seen.until(() => appeared >= 1000, "the first services");
  program.child.kill("SIGTERM");
  program.child.kill("SIGINT"); // another one: two of a kind may arrive as one
  const [code] = await program.exit;
  assert.ok(code === 143 || code === 130, `${code} ${program.stderr}`);
  assert.is((await owner.services("(name=service-*)")).length, 0);
  await owner.unsubscribe(1n);
});

test("a reader that has seen enough ends it quietly", async () => {
  const list = shell(`pafc ${live.ux} services | head -1`);
  assert.equal(await list.exit, [0, null], list.stderr);
  assert.match(list.stdout, /^ +Service Id .*\n$/);
  const stream = shell(`pafc ${live.ux} subscribe | head -1`);
  assert.equal(await stream.exit, [0, null], stream.stderr);
  assert.match(stream.stdout, /^Subscription [0-9a-f]+: Match type: appeared; Service id: 1; .*\n$/);
  assert.is(list.stderr + stream.stderr, "");
});

test("a full disk is an error", async () => {
  const program = shell(`pafc ${live.ux} services > /dev/full`);
  assert.equal(await program.exit, [1, null]);
  assert.match(program.stderr, /^pafc: standard output can not be written: .*ENOSPC.*\n$/);
});

test("a server that is killed: the client says so and exits with 1", async () => {
  const server = await liveDomain();
  const program = pafc(server.tcp, "publish", "a=b");
  await program.until(() => program.stdout.includes("\n"), "the service id");
  server.close();
  assert.equal(await program.exit, [1, null]);
  assert.match(
    program.stdout,
    /\n(?:Server closed connection|Error communicating .*Connection reset by peer\.\n.*)\n$/,
  );
});

test("interactive, its input still open: the server goes, or a signal comes", async () => {
  const server = await liveDomain();
  const gone = pafc(server.ux);
  await gone.until(() => gone.stdout === "> ", "the prompt");
  server.close();
  assert.equal(await gone.exit, [143, null]);
  assert.is(gone.stdout + gone.stderr, "> Server closed connection\n");
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    const program = pafc(live.ux);
    await program.until(() => program.stdout === "> ", "the prompt");
    program.child.kill(signal);
    assert.equal(await program.exit, [code, null]);
    assert.is(program.stdout + program.stderr, "> ");
  }
});

test("interactive: commands from a pipe, a file and nowhere; a reader that has seen enough", async () => {
  for (const [script, expected] of [
    [`echo id | pafc -i 2a ${live.ux}`, "> Client Id: 0x2a\n> \n"],
    [`pafc -i 2a ${live.ux} < <(printf 'id\nquit\nid\n')`, "> Client Id: 0x2a\n> \n"],
    [`pafc -i 2a ${live.ux} <<< id`, "> Client Id: 0x2a\n> \n"],
    [`pafc ${live.ux} < /dev/null`, "> \n"],
  ] as const) {
    const program = shell(script);
    assert.equal(await program.exit, [0, null], program.stderr);
    assert.is(program.stdout, expected);
  }
  const list = shell(`pafc ${live.ux} | head -1`);
  list.child.stdin!.write("services\n"); // more than a pipe holds; and no end of the input
  assert.equal(await list.exit, [0, null], list.stderr);
  assert.match(list.stdout, /^> +Service Id .*\n$/);
});

test("on a terminal there is colour, unless NO_COLOR says no", async () => {
  if (spawnSync("script", ["--version"]).status !== 0) {
    if (process.env.CI === "true") assert.unreachable("script (util-linux) is missing in CI");
    console.log("skipped the terminal: script(1) is missing (apt install bsdutils)");
    return;
  }
  const onTerminal = (before: string) =>
    new Program("script", [
      "-qec",
      `${before} "${process.execPath}" "${__filename}" ${live.ux} clients; echo code $?`,
      "/dev/null",
    ]);
  const coloured = onTerminal("TERM=xterm NO_COLOR=");
  await coloured.exit;
  assert.match(coloured.stdout, /^\x1b\[1mClient Id .*\x1b\[0m\r\n1 .*code 0\r\n$/s);
  const plain = onTerminal("TERM=xterm NO_COLOR=1");
  await plain.exit;
  assert.match(plain.stdout, /^Client Id [^\x1b]*code 0\r\n$/);
});

if (process.env.PAFC_TEST) {
  runPafc(process.argv.slice(2), process).then((code) => {
    process.exitCode = code;
  });
} else {
  test.run();
}
