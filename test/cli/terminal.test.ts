/** The interactive client in a pseudo-terminal: what a person sees and what the keys do. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runPafc } from "../../src/cli/pafc.js";
import { Session } from "../../src/client/session.js";
import { properties } from "../../src/core/properties.js";
import { fakeServer, HELLO_COMPLETE, type LiveDomain, liveDomain } from "../client/live-domain.js";
import { Terminal } from "../support/terminal.js";
import { endSoon, pythonMissing } from "../support/transport-peers.js";

const test = suite("pafc in a terminal");
const UP = "\x1b[A";
const TAB = "\t";
let live: LiveDomain;
let owner: Session;
let terminal: Terminal | undefined;

test.before.each(async () => {
  live = await liveDomain();
  owner = await Session.connect(live.ux, { clientId: 1n });
});
test.after(endSoon);
test.after.each(() => {
  terminal?.kill();
  owner.close();
  live.close();
});

/** pafc with client id 2a; this file is the program too: see the last lines. */
function open({ columns = 80, env = {} as NodeJS.ProcessEnv, address = live.ux } = {}): Terminal {
  const command = [process.execPath, __filename, "-i", "2a", address];
  terminal = new Terminal(command, columns, 24, { PAFC_TEST: "1", ...env });
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
  await pafc.shows("> ".trimEnd());
  pafc.type("id\r");
  await pafc.shows("> id", "Client Id: 0x2a", ">");
  pafc.type("foo bra\x1b[D\x1b[D\x1b[3~\x1b[3~ar\r");
  await pafc.shows("> id", "Client Id: 0x2a", "> foo bar", "*** Unknown syntax: foo bar", ">");
  pafc.type(`${UP}${UP}`);
  await pafc.shows("> id", "Client Id: 0x2a", "> foo bar", "*** Unknown syntax: foo bar", "> id");
  pafc.type("\r");
  await pafc.until(() => pafc.screen().length === 7, "the second answer");
  pafc.type("quit\r");
  assert.is(await pafc.ends(), 0);
  assert.equal(pafc.screen().slice(4), ["> id", "Client Id: 0x2a", "> quit"]);
  assert.ok(pafc.written.endsWith("\r\n\r\n"), "an empty line at the end");
});

test("TAB completes commands, and topics after help", async () => {
  const pafc = open();
  await pafc.shows(">");
  pafc.type(`vers${TAB}`);
  await pafc.shows("> version");
  pafc.type(`\x15help pub${TAB}`);
  await pafc.shows("> help publish");
  pafc.type(`\x15?unp${TAB}`);
  await pafc.shows("> ?unpublish");
  pafc.type(`\x15s${TAB}${TAB}`);
  await pafc.until(() => pafc.written.includes("services"), "the choices");
  for (const name of ["services", "subscribe", "subscriptions"]) assert.match(pafc.screen().join("\n"), name);
  pafc.type(`\x15publish pub${TAB}`);
  await pafc.until(() => pafc.screen().at(-1) === "> publish pub", "nothing to complete in arguments");
  pafc.type("\x15\x04");
  assert.is(await pafc.ends(), 0);
});

test("lines that are pasted or typed ahead stand behind their prompts", async () => {
  const pafc = open();
  await pafc.shows(">");
  pafc.type("id\rping(\rpublish 1f 0 30 a b\r\n\nunpublish 1f\nversi\x7fion\r\x04");
  assert.is(await pafc.ends(), 0);
  const expected = ["> id", "Client Id: 0x2a", "> ping(", "MS", "OK.", "> publish 1f 0 30 a b", "OK.", ">"];
  const screen = pafc.screen().map((line) => line.replace(/^\d+\.\d ms$/, "MS"));
  assert.equal(screen.slice(0, 10), [...expected, "> unpublish 1f", "OK."]);
  assert.equal(screen.slice(10, 12), ["> version", "Protocol version:"]);
});

test("matches do not garble what is being typed, however long it is and wherever the cursor is", async () => {
  const pafc = open({ columns: 40 });
  await pafc.shows(">");
  pafc.type("subscribe\r");
  await pafc.shows("> subscribe", /^Subscription Id [0-9a-f]+\.$/, "OK.", ">");
  const id = /Id ([0-9a-f]+)/.exec(pafc.screen()[1])![1];
  /** The lines of a match on a screen of 40 columns. */
  const folded = (text: string) => `Subscription ${id}: ${text}`.match(/.{1,40}/g)!.map((line) => line.trimEnd());
  const typed = "publish 20 0 30 name abcdefghijklmnopqrstuvwxyz0123456789 text |å日本|";
  pafc.type(typed);
  const inView = ["> publish 20 0 30 name abcdefghijklmnopq", "rstuvwxyz0123456789 text |å日本|"];
  const before = ["> subscribe", `Subscription Id ${id}.`, "OK."];
  // A wide character takes two columns; the screen of the test counts one.
  await pafc.until(() => pafc.written.includes("本|"), "what was typed");
  await owner.publish(service({ a: "b" }));
  const appeared = folded(
    "Match type: appeared; Service id: 1f; Generation: 0; TTL: 30; Client Id: 0x1; Properties: {'a': 'b'}",
  );
  await pafc.shows(...before, ...appeared, ...inView);
  pafc.type("\x01"); // to the beginning
  pafc.type("\x1b[C\x1b[C"); // two to the right
  await owner.unpublish(0x1fn);
  const disappeared = folded("Match type: disappeared; Service id: 1f");
  await pafc.shows(...before, ...appeared, ...disappeared, ...inView);
  pafc.type("\r");
  await pafc.until(() => pafc.screen().at(-1) === ">", "the answer to publish");
  assert.is((await owner.services("(name=abcdefghijklmnopqrstuvwxyz0123456789)")).length, 1);
  pafc.type("\x04");
  assert.is(await pafc.ends(), 0);
});

test("hostile properties are shown escaped", async () => {
  const pafc = open({ columns: 200 });
  await pafc.shows(">");
  pafc.type("subscribe\r");
  await pafc.until(() => pafc.screen().at(-1) === ">", "the subscription");
  await owner.publish(service({ a: "\x1b[2J\x1b]0;owned\x07\r\u009b" }));
  await pafc.until(
    () => pafc.screen().some((line) => line.endsWith("{'a': '\\x1b[2J\\x1b]0;owned\\x07\\r\\x9b'}")),
    "it",
  );
  assert.not.ok(pafc.written.includes("\x1b[2J"));
  pafc.type("\x03");
  await pafc.ends();
});

test("the server goes: the line is cleared, the message stands alone, status 143", async () => {
  const pafc = open();
  await pafc.shows(">");
  pafc.type("publish 1 0");
  await pafc.shows("> publish 1 0");
  live.domain.close();
  assert.is(await pafc.ends(), 143);
  assert.equal(pafc.screen(), ["Server closed connection"]);
});

/** Starts pafc so that the terminal's settings are shown before and after it, and its exit code. */
function openBetweenSettings(): Terminal {
  const inner = `echo pid $$; exec "$@"`;
  const outer = `stty -g; sh -c '${inner}' sh "$@"; echo code $?; stty -g`;
  const command = ["sh", "-c", outer, "sh", process.execPath, __filename, live.ux];
  terminal = new Terminal(command, 300, 24, { PAFC_TEST: "1" });
  return terminal;
}

test("Ctrl-C leaves with status 130; the terminal is as it was", async () => {
  const pafc = openBetweenSettings();
  await pafc.until(() => pafc.screen().at(-1) === ">", "the prompt");
  pafc.type("pub");
  await pafc.until(() => pafc.screen().at(-1) === "> pub", "what was typed");
  pafc.type("\x03");
  assert.is(await pafc.ends(), 0);
  const [before, , typed, code, after] = pafc.screen();
  assert.equal([typed, code, after], ["> pub^C", "code 130", before]);
});

test("Ctrl-C leaves though a command waits for its answer", async () => {
  const server = await fakeServer((request) => (request["ta-cmd"] === "hello" ? [HELLO_COMPLETE] : []));
  const pafc = open({ address: server.address });
  await pafc.shows(">");
  pafc.type("ping\rid\r");
  await server.connections(1);
  await server.accepted[0].receives(2);
  pafc.type("\x03");
  assert.is(await pafc.ends(), 130);
  assert.equal(pafc.screen(), ["> ping", "^C"]);
  server.close();
});

test("SIGTERM and SIGHUP leave the terminal as it was", async () => {
  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    const pafc = openBetweenSettings();
    await pafc.until(() => pafc.screen().at(-1) === ">", "the prompt");
    process.kill(Number(/pid (\d+)/.exec(pafc.written)![1]), signal);
    assert.is(await pafc.ends(), 0);
    const [before, , shown, after] = pafc.screen();
    assert.equal([shown, after], [`code ${code}`, before]);
  }
});

test("a dumb terminal gets no control sequence", async () => {
  const pafc = open({ env: { TERM: "dumb" } });
  await pafc.shows(">");
  pafc.type("id\n\x04");
  assert.is(await pafc.ends(), 0);
  assert.is(pafc.written, "> id\r\nClient Id: 0x2a\r\n> \r\n");
});

const missing = pythonMissing();
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
