/** The log file: rotation, and what can happen to a file and its disk while it is open. */

import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LogFile, type LogFileOptions } from "../../../src/daemon/log/log-file.js";
import { FakeClock } from "../../support/fake-clock.js";
import { withFolder } from "../../support/pafd.js";
import { openDescriptors, pythonMissing } from "../../support/transport-peers.js";

interface Fixture {
  readonly folder: string;
  readonly path: string;
  readonly clock: FakeClock;
  /** What was said about failures. */
  readonly troubles: string[];
  /** The log file as it is now: opened again after `close`. */
  readonly write: (...lines: string[]) => void;
  readonly close: () => void;
  /** Contents by name, of all files in the folder. */
  readonly files: () => Record<string, string>;
}

function inFolder(folder: string, settings: Partial<LogFileOptions>, body: (fixture: Fixture) => void): void {
  const path = join(folder, "log");
  const clock = new FakeClock();
  const troubles: string[] = [];
  const onTrouble = (_: unknown, text: string) => troubles.push(text.replaceAll(folder, "."));
  let file: LogFile | undefined;
  const close = () => {
    file?.close();
    file = undefined;
  };
  const before = openDescriptors();
  try {
    body({
      ...{ folder, path, clock, troubles, close },
      write(...lines) {
        file ??= new LogFile(path, { backups: 3, maxBytes: 20, clock, onTrouble, ...settings });
        for (const line of lines) file.write("info", line);
      },
      files: () =>
        Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")])),
    });
  } finally {
    close();
  }
  assert.is(openDescriptors(), before);
}

/** Runs `body` with a log file (3 backups, 20 bytes unless set otherwise) in a folder of its own. */
const withFile = (settings: Partial<LogFileOptions>, body: (fixture: Fixture) => void) =>
  withFolder((folder) => inFolder(folder, settings, body));

test("a line that would make the file exceed its size begins a new one; the oldest goes", () =>
  withFile({}, ({ write, files, troubles }) => {
    write("aaaaaaaaa", "bbbbbbbbb"); // 20 bytes: just allowed
    assert.equal(files(), { log: "aaaaaaaaa\nbbbbbbbbb\n" });
    write("c");
    assert.equal(files(), { log: "c\n", "log.1": "aaaaaaaaa\nbbbbbbbbb\n" });
    for (const letter of ["d", "e", "f"]) write(letter.repeat(19));
    assert.equal(files(), {
      log: `${"f".repeat(19)}\n`,
      "log.1": `${"e".repeat(19)}\n`,
      "log.2": `${"d".repeat(19)}\n`,
      "log.3": "c\n",
    });
    assert.equal(troubles, []);
  }));

test("bytes count, not characters", () =>
  withFile({}, ({ write, files }) => {
    write("漢漢漢漢漢漢", "a");
    assert.equal(files(), { log: "a\n", "log.1": "漢漢漢漢漢漢\n" });
  }));

test("without backups the file grows", () =>
  withFile({ backups: 0 }, ({ write, files }) => {
    for (let i = 0; i < 10; i++) write("0123456789");
    assert.equal(files(), { log: "0123456789\n".repeat(10) });
  }));

test("what was there before a restart counts", () =>
  withFile({}, ({ write, close, files, path }) => {
    for (let i = 0; i < 3; i++) {
      write(`start ${i}..`); // two of 11 bytes do not fit
      close();
    }
    assert.equal(files(), { log: "start 2..\n", "log.1": "start 0..\nstart 1..\n" });
    writeFileSync(path, "x".repeat(1000));
    write("new");
    assert.equal(files()["log.1"].length, 1000);
    assert.is(files().log, "new\n");
  }));

test("a line longer than the size is written whole, to a file of its own", () =>
  withFile({}, ({ write, files }) => {
    const long = "l".repeat(100);
    write(long, "a", long, "b");
    assert.equal(files(), { log: "b\n", "log.1": `${long}\n`, "log.2": "a\n", "log.3": `${long}\n` });
  }));

test("mode 0640, also of the files that follow", () =>
  withFile({}, ({ write, folder }) => {
    const umask = process.umask(0o022);
    write("x".repeat(30), "y");
    process.umask(umask);
    for (const name of ["log", "log.1"]) assert.is(statSync(join(folder, name)).mode & 0o777, 0o640);
  }));

test("a number that is missing takes what comes before it, and what comes after it stays", () =>
  withFile({}, ({ write, files, folder }) => {
    writeFileSync(join(folder, "log.1"), "one");
    writeFileSync(join(folder, "log.3"), "three");
    write("x".repeat(30), "y");
    assert.equal(files(), { log: "y\n", "log.1": `${"x".repeat(30)}\n`, "log.2": "one", "log.3": "three" });
  }));

test("files are as those of Python's RotatingFileHandler", () => {
  const missing = pythonMissing();
  if (missing) return console.log(`skipped, comparison of rotation: ${missing}`);
  return withFile({ backups: 4, maxBytes: 500 }, ({ write, files, folder }) => {
    const lines = Array.from({ length: 150 }, (_, i) => `${i} ${"x".repeat((i * 37) % 90)}`);
    const reference = join(folder, "reference");
    mkdirSync(reference);
    // The handler rolls over when the size would be reached, one byte earlier than "exceeded".
    const script = `
import sys, logging, logging.handlers as h
handler = h.RotatingFileHandler(sys.argv[1] + "/log", maxBytes=501, backupCount=4)
for line in sys.stdin.read().splitlines(): handler.emit(logging.LogRecord("n", 20, "", 0, line, None, None))
`;
    execFileSync("python3", ["-c", script, reference], { input: lines.join("\n") });
    const expected: Record<string, string> = {};
    for (const name of readdirSync(reference)) expected[name] = readFileSync(join(reference, name), "utf8");
    rmSync(reference, { recursive: true });
    write(...lines);
    assert.is(Object.keys(expected).length, 5);
    assert.equal(files(), expected);
  });
});

test("what cannot be renamed grows, which is said once; later it is rotated, and no backup was lost", () =>
  withFile({}, ({ write, files, troubles, clock, folder, path }) => {
    mkdirSync(join(folder, "log.3/occupied"), { recursive: true });
    for (const name of ["log.1", "log.2"]) writeFileSync(join(folder, name), name);
    for (let i = 0; i < 20; i++) {
      write("123456789");
      clock.advanceMs(500);
    }
    assert.equal(troubles, ["Log file './log' cannot be rotated and grows: EISDIR."]);
    assert.is(readFileSync(path, "utf8"), "123456789\n".repeat(20));
    rmSync(join(folder, "log.3"), { recursive: true });
    clock.advanceMs(1000);
    write("new");
    assert.equal(files(), { log: "new\n", "log.1": "123456789\n".repeat(20), "log.2": "log.1", "log.3": "log.2" });
  }));

test("a removed directory loses lines, which is said once, until it is there again", () =>
  withFile({}, ({ write, troubles, clock, folder, path }) => {
    write("first");
    rmSync(folder, { recursive: true });
    clock.advanceMs(1000);
    for (let i = 0; i < 5; i++) {
      write("lost");
      clock.advanceMs(600);
    }
    assert.equal(troubles, ["Log file './log' takes no more lines: ENOENT."]);
    mkdirSync(folder);
    clock.advanceMs(1000);
    write("again");
    assert.is(readFileSync(path, "utf8"), "(5 log lines lost)\nagain\n");
    rmSync(folder, { recursive: true });
    clock.advanceMs(1000);
    write("lost");
    assert.is(troubles.length, 2);
  }));

test("a file that was moved away (logrotate) is followed by a new one, within a second", () =>
  withFile({}, ({ write, files, clock, path, folder }) => {
    write("first");
    renameSync(path, join(folder, "moved"));
    clock.advanceMs(999);
    write("second");
    clock.advanceMs(1);
    write("third");
    assert.equal(files(), { log: "third\n", moved: "first\nsecond\n" });
    renameSync(path, join(folder, "moved"));
    writeFileSync(path, "another's\n");
    clock.advanceMs(1000);
    write("fourth");
    assert.equal(files(), { log: "another's\nfourth\n", moved: "third\n" });
  }));

test("a file that was moved away when rotation was due: only a new one is begun", () =>
  withFile({}, ({ write, files, path, folder }) => {
    write("123456789012345");
    renameSync(path, join(folder, "log.1"));
    write("123456789012345");
    assert.equal(files(), { log: "123456789012345\n", "log.1": "123456789012345\n" });
  }));

test("while nothing can be opened in its place, lines go on to the file that was moved", () =>
  withFile({}, ({ write, clock, troubles, path, folder }) => {
    write("first");
    renameSync(path, join(folder, "moved"));
    mkdirSync(path);
    for (let i = 0; i < 3; i++) {
      clock.advanceMs(1000);
      write("x");
    }
    assert.equal(troubles, ["Log file './log' cannot be opened, lines go to where it was moved: EISDIR."]);
    assert.is(readFileSync(join(folder, "moved"), "utf8"), "first\nx\nx\nx\n");
    rmdirSync(path);
    clock.advanceMs(1000);
    write("again");
    assert.is(readFileSync(path, "utf8"), "again\n");
  }));

test("a file that was truncated (copytruncate) is not rotated for its old size", () =>
  withFile({}, ({ write, files, clock, path }) => {
    write("123456789012345");
    truncateSync(path, 0);
    clock.advanceMs(1000);
    write("new");
    assert.equal(files(), { log: "new\n" });
  }));

test("devices are neither rotated nor looked after", () =>
  withFile({}, ({ write, troubles, clock, path, folder }) => {
    symlinkSync("/dev/full", path);
    for (let i = 0; i < 5; i++) {
      write("0123456789");
      clock.advanceMs(2000);
    }
    assert.equal(troubles, ["Log file './log' takes no more lines: ENOSPC."]);
    assert.ok(lstatSync(path).isSymbolicLink());
    assert.equal(readdirSync(folder), ["log"]);
  }));

test("a FIFO that nobody reads is refused instead of waited for", () =>
  withFile({}, ({ write, path }) => {
    execFileSync("mkfifo", [path]);
    assert.throws(() => write("x"), /ENXIO/);
  }));

test("close closes; lines after that go nowhere", () =>
  withFile({}, ({ path, clock }) => {
    const file = new LogFile(path, { backups: 1, maxBytes: 1, clock, onTrouble: () => {} });
    file.close();
    file.close();
    clock.advanceMs(10_000);
    file.write("error", "late");
    assert.is(readFileSync(path, "utf8"), "");
  }));

/** Runs `body` in a file system of 64 KiB; says so where none can be mounted. */
async function onSmallDisk(body: (folder: string) => void): Promise<void> {
  await withFolder((folder) => {
    const mount = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], { encoding: "utf8" });
    if (mount.status !== 0) {
      const why = `a file system cannot be mounted here (${(mount.stderr || String(mount.error)).split("\n", 1)[0]})`;
      if (process.env.CI === "true") throw new Error(`${why}, and CI skips nothing`);
      return console.log(`skipped, a full disk: ${why}`);
    }
    try {
      body(folder);
    } finally {
      execFileSync("umount", [folder]);
    }
  });
}

test("a full disk loses lines, which is said once, until there is room again", () =>
  onSmallDisk((folder) =>
    inFolder(folder, { backups: 0 }, ({ write, troubles, path, clock }) => {
      const ballast = join(folder, "ballast");
      writeFileSync(ballast, Buffer.alloc(40_000));
      const line = "z".repeat(99);
      for (let i = 0; i < 1000; i++) {
        write(line);
        clock.advanceMs(100);
      }
      assert.equal(troubles, ["Log file './log' takes no more lines: ENOSPC."]);
      rmSync(ballast);
      write("room again");
      const lines = readFileSync(path, "utf8").split("\n");
      const lost = Number(/^\((\d+) log lines lost\)$/.exec(lines.at(-3)!)?.[1]);
      const cut = lines.filter((text) => text !== "" && text.length < 99 && text === "z".repeat(text.length)).length;
      assert.ok(cut <= 1, "at most the last one before the disk was full");
      assert.is(lines.filter((text) => text === line).length + lost, 1000);
      assert.is(lines.at(-2), "room again");
    }),
  ));

test("a full disk and rotation: the oldest makes room", () =>
  onSmallDisk((folder) =>
    inFolder(folder, { backups: 2, maxBytes: 16_384 }, ({ write, troubles, files }) => {
      // 3 files of 16 KiB fit.
      for (let i = 0; i < 5000; i++) write("w".repeat(99));
      assert.equal(troubles, []);
      assert.equal(Object.keys(files()).sort(), ["log", "log.1", "log.2"]);
    }),
  ));

test("a directory that may not be written to: the file grows, and a user who is not root is told", () =>
  withFile({}, ({ write, folder, troubles, files }) => {
    write("123456789012345");
    chmodSync(folder, 0o555);
    write("123456789012345");
    chmodSync(folder, 0o755);
    const isRoot = process.getuid?.() === 0; // who may write everywhere
    assert.equal(troubles, isRoot ? [] : ["Log file './log' cannot be rotated and grows: EACCES."]);
    assert.is(existsSync(join(folder, "log.1")), isRoot);
    assert.is(Object.values(files()).join(""), "123456789012345\n".repeat(2));
  }));

test.run();
