/** Syslog over real sockets, with a syslog in Python at the other end. */

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT_CONFIG, type LogConfig } from "../../../src/daemon/config/config.js";
import { FACILITIES } from "../../../src/daemon/config/schema.js";
import { type DaemonLog, LogSetupError, openLog } from "../../../src/daemon/log/daemon-log.js";
import { writeNow } from "../../../src/daemon/log/descriptor-writer.js";
import { FakeClock } from "../../support/fake-clock.js";
import { withFolder } from "../../support/pafd.js";
import { SyslogPeer } from "../../support/syslog-peer.js";
import { openDescriptors, pythonMissing } from "../../support/transport-peers.js";

const test = suite("syslog");

interface Fixture {
  readonly log: DaemonLog;
  readonly clock: FakeClock;
  /** Lines on the console. */
  readonly console: string[];
  readonly folder: string;
  syslog: SyslogPeer;
}

/** Runs `body` with a log to a syslog at `folder`/log. */
async function withSyslog(
  settings: Partial<LogConfig> & { readonly kind?: "DGRAM" | "STREAM" },
  body: (fixture: Fixture) => Promise<void>,
): Promise<void> {
  const { kind = "DGRAM", ...config } = settings;
  await withFolder(async (folder) => {
    const path = join(folder, "log");
    const console: string[] = [];
    const write = (fd: number, bytes: Uint8Array) => {
      if (fd !== 2) return writeNow(fd, bytes);
      console.push(Buffer.from(bytes).toString());
      return bytes.length;
    };
    const clock = new FakeClock();
    const syslog = await SyslogPeer.start(path, kind);
    const log = openLog({ ...DEFAULT_CONFIG.log, syslogSocket: path, ...config }, { write, clock, timers: clock });
    const fixture = { log, clock, console, folder, syslog };
    try {
      await body(fixture);
    } finally {
      log.close();
      await fixture.syslog.kill();
    }
  });
}

const restart = async (fixture: Fixture, kind: "DGRAM" | "STREAM" = "DGRAM") => {
  fixture.syslog = await SyslogPeer.start(join(fixture.folder, "log"), kind);
};

const info = (text: string) => `<30>pafd[${process.pid}]: ${text}\0`;
const notice = (count: number) => `<28>pafd[${process.pid}]: (${count} log lines lost)\0`;

test("one datagram for each line: <PRI>pafd[PID]: MESSAGE and a NUL", () =>
  withSyslog({ filter: "debug" }, async ({ log, syslog, console }) => {
    for (const level of ["debug", "info", "warning", "error"] as const) log[level](() => `ümläut\nat ${level}`);
    const expected = [
      [31, "debug"],
      [30, "info"],
      [28, "warning"],
      [27, "error"],
    ].map(([pri, level]) => `<${pri}>pafd[${process.pid}]: ümläut\\nat ${level}\0`);
    assert.equal(await syslog.read(), expected);
    assert.equal(console, []);
  }));

test("facilities have the numbers of Python's SysLogHandler", async () => {
  const script = "import json, logging.handlers as h; print(json.dumps(h.SysLogHandler.facility_names))";
  const reference = JSON.parse(spawnSync("python3", ["-c", script], { encoding: "utf8" }).stdout);
  await withSyslog({}, async ({ syslog }) => {
    for (const facility of FACILITIES) {
      const log = openLog({ ...DEFAULT_CONFIG.log, syslogSocket: syslog.path, facility });
      log.info(() => facility);
      log.close();
      const pri = reference[facility] * 8 + 6;
      assert.equal(await syslog.read(), [`<${pri}>pafd[${process.pid}]: ${facility}\0`]);
    }
  });
});

for (const kind of ["DGRAM", "STREAM"] as const) {
  test(`${kind}: a restart of syslog loses no line, and nothing is said`, () =>
    withSyslog({ kind }, async (fixture) => {
      for (let i = 0; i < 3; i++) {
        fixture.clock.advanceMs(1000);
        fixture.log.info(() => `before ${i}`);
        assert.equal(await fixture.syslog.read(), [info(`before ${i}`)]);
        await fixture.syslog.kill();
        await restart(fixture, kind);
        fixture.log.info(() => `after ${i}`);
        assert.equal(await fixture.syslog.read(), [info(`after ${i}`)]);
      }
      assert.equal(fixture.console, []);
    }));

  test(`${kind}: while syslog is gone that is said once, and lines are counted`, () =>
    withSyslog({ kind, console: true }, async (fixture) => {
      const { log, clock, console, syslog } = fixture;
      const descriptors = openDescriptors();
      await syslog.kill();
      for (let i = 0; i < 100; i++) {
        log.info(() => "x");
        clock.advanceMs(200);
      }
      const trouble = console.filter((line) => !line.startsWith("INFO:root:x"));
      assert.is(trouble.length, 1);
      assert.match(trouble[0], /^ERROR:root:Syslog '.*\/log' takes no more lines: ECONNREFUSED\.\n$/);
      assert.ok(openDescriptors() < descriptors, "no descriptor is left over");

      clock.advanceMs(1000);
      await restart(fixture, kind);
      log.info(() => "again");
      assert.is((await fixture.syslog.read()).join(""), notice(100) + info("again"));
      log.info(() => "and on");
      assert.equal(await fixture.syslog.read(), [info("and on")]);
    }));

  test(`${kind}: a syslog that reads nothing costs lines and never waits`, () =>
    withSyslog({ kind, filter: "info" }, async ({ log, console, syslog, clock }) => {
      const line = "y".repeat(1000);
      const lines = 3000; // the queue holds 10 to 512 datagrams; a stream, some 200 kB
      for (let i = 0; i < lines; i++) log.info(() => line);
      assert.equal(console.length, 1);
      assert.match(console[0], /^ERROR:root:Syslog .* takes no more lines: EAGAIN\.\n$/);
      let came = "";
      for (let before = -1; came.length > before; ) {
        before = came.length;
        came += (await syslog.read()).join("");
        clock.advanceMs(1000); // what waits is sent as far as there is room
      }
      assert.equal(clock.timers(), [], "nothing waits any more");
      log.info(() => "room again");
      const after = (await syslog.read()).join("");
      const lost = Number(/\((\d+) log lines lost\)/.exec(after)?.[1]);
      assert.is(after, notice(lost) + info("room again"));
      // A stream may have taken a part of the first message that then waited.
      const texts = came.split("\0").slice(0, -1);
      const whole = texts.filter((text) => text === info(line).slice(0, -1)).length;
      assert.ok(texts.length - whole <= (kind === "STREAM" ? 1 : 0), `${texts.length - whole} in parts`);
      assert.is(whole + lost, lines);
      assert.ok(whole > 256);
    }));
}

test("a burst of more lines than the kernel's queue holds loses none of them, nor their order", () =>
  withSyslog({ console: true }, async ({ log, console, syslog, clock }) => {
    for (let i = 0; i < 200; i++) log.info(() => `line ${i}`);
    const came: string[] = [];
    while (came.length < 200) {
      came.push(...(await syslog.read()));
      clock.advanceMs(10);
    }
    assert.equal(
      came,
      came.map((_, i) => info(`line ${i}`)),
    );
    assert.equal(clock.timers(), []);
    assert.not(console.some((line) => line.includes("takes no more")));
  }));

test("what waits when the log is closed goes out as far as there is room; a syslog that goes meanwhile costs it", () =>
  withSyslog({}, async ({ log, console, syslog, clock }) => {
    for (let i = 0; i < 600; i++) log.info(() => `line ${i}`);
    const first = (await syslog.read()).length;
    log.close();
    assert.equal(clock.timers(), []);
    assert.ok((await syslog.read()).length >= Math.min(first, 256));
    assert.is(console.length, 1);
  }));

test("a syslog that is gone is tried once a second, by lines", () =>
  withSyslog({}, async (fixture) => {
    await fixture.syslog.kill();
    fixture.log.info(() => "1: the failure, and the first attempt");
    await restart(fixture);
    fixture.clock.advanceMs(999);
    fixture.log.info(() => "2: too soon");
    assert.equal(await fixture.syslog.read(), []);
    fixture.clock.advanceMs(1);
    fixture.log.info(() => "3");
    assert.equal(await fixture.syslog.read(), [notice(2), info("3")]);
  }));

test("the log file is told when syslog is gone, and syslog when the file is", () =>
  withFolder((folder) =>
    withSyslog({ file: join(folder, "file"), fileBackups: 1, fileMaxBytes: 10 }, async (fixture) => {
      const { log, syslog } = fixture;
      mkdirSync(join(folder, "file.1/occupied"), { recursive: true });
      log.info(() => "long enough");
      log.info(() => "too long");
      const [, trouble] = await syslog.read();
      assert.match(trouble, /^<27>pafd\[\d+\]: Log file '.*\/file' cannot be rotated and grows: EISDIR\.\0$/);
      await syslog.kill();
      log.info(() => "x");
      const lines = readFileSync(join(folder, "file"), "utf8").split("\n");
      assert.match(lines.at(-2)!, /^Syslog '.*' takes no more lines: ECONNREFUSED\.$/);
    }),
  ));

test("a trouble that comes and goes is told once a minute", () =>
  withSyslog({}, async (fixture) => {
    const { log, clock, console } = fixture;
    const flap = async () => {
      await fixture.syslog.kill();
      log.info(() => "lost");
      await restart(fixture);
      clock.advanceMs(10_000);
      log.info(() => "taken");
    };
    for (let i = 0; i < 6; i++) await flap();
    assert.is(console.length, 1);
    await flap();
    assert.is(console.length, 2);
  }));

test("a line too long for a datagram is cut, and says so", () =>
  withSyslog({}, async ({ log, syslog }) => {
    const line = "漢🙂".repeat(40_000); // 280 kB; the socket's buffer has 208
    log.info(() => line);
    const [text] = await syslog.read();
    assert.match(text, /^<30>pafd\[\d+\]: (漢🙂)+漢?… \(60000 characters more\)\0$/u);
    log.info(() => "short");
    assert.equal(await syslog.read(), [info("short")]);
  }));

test("close closes; lines after that go nowhere", () =>
  withSyslog({}, async ({ log, syslog }) => {
    const before = openDescriptors();
    log.close();
    log.close();
    assert.is(openDescriptors(), before - 1);
    log.error(() => "late");
    assert.equal(await syslog.read(), []);
  }));

function refusal(path: string): string {
  try {
    openLog({ ...DEFAULT_CONFIG.log, syslogSocket: path });
  } catch (e) {
    if (e instanceof LogSetupError) return e.message;
    throw e;
  }
  return "";
}

test("where nobody listens, pafd does not start: path, errno, and what to do", () =>
  withFolder(async (folder) => {
    const at = (name: string) => join(folder, name);
    const killed = await SyslogPeer.start(at("stale"));
    await killed.kill();
    const packets = await SyslogPeer.start(at("packets"), "SEQPACKET");
    writeFileSync(at("file"), "");
    symlinkSync("loop", at("loop"));
    const before = openDescriptors();
    for (const [name, reason] of [
      ["missing", "[Errno 2] No such file or directory"],
      ["stale", "[Errno 111] Connection refused"],
      ["file", "[Errno 111] Connection refused"],
      ["file/log", "[Errno 20] Not a directory"],
      ["packets", "[Errno 91] Protocol wrong type for socket"],
      ["loop", "[Errno 40] Too many symbolic links encountered"],
    ] as const) {
      assert.is(
        refusal(at(name)),
        `Error configuring logging: ${reason}: '${at(name)}' ` +
          "(syslog; -n or log.syslog: false switches it off, -u or log.syslog_socket names another socket).",
      );
    }
    assert.match(refusal(`/${"x".repeat(107)}`), /\[Errno 36\] Path of 108 bytes \(at most 107\): '\/xxx/);
    assert.is(openDescriptors(), before);
    await packets.kill();
  }));

test("a log file is closed again where syslog cannot be had", () =>
  withFolder((folder) => {
    const before = openDescriptors();
    assert.throws(() =>
      openLog({ ...DEFAULT_CONFIG.log, file: join(folder, "log"), syslogSocket: join(folder, "none") }),
    );
    assert.is(openDescriptors(), before);
  }));

const missing = pythonMissing();
if (missing) console.log(`skipped, all of syslog.test.ts: ${missing}`);
else test.run();
