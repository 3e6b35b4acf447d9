/** The interactive client in a pseudo-terminal: what a person sees and what the keys do. */

import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runPafc } from "../../src/cli/pafc.js";
import { Session } from "../../src/client/session.js";
import { properties } from "../../src/core/properties.js";
import { fakeServer, HELLO_COMPLETE, type LiveDomain, liveDomain } from "../client/live-domain.js";
import { withFolder } from "../support/pafd.js";
import { PseudoTerminal, ptyMissing } from "../support/pseudo-terminal.js";
import { endSoon } from "../support/transport-peers.js";

const test = suite("pafc in a terminal");
const UP = "\x1b[A";
const TAB = "\t";
let live: LiveDomain;
let owner: Session;
let terminal: PseudoTerminal | undefined;

test.before.each(async () => {
  live = await liveDomain();
  owner = await Session.connect(live.ux, { clientId: 1n });
});
test.after(endSoon);
test.after.each(() => {
  terminal?.close();
  owner.close();
  live.close();
});

/** What pafc runs with: this file is the program too, see the last lines. */
const environmentOf = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  PAFC_TEST: "1",
  TERM: "xterm",
  NO_COLOR: "1",
  PAFC_HISTORY: "",
  ...more,
});

/** pafc with client id 2a. */
function open({ columns = 80, env = {} as NodeJS.ProcessEnv, address = live.ux } = {}): PseudoTerminal {
  const command = [process.execPath, __filename, "-i", "2a", address];
  terminal = new PseudoTerminal(command, { columns, env: environmentOf(env) });
  return terminal;
}

const service = (of: Parameters<typeof properties>[0], generation = 0n) => ({
  id: 0x1fn,
  generation,
  ttlSeconds: 30n,
  properties: properties(of),
});

test("commands, history, editing, and an end that leaves a clean line", async () => {
  const pafc = open();
  await pafc.reads("> ".trimEnd());
  pafc.type("id\r");
  await pafc.reads("> id", "Client Id: 0x2a", ">");
  pafc.type("foo bra\x1b[D\x1b[D\x1b[3~\x1b[3~ar\r");
  await pafc.reads("> id", "Client Id: 0x2a", "> foo bar", "*** Unknown syntax: foo bar", ">");
  pafc.type(`${UP}${UP}`);
  await pafc.reads("> id", "Client Id: 0x2a", "> foo bar", "*** Unknown syntax: foo bar", "> id");
  pafc.type("\r");
  await pafc.until(() => pafc.lines.length === 7, "the second answer");
  pafc.type("quit\r");
  assert.is(await pafc.ends(), 0);
  assert.equal(pafc.lines.slice(4), ["> id", "Client Id: 0x2a", "> quit"]);
  assert.ok(pafc.output.endsWith("\r\n\r\n"), "an empty line at the end");
});

test("the history of one run is there in the next", async () => {
  await withFolder(async (folder) => {
    const env = { PAFC_HISTORY: join(folder, "history") };
    for (const expected of ["> id", "> ping"]) {
      const pafc = open({ env });
      await pafc.reads(">");
      if (expected === "> id") pafc.type("ping\rid\r\x04");
      else {
        pafc.type(UP);
        await pafc.reads("> id");
        pafc.type(UP);
        await pafc.reads(expected);
        pafc.type("\x15\x04");
      }
      assert.is(await pafc.ends(), 0);
    }
    const unwritable = open({ env: { PAFC_HISTORY: "/dev/null/history" } });
    await unwritable.reads(">");
    unwritable.type("id\r");
    await unwritable.reads("> id", "Client Id: 0x2a", ">");
    unwritable.type("\x04");
    assert.is(await unwritable.ends(), 0);
  });
});

test("TAB completes commands, and topics after help", async () => {
  const pafc = open();
  await pafc.reads(">");
  pafc.type(`vers${TAB}`);
  await pafc.reads("> version");
  pafc.type(`\x15help pub${TAB}`);
  await pafc.reads("> help publish");
  pafc.type(`\x15?unp${TAB}`);
  await pafc.reads("> ?unpublish");
  pafc.type(`\x15s${TAB}${TAB}`);
  await pafc.until(() => pafc.output.includes("services"), "the choices");
  for (const name of ["services", "subscribe", "subscriptions"]) assert.match(pafc.lines.join("\n"), name);
  pafc.type(`\x15publish pub${TAB}`);
  await pafc.until(() => pafc.lines.at(-1) === "> publish pub", "nothing to complete in arguments");
  pafc.type("\x15\x04");
  assert.is(await pafc.ends(), 0);
});

test("lines that are pasted or typed ahead stand behind their prompts", async () => {
  const pafc = open();
  await pafc.reads(">");
  pafc.type("id\rping(\rpublish 1f 0 30 a b\r\n\nunpublish 1f\nversi\x7fion\r\x04");
  assert.is(await pafc.ends(), 0);
  const expected = ["> id", "Client Id: 0x2a", "> ping(", "MS", "OK.", "> publish 1f 0 30 a b", "OK.", ">"];
  const screen = pafc.lines.map((line) => line.replace(/^\d+\.\d ms$/, "MS"));
  assert.equal(screen.slice(0, 10), [...expected, "> unpublish 1f", "OK."]);
  assert.equal(screen.slice(10, 12), ["> version", "Protocol version:"]);
});

test("matches do not garble what is being typed, however long it is and wherever the cursor is", async () => {
  const pafc = open({ columns: 40 });
  await pafc.reads(">");
  pafc.type("subscribe\r");
  await pafc.reads("> subscribe", /^Subscription Id [0-9a-f]+\.$/, "OK.", ">");
  const id = /Id ([0-9a-f]+)/.exec(pafc.lines[1])![1];
  /** The lines of a match on a screen of 40 columns. */
  const folded = (text: string) => `Subscription ${id}: ${text}`.match(/.{1,40}/g)!.map((line) => line.trimEnd());
  const typed = "publish 20 0 30 name abcdefghijklmnopqrstuvwxyz0123456789 text |å日本|";
  pafc.type(typed);
  const inView = ["> publish 20 0 30 name abcdefghijklmnopq", "rstuvwxyz0123456789 text |å日本|"];
  const before = ["> subscribe", `Subscription Id ${id}.`, "OK."];
  await pafc.until(() => pafc.output.includes("本|"), "what was typed");
  await owner.publish(service({ a: "b" }));
  const appeared = folded(
    "Match type: appeared; Service id: 1f; Generation: 0; TTL: 30; Client Id: 0x1; Properties: {'a': 'b'}",
  );
  await pafc.reads(...before, ...appeared, ...inView);
  pafc.type("\x01"); // to the beginning
  pafc.type("\x1b[C\x1b[C"); // two to the right
  await owner.unpublish(0x1fn);
  const disappeared = folded("Match type: disappeared; Service id: 1f");
  await pafc.reads(...before, ...appeared, ...disappeared, ...inView);
  pafc.type("\r");
  await pafc.until(() => pafc.lines.at(-1) === ">", "the answer to publish");
  assert.is((await owner.services("(name=abcdefghijklmnopqrstuvwxyz0123456789)")).length, 1);
  pafc.type("\x04");
  assert.is(await pafc.ends(), 0);
});

test("hostile properties are shown escaped", async () => {
  const pafc = open({ columns: 200 });
  await pafc.reads(">");
  pafc.type("subscribe\r");
  await pafc.until(() => pafc.lines.at(-1) === ">", "the subscription");
  await owner.publish(service({ a: "\x1b[2J\x1b]0;owned\x07\r\u009b" }));
  await pafc.until(() => pafc.lines.some((line) => line.endsWith("{'a': '\\x1b[2J\\x1b]0;owned\\x07\\r\\x9b'}")), "it");
  assert.not.ok(pafc.output.includes("\x1b[2J"));
  pafc.type("\x03");
  await pafc.ends();
});

test("the server goes: the line is cleared, the message stands alone, status 143", async () => {
  const pafc = open();
  await pafc.reads(">");
  pafc.type("publish 1 0");
  await pafc.reads("> publish 1 0");
  live.domain.close();
  assert.is(await pafc.ends(), 143);
  assert.equal(pafc.lines, ["Server closed connection"]);
});

/** Starts pafc from a shell, which is the leader of the terminal. */
function openIn(script: string, columns = 80): PseudoTerminal {
  const command = ["bash", "--norc", "-c", script, "bash", process.execPath, __filename, "-i", "2a", live.ux];
  terminal = new PseudoTerminal(command, { columns, env: environmentOf() });
  return terminal;
}

/** Shows the terminal's settings before pafc and after it, its process id and its exit code. */
function openBetweenSettings(): PseudoTerminal {
  const inner = `echo pid $$; exec "$@"`;
  return openIn(`stty -g; sh -c '${inner}' sh "$@"; echo code $?; stty -g`, 300);
}

test("Ctrl-C leaves with status 130; the terminal is as it was", async () => {
  const pafc = openBetweenSettings();
  await pafc.until(() => pafc.lines.at(-1) === ">", "the prompt");
  pafc.type("pub");
  await pafc.until(() => pafc.lines.at(-1) === "> pub", "what was typed");
  pafc.type("\x03");
  assert.is(await pafc.ends(), 0);
  const [before, , typed, code, after] = pafc.lines;
  assert.equal([typed, code, after], ["> pub^C", "code 130", before]);
});

test("Ctrl-C leaves though a command waits for its answer", async () => {
  const server = await fakeServer((request) => (request["ta-cmd"] === "hello" ? [HELLO_COMPLETE] : []));
  const pafc = open({ address: server.address });
  await pafc.reads(">");
  pafc.type("ping\rid\r");
  await server.connections(1);
  await server.accepted[0].receives(2);
  pafc.type("\x03");
  assert.is(await pafc.ends(), 130);
  assert.equal(pafc.lines, ["> ping", "^C"]);
  server.close();
});

test("SIGTERM and SIGHUP leave the terminal as it was", async () => {
  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    const pafc = openBetweenSettings();
    await pafc.until(() => pafc.lines.at(-1) === ">", "the prompt");
    process.kill(Number(/pid (\d+)/.exec(pafc.output)![1]), signal);
    assert.is(await pafc.ends(), 0);
    const [before, , shown, after] = pafc.lines;
    assert.equal([shown, after], [`code ${code}`, before]);
  }
});

test("Ctrl-Z gives the terminal to the shell; after fg the line goes on where it was", async () => {
  const pafc = openIn('set -m; "$@"; stty -a | grep -o " icanon"; read line; fg', 300);
  await pafc.reads(">");
  pafc.type("publish 5 0 3");
  await pafc.reads("> publish 5 0 3");
  pafc.type("\x1a");
  await pafc.shows((lines) => lines.includes(" icanon"), "the shell, in a terminal that reads lines");
  pafc.type("to the shell\r");
  await pafc.shows(() => pafc.lines.at(-1) === "> publish 5 0 3", "the prompt again");
  assert.is(pafc.lines[0], "> publish 5 0 3^Z");
  pafc.type("0\r");
  await pafc.shows(() => pafc.lines.at(-2) === "OK.", "the answer");
  assert.is(pafc.lines.at(-3), "> publish 5 0 30", "typed once, shown once");
  pafc.type("\x04");
  assert.is(await pafc.ends(), 0);
  assert.ok(pafc.isRestored);
});

test("Ctrl-Z, SIGTSTP and SIGSTOP all end with a prompt that works", async () => {
  const pafc = openIn(`set -m; sh -c 'echo pid $$; exec "$@"' sh "$@"; fg; fg; fg`, 300);
  await pafc.shows(() => pafc.lines.at(-1) === ">", "the prompt");
  const pid = Number(/pid (\d+)/.exec(pafc.output)![1]);
  const stops: readonly (() => void)[] = [
    () => pafc.type("\x1a"),
    () => process.kill(pid, "SIGTSTP"),
    () => process.kill(pid, "SIGSTOP"),
  ];
  for (const [i, stop] of stops.entries()) {
    stop();
    const isBack = () => pafc.output.match(/Stopped/g)?.length === i + 1 && pafc.lines.at(-1) === ">";
    await pafc.shows(isBack, `the prompt after stop ${i}`);
    pafc.type("id\r");
    await pafc.shows(() => pafc.lines.at(-1) === ">" && pafc.lines.at(-2) === "Client Id: 0x2a", "an answer");
    assert.is(pafc.lines.at(-3), "> id", "shown once");
  }
  pafc.type("\x04");
  await pafc.ends();
  assert.ok(pafc.isRestored);
});

test("a dumb terminal gets no control sequence", async () => {
  const pafc = open({ env: { TERM: "dumb" } });
  await pafc.reads(">");
  pafc.type("id\n\x04");
  assert.is(await pafc.ends(), 0);
  assert.is(pafc.output, "> id\r\nClient Id: 0x2a\r\n> \r\n");
});

const missing = ptyMissing();
if (process.env.PAFC_TEST) {
  runPafc(process.argv.slice(2), process).then((code) => {
    process.exitCode = code;
  });
} else if (missing) {
  console.log(`skipped pafc in a terminal: ${missing}`);
  test.skip("a terminal", () => {});
  test.run();
} else {
  test.run();
}
