import { spawn } from "node:child_process";
import {
  closeSync,
  constants,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT_CONFIG, type LogConfig } from "../../../src/daemon/config/config.js";
import { LogSetupError, openLog } from "../../../src/daemon/log/daemon-log.js";
import { DescriptorWriter } from "../../../src/daemon/log/descriptor-writer.js";
import { escapeText, MAX_TEXT_LENGTH } from "../../../src/daemon/log/escape.js";
import { Losses } from "../../../src/daemon/log/losses.js";

const CHILD = process.env.PAFD_LOG_TEST_CHILD;

/** What the child process does whose standard error is a pipe that breaks. */
function writeUntilTheReaderIsGone(): void {
  const log = openLog({ ...DEFAULT_CONFIG.log, console: true, syslog: false });
  log.info(() => "first");
  process.stdin.resume();
  process.stdin.on("end", () => {
    for (let i = 0; i < 1000; i++) log.error(() => "into the void");
    process.stdout.write("survived\n");
  });
}

/** A log that writes into an array of lines instead of descriptors. */
function fixture(settings: Partial<LogConfig>) {
  const written: string[] = [];
  const write = (fd: number, bytes: Uint8Array) => {
    written.push(`${fd === 2 ? "" : "file: "}${Buffer.from(bytes)}`);
    return bytes.length;
  };
  const log = openLog({ ...DEFAULT_CONFIG.log, syslog: false, ...settings }, { write });
  return { log, written };
}

function atEveryLevel(log: ReturnType<typeof openLog>): void {
  log.debug(() => "d");
  log.info(() => "i");
  log.warning(() => "w");
  log.error(() => "e");
}

const D = "DEBUG:root:d\n";
const I = "INFO:root:i\n";
const W = "WARNING:root:w\n";
const E = "ERROR:root:e\n";
for (const [settings, expected] of [
  [{ console: true }, [I, W, E]],
  [{ console: true, filter: "debug" }, [D, I, W, E]],
  [{ console: true, filter: "warning" }, [W, E]],
  [{ console: true, filter: "error" }, [E]],
  [{ console: true, filter: "critical" }, []],
  [{}, ["w\n", "e\n"]],
  [{ filter: "debug" }, ["w\n", "e\n"]],
  [{ filter: "error" }, ["e\n"]],
  [{ filter: "critical" }, []],
] as const) {
  test(`${JSON.stringify(settings)} writes ${expected.length} lines`, () => {
    const { log, written } = fixture(settings);
    atEveryLevel(log);
    assert.equal(written, expected);
  });
}

test("a text below the level is never built", () => {
  const { log } = fixture({ console: true });
  let built = 0;
  const text = () => `${++built}`;
  log.debug(text);
  const silent = fixture({ filter: "debug" }).log;
  silent.info(text);
  assert.is(built, 0);
  silent.warning(text);
  assert.is(built, 1);
});

test("a text that cannot be built costs a line and nothing else", () => {
  const { log, written } = fixture({ console: true });
  log.error(() => {
    throw new Error("oops");
  });
  assert.equal(written, ["ERROR:root:(a log message could not be built: Error: oops)\n"]);
});

for (const [text, expected] of [
  ["plain text, ümläut, 漢字, 🙂, C:\\path", "plain text, ümläut, 漢字, 🙂, C:\\path"],
  ["a\nERROR:root:forged", "a\\nERROR:root:forged"],
  ["a\r\nb\tc", "a\\r\\nb\\tc"],
  ["\x00\x07\x1b[31mred\x7f", "\\x00\\x07\\x1b[31mred\\x7f"],
  ["\x85\x9b31m", "\\x85\\x9b31m"],
  ["a\u2028b\u2029c", "a\\u2028b\\u2029c"],
  ["\u202egnp.exe\u2066\ufeff", "\\u202egnp.exe\\u2066\\ufeff"],
] as const) {
  test(`${JSON.stringify(text)} is written as ${expected}`, () => {
    assert.is(escapeText(text), expected);
    const { log, written } = fixture({ console: true });
    log.info(() => text);
    assert.equal(written, [`INFO:root:${expected}\n`]);
  });
}

test("no text makes two lines, whatever its characters", () => {
  for (let code = 0; code <= 0xffff; code++) {
    const line = escapeText(String.fromCharCode(code));
    // What Unicode and terminals take for the end of a line (UAX 14: BK, CR, LF, NL), and the controls.
    assert.not.match(line, /[\n\v\f\r\x85\u2028\u2029\x00-\x1f\x7f-\x9f]/, `U+${code.toString(16)}`);
  }
});

test("a text that is too long is cut, and says so", () => {
  assert.is(escapeText("x".repeat(MAX_TEXT_LENGTH)).length, MAX_TEXT_LENGTH);
  assert.match(escapeText("x".repeat(MAX_TEXT_LENGTH + 7)), /x… \(7 characters more\)$/);
});

test("a log file is appended to, without level", () => {
  const folder = mkdtempSync(join(tmpdir(), "pafd-log-"));
  const file = join(folder, "pafd.log");
  try {
    const first = openLog({ ...DEFAULT_CONFIG.log, syslog: false, file });
    atEveryLevel(first);
    first.close();
    first.close();
    const second = openLog({ ...DEFAULT_CONFIG.log, syslog: false, file });
    second.error(() => "again\nagain");
    second.close();
    second.debug(() => "after the end");
    assert.is(readFileSync(file, "utf8"), "i\nw\ne\nagain\\nagain\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a log file that cannot be opened is refused as the reference words it", () => {
  const refusal = (settings: Partial<LogConfig>) => {
    try {
      openLog({ ...DEFAULT_CONFIG.log, syslog: false, ...settings });
    } catch (e) {
      if (e instanceof LogSetupError) return e.message;
      throw e;
    }
    return "";
  };
  assert.is(
    refusal({ file: "/nonexistent/log" }),
    "Error configuring logging: [Errno 2] No such file or directory: '/nonexistent/log'.",
  );
  assert.is(refusal({ file: "/" }), "Error configuring logging: [Errno 21] Is a directory: '/'.");
});

test("a full disk is told of once, on the console, and the log goes on", () => {
  const consoleLines: string[] = [];
  const write = (fd: number, bytes: Uint8Array) => {
    if (fd !== 2) throw Object.assign(new Error("full"), { code: "ENOSPC" });
    consoleLines.push(Buffer.from(bytes).toString());
    return bytes.length;
  };
  const log = openLog({ ...DEFAULT_CONFIG.log, syslog: false, file: "/dev/full" }, { write });
  for (let i = 0; i < 3; i++) log.error(() => "x");
  log.close();
  assert.equal(consoleLines, ["ERROR:root:Log file '/dev/full' takes no more lines: ENOSPC.\n"]);
});

test("/dev/full itself does not stop the log", () => {
  const log = openLog({ ...DEFAULT_CONFIG.log, syslog: false, file: "/dev/full" }, { consoleFd: -1 });
  log.error(() => "x");
  log.close();
});

test("lines that are not taken are counted, and the count comes with the next that is", () => {
  const taken: string[] = [];
  let answer: "all" | "none" | number = "none";
  const losses: string[] = [];
  const writer = new DescriptorWriter(9, new Losses((code) => losses.push(code)), (_, bytes) => {
    if (answer === "none") throw Object.assign(new Error("busy"), { code: "EAGAIN" });
    const count = answer === "all" ? bytes.length : answer;
    if (answer !== "all") answer = "none";
    taken.push(Buffer.from(bytes.subarray(0, count)).toString());
    return count;
  });
  writer.writeLine("one");
  writer.writeLine("two");
  assert.equal(losses, ["EAGAIN"]);
  answer = "all";
  writer.writeLine("three");
  assert.is(taken.join(""), "(2 log lines lost)\nthree\n");
  answer = 2;
  writer.writeLine("four");
  answer = "all";
  writer.writeLine("five");
  assert.is(taken.join(""), "(2 log lines lost)\nthree\nfo\n(1 log lines lost)\nfive\n");
  assert.equal(losses, ["EAGAIN", "EAGAIN"]);
});

test("a full pipe that does not block loses lines, not the process", async () => {
  const folder = mkdtempSync(join(tmpdir(), "pafd-log-"));
  const fifo = join(folder, "fifo");
  await new Promise((resolve) => spawn("mkfifo", [fifo]).on("exit", resolve));
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const log = openLog({ ...DEFAULT_CONFIG.log, console: true, syslog: false }, { consoleFd: fd });
    const line = "x".repeat(1000);
    for (let i = 0; i < 200; i++) log.info(() => line); // a pipe holds 64 KiB
    const bytes = Buffer.alloc(1_000_000);
    readSync(fd, bytes);
    log.info(() => "room again");
    const rest = bytes.subarray(0, readSync(fd, bytes)).toString();
    assert.match(rest, /\(1[0-9][0-9] log lines lost\)\nINFO:root:room again\n$/);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
});

test("where standard error is the journal, lines carry their priority instead of their level", () => {
  const folder = mkdtempSync(join(tmpdir(), "pafd-log-"));
  const path = join(folder, "stderr");
  const fd = openSync(path, "a");
  const { dev, ino } = fstatSync(fd);
  const written = (stream: string, settings: Partial<LogConfig>) => {
    truncateSync(path);
    process.env.JOURNAL_STREAM = stream;
    atEveryLevel(openLog({ ...DEFAULT_CONFIG.log, syslog: false, ...settings }, { consoleFd: fd }));
    return readFileSync(path, "utf8");
  };
  try {
    const journal = `${dev}:${ino}`;
    assert.is(written(journal, { console: true, filter: "debug" }), "<7>d\n<6>i\n<4>w\n<3>e\n");
    assert.is(written(journal, {}), "<4>w\n<3>e\n");
    for (const other of [`${dev}:${ino + 1}`, `${dev + 1}:${ino}`, "", "x"]) {
      assert.is(written(other, { console: true, filter: "error" }), E, `JOURNAL_STREAM=${other}`);
    }
  } finally {
    delete process.env.JOURNAL_STREAM;
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
});

test("standard error whose reader is gone does not end the process", async () => {
  const child = spawn(process.execPath, [__filename], {
    env: { ...process.env, PAFD_LOG_TEST_CHILD: "1" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const guard = setTimeout(() => child.kill("SIGKILL"), 20_000);
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.once("data", (data) => {
    assert.is(String(data), "INFO:root:first\n");
    child.stderr.destroy();
    child.stderr.once("close", () => child.stdin.end());
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearTimeout(guard);
  assert.is(output, "survived\n");
  assert.is(code, 0);
});

if (CHILD) writeUntilTheReaderIsGone();
else test.run();
