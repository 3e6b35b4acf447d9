/** `pafc ADDR top` as a person sees it: the real program on a real pseudo-terminal with a real server. */

import { writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Session } from "../../../src/client/session.js";
import { properties } from "../../../src/core/properties.js";
import { type Pafd, startPafd, withFolder } from "../../support/pafd.js";
import { PseudoTerminal, ptyMissing } from "../../support/pseudo-terminal.js";
import { root } from "../../support/root.js";
import { freshName } from "../../support/transport-peers.js";

const PAFC = join(root, "dist/pafc");
const suiteOfTop = suite("top on a terminal");
const missing = ptyMissing();
if (missing !== undefined) console.log(`Skipped: top on a terminal: ${missing}.`);
const test = missing === undefined ? suiteOfTop : Object.assign(suiteOfTop.skip, suiteOfTop);
const FOOT = "1-4 panes   / filter   s sort   r reverse   ? help   q quit";
const CTRL_C = "\x03";

let address: string;
let pafd: Pafd;
let owner: Session;
let terminal: PseudoTerminal;

test.before.each(async () => {
  address = `ux:${freshName()}`;
  pafd = await startPafd([address]);
  owner = await Session.connect(address, { clientId: 0x2an });
  await owner.track();
});
test.after.each(async () => {
  terminal?.close();
  owner.close();
  await pafd.kill();
});

/** Runs top behind a line of output that must still be there when it has gone. */
function top({ script = 'exec "$@"', options = [] as string[], columns = 80, rows = 24, env = {} } = {}): void {
  const words = [PAFC, "-i", "7", address, "top", "--interval", "0.2", ...options];
  terminal = new PseudoTerminal(["sh", "-c", `echo before; ${script}`, "sh", ...words], { columns, rows, env });
}

const publish = (id: bigint, of: Parameters<typeof properties>[0], generation = 0n, ttlSeconds = 30n) =>
  owner.publish({ id, generation, ttlSeconds, properties: properties(of) });

/** The server has told everything there was at the start. */
const isCurrent = (lines: readonly string[]) => /protocol 3 {3}latency [\d.]+ ms$/.test(lines[0]);

/** Latency and rates change by themselves. */
const still = (lines: readonly string[]) =>
  lines.map((line) => line.replace(/latency [\d.]+ ms/, "latency L ms").replace(/(eared|ified) \d+\.\d/g, "$1 R"));

async function givenBack(exit = 0): Promise<void> {
  assert.is(await terminal.ends(), exit, terminal.output.slice(-500));
  const { screen } = terminal;
  assert.ok(terminal.isRestored, "the terminal's settings");
  assert.equal(
    [screen.isAlternate, screen.isCursorVisible, screen.wraps, screen.style],
    [false, true, true, ""],
    "the terminal's modes",
  );
  assert.equal(screen.lines.slice(0, 1), ["before"]);
}

const blank = (count: number): string[] => Array.from({ length: count }, () => "");

test("the whole picture on 80 x 24, from the services to the help", async () => {
  await publish(0x1fn, { name: "日本語プリンタ", n: 42 });
  await publish(2n ** 63n - 1n, { text: "a\x1b[2J\nb", accent: "e\u0301" }, 1_700_000_000_000n, 3600n);
  top();
  const lines = await terminal.shows(
    (seen) => isCurrent(seen) && /^Services 2 .*clients/.test(seen[1]),
    "two services",
  );
  assert.equal(still(lines), [
    `${address}   protocol 3   latency L ms`,
    "Services 2   orphans 0   subscriptions 1   clients 2",
    "Changes/s: appeared R (0)  modified R (0)  disappeared R (0)",
    "[1 Services] 2 Subscriptions  3 Clients  4 Gateways  by Service Id",
    "     Service Id*           Gen  TTL  Orphan Owner            Properties",
    "              1f             0   30       - 2a               {'name': '日本語プ",
    "7fffffffffffffff 1700000000000 3600       - 2a               {'text': 'a\\x1b[2J\\",
    ...blank(16),
    FOOT,
  ]);
  assert.equal([...new Set(terminal.screen.styles)], ["1", "", "7"], "bold head, reverse header");
  assert.is(terminal.screen.isCursorVisible, false);
  terminal.type("\x1b[C"); // right
  await terminal.shows((seen) => /2a {16}'日本語プリンタ',$/.test(seen[5]), "the last column moved by 8");

  terminal.type("2");
  const second = await terminal.shows((seen) => /^ *[0-9a-f]+ 7 +-$/.test(seen[5]), "the subscription of top");
  assert.match(second[4], /^Subscription Id\* Owner {12}Filter Expression$/);
  terminal.type("\t");
  const third = await terminal.shows((seen) => seen[6].trimStart().startsWith("2a "), "the clients");
  assert.is(third[4], "      Client Id*   Uptime  Idle [s]  Latency [ms]  Ver Remote Address");
  assert.match(third[5], /^ {15}7 {2}0:00:0\d {7}0\.\d {13}- {4}3 ux:[0-9a-f]+$/);
  assert.match(third[1], /subscriptions 1 {3}clients 2$/);
  terminal.type("?");
  const help = await terminal.shows((seen) => seen[23] === "any key: back to the table", "the help");
  assert.is(help[4], "Keys");
  terminal.type("x1");
  await terminal.shows((seen) => seen[3].startsWith("[1 Services]"), "the services again");
  terminal.type("q");
  await givenBack();
});

test("changes, orphans that count down, and rates", async () => {
  await owner.subscribe(1n, "(name=*)", () => {});
  top({ columns: 120, rows: 40 });
  await terminal.shows(isCurrent, "an empty domain");
  await publish(1n, { name: "first" });
  await publish(2n, { name: "second" });
  await publish(2n, { name: "changed" }, 1n);
  await owner.unpublish(1n);
  await terminal.shows(
    (seen) => seen[2].includes("appeared") && /\(2\) .*\(1\) .*\(1\)$/.test(seen[2]) && seen[5].includes("'changed'"),
    "the changes",
  );
  await terminal.shows((seen) => /appeared [1-9.]+\.?\d* \(2\)|appeared 0\.[1-9] /.test(seen[2]), "a rate");
  owner.close();
  const orphan = await terminal.shows((seen) => seen[1].includes("orphans 1"), "the orphan");
  const left = (lines: readonly string[]) =>
    Number(/^ {15}2 {4}1 {3}30 +(\d+) 2a {15}\{'name': 'changed'\}$/.exec(lines[5])?.[1]);
  const atFirst = left(orphan);
  assert.ok(atFirst > 0 && atFirst <= 30, orphan[5]);
  await terminal.shows((seen) => left(seen) < atFirst, "the count going down");
  terminal.type(CTRL_C);
  await givenBack();
});

test("scrolling, sorting, a filter, and a window that changes its size", async () => {
  await Promise.all(Array.from({ length: 100 }, (_, i) => publish(BigInt(i + 1), { n: 1000 - i })));
  top();
  const ids = (lines: readonly string[]) => lines.slice(5, -1).map((line) => Number.parseInt(line.trim(), 16));
  await terminal.shows((seen) => ids(seen)[17] === 18, "the first page");
  terminal.type("\x1b[6~"); // page down
  await terminal.shows((seen) => ids(seen)[0] === 19, "the second page");
  terminal.type("\x1b[B\x1b[B\x1b[A"); // down, down, up
  await terminal.shows((seen) => ids(seen)[0] === 20, "one more");
  terminal.type("\x1b[F"); // end
  await terminal.shows((seen) => ids(seen)[17] === 100, "the last page");
  terminal.resize(120, 40);
  await terminal.shows(
    (seen) => ids(seen).length === 34 && ids(seen)[33] === 100 && seen[39] === FOOT,
    "a larger page",
  );
  terminal.resize(40, 10);
  const small = await terminal.shows(
    (seen) => ids(seen)[0] === 67 && ids(seen).length === 4 && seen[9].startsWith("1-4 panes"),
    "a small page",
  );
  assert.is(small.length, 10);
  terminal.resize(80, 24);
  terminal.type("\x1b[F\x1b[H"); // end and home in one
  await terminal.shows((seen) => ids(seen)[0] === 1, "the first page again");
  terminal.type("sssss");
  await terminal.shows(
    (seen) => seen[3].includes("by Properties") && ids(seen)[0] === 1,
    "1000 sorts before 901 as text",
  );
  terminal.type("r");
  await terminal.shows((seen) => seen[3].includes("(down)") && ids(seen)[0] === 2, "999 first");
  terminal.type("/': 95x\x7f"); // backspace
  await terminal.shows((seen) => seen[23].startsWith("/': 95_") && ids(seen)[9] === 0x33, "only 950 to 959");
  terminal.type("\r");
  await terminal.shows((seen) => seen[23] === `10 with "': 95"   Esc shows all   ? help   q quit`, "the filter stays");
  terminal.type("\x1b");
  await terminal.shows((seen) => seen[23] === FOOT && ids(seen).length === 18, "all services");
  terminal.type("q");
  await givenBack();
});

test("SIGTERM, SIGHUP and SIGINT give the terminal back", async () => {
  for (const name of ["SIGTERM", "SIGHUP", "SIGINT"] as const) {
    top();
    await terminal.shows((seen) => seen[23] === FOOT, "the picture");
    terminal.signal(constants.signals[name]);
    await givenBack();
  }
});

test("a server that dies and comes back", async () => {
  await publish(1n, { name: "old" });
  top();
  await terminal.shows((seen) => seen[5].includes("'old'"), "the service");
  await pafd.stop("SIGKILL");
  const lost = await terminal.shows((seen) => seen[23].startsWith("connection lost, retrying"), "the loss");
  assert.is(lost[0], `${address}   no connection`);
  assert.ok(lost[5].includes("'old'"), "what was known stays");
  pafd = await startPafd([address]);
  owner = await Session.connect(address, { clientId: 0x2an });
  await publish(2n, { name: "new" });
  const again = await terminal.shows(
    (seen) => seen[23] === FOOT && seen[5].includes("'new'"),
    "the new server's services",
  );
  assert.match(again[1], /^Services 1 /);
  await pafd.stop("SIGKILL");
  await terminal.shows((seen) => seen[23].startsWith("connection lost, retrying"), "the second loss");
  terminal.type("q");
  await givenBack();
});

test("a server that is stopped counts as lost after --timeout", async () => {
  top({ columns: 120, options: ["--timeout", "0.5"] });
  await terminal.shows((seen) => seen[23] === FOOT, "the picture");
  pafd.child.kill("SIGSTOP");
  const lost = await terminal.shows((seen) => seen[23].startsWith("connection lost, retrying"), "the loss");
  assert.match(lost[23], /^connection lost, retrying (in 1 s|now)… ux:\S+: no answer within 0\.5 s/);
  pafd.child.kill("SIGCONT");
  await terminal.shows((seen) => seen[23] === FOOT, "the connection again");
  terminal.type(CTRL_C);
  await givenBack();
});

test("Ctrl-Z gives the terminal to the shell until fg", async () => {
  top({ script: 'set -m; "$@"; echo stopped; read line; echo "read $line"; fg' });
  await terminal.shows((seen) => seen[23] === FOOT, "the picture");
  terminal.type("\x1a");
  await terminal.shows((seen) => seen[1] === "stopped", "the shell");
  assert.equal([terminal.screen.isAlternate, terminal.screen.isCursorVisible], [false, true]);
  terminal.type("hello\r"); // echoed, and a line because of the carriage return: the terminal is as it was
  await terminal.shows((seen) => seen[23] === FOOT, "the picture again");
  terminal.type("q");
  assert.is(await terminal.ends(), 0);
  assert.equal(terminal.screen.lines.slice(0, 4), ["before", "stopped", "hello", "read hello"]);
  await givenBack();
});

test("so does a SIGTSTP from elsewhere, and after a SIGSTOP the picture comes back", async () => {
  top({ script: `set -m; sh -c 'echo pid $$; exec "$@"' sh "$@"; echo stopped; read line; fg; fg`, columns: 300 });
  await terminal.shows((seen) => seen[23] === FOOT, "the picture");
  const pid = Number(/pid (\d+)/.exec(terminal.output)![1]);
  process.kill(pid, "SIGTSTP");
  await terminal.shows((seen) => seen.includes("stopped"), "the shell");
  assert.equal([terminal.screen.isAlternate, terminal.screen.isCursorVisible], [false, true]);
  terminal.type("hello\r");
  await terminal.shows((seen) => seen[23] === FOOT, "the picture again");
  const soFar = terminal.output.length;
  process.kill(pid, "SIGSTOP");
  await terminal.shows((seen) => terminal.output.indexOf(FOOT, soFar) > 0 && seen[23] === FOOT, "it once more");
  terminal.type("q");
  assert.is(await terminal.ends(), 0);
  await givenBack();
});

test("a bug gives the terminal back before it is reported", async () => {
  await withFolder(async (folder) => {
    const bug = join(folder, "bug.cjs");
    writeFileSync(bug, `process.on("SIGUSR2", () => { throw new Error("a bug"); });`);
    top({ env: { NODE_OPTIONS: `--require ${bug}` } });
    await terminal.shows((seen) => seen[23] === FOOT, "the picture");
    terminal.signal(constants.signals.SIGUSR2);
    await givenBack(1);
    assert.match(terminal.lines.join("\n"), /^before\n(?:.*\n)*Error: a bug/);
  });
});

test("a terminal that hangs up ends it as it ends others, and not by an abort", async () => {
  top();
  await terminal.shows((seen) => seen[23] === FOOT, "the picture");
  terminal.hangUp();
  assert.is(await terminal.ends(), -constants.signals.SIGHUP);
});

test("with NO_COLOR nothing is bold or reversed", async () => {
  top({ env: { NO_COLOR: "1" } });
  await terminal.shows((seen) => seen[23] === FOOT, "the picture");
  assert.equal([...new Set(terminal.screen.styles)], [""]);
  terminal.type("q");
  await givenBack();
});

test("no connection at first: an error, and the terminal is not touched", async () => {
  await pafd.stop();
  top();
  await givenBack(1);
  assert.match(terminal.output, /^before\r\nError communicating with Patherfinder server: \[Errno 111\]/);
  assert.not.match(terminal.output, /\x1b/);
});

test.run();
