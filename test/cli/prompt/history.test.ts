/** The history of the prompt: what is kept, for how long, and that nothing about it is ever an error. */

import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HISTORY_LINES, History, historyFile } from "../../../src/cli/prompt/history.js";
import { withFolder } from "../../support/pafd.js";

const linesOf = (file: string) => readFileSync(file, "utf8").split("\n").slice(0, -1);
const modeOf = (file: string) => statSync(file).mode & 0o777;

test("where it is", async () => {
  await withFolder(async (home) => {
    for (const [env, file] of [
      [{ HOME: home }, join(home, ".local/state/pafc/history")],
      [{ HOME: home, XDG_STATE_HOME: "/state" }, "/state/pafc/history"],
      [{ HOME: home, XDG_STATE_HOME: "relative" }, join(home, ".local/state/pafc/history")],
      [{ HOME: home, PAFC_HISTORY: "" }, undefined],
      [{ HOME: home, PAFC_HISTORY: "mine" }, "mine"],
      [{ HOME: join(home, "none") }, undefined],
      [{ HOME: "" }, undefined],
      [{}, undefined],
    ] as const) {
      assert.is(historyFile(env), file, JSON.stringify(env));
    }
    if (process.getuid!() === 0) {
      execFileSync("chown", ["65534", home]);
      assert.is(historyFile({ HOME: home }), undefined, "somebody else's home");
    }
  });
});

test("what is entered is there the next time, the latest first; the file is for its owner alone", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "state/pafc/history");
    const first = new History(file);
    assert.equal(first.load(), []);
    for (const line of ["ping", "ping", "services (a=å日本)", " secret", "", "  ", "ping", "x".repeat(4097)])
      first.add(line);
    assert.equal(linesOf(file), ["ping", "services (a=å日本)", "ping"]);
    assert.equal([modeOf(file), modeOf(join(folder, "state"))], [0o600, 0o700]);
    const second = new History(file);
    assert.equal(second.load(), ["ping", "services (a=å日本)", "ping"]);
    second.add("ping");
    second.add("id");
    first.add("clients");
    assert.equal(linesOf(file).slice(2), ["ping", "id", "clients"], "two at once do not overwrite each other");
  });
});

test("it is bounded: the latest lines stay", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "history");
    const numbers = (count: number) => Array.from({ length: count }, (_, i) => `ping ${i}`);
    writeFileSync(file, `${numbers(2 * HISTORY_LINES + 1).join("\n")}\n`);
    assert.is(new History(file).load()[0], `ping ${2 * HISTORY_LINES}`);
    assert.equal(linesOf(file), numbers(2 * HISTORY_LINES + 1).slice(-HISTORY_LINES));
    assert.is(modeOf(file), 0o600);
    // One run that never ends, with long lines: the file is cut in between.
    const history = new History(file);
    for (let i = 0; i < 500; i++) history.add(`${i} ${"x".repeat(4000)}`);
    assert.ok(statSync(file).size < 300_000, String(statSync(file).size));
    assert.is(linesOf(file).at(-1)!.split(" ")[0], "499");
    writeFileSync(file, "y".repeat(5_000_000));
    assert.equal(new History(file).load(), []);
    assert.is(statSync(file).size, 0);
  });
});

test("what could disturb a terminal is not recalled", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "history");
    writeFileSync(file, Buffer.from("good\n\x1b[2Jbad\nb\x9b31m\xffad\n\nalso good\nunfinished", "latin1"));
    assert.equal(new History(file).load(), ["unfinished", "also good", "good"]);
  });
});

test("what is no file of ours is left alone, and is no error", async () => {
  await withFolder(async (folder) => {
    const kept = join(folder, "kept");
    writeFileSync(kept, "do not touch\n");
    symlinkSync(kept, join(folder, "link"));
    mkdirSync(join(folder, "directory"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    for (const file of ["link", "directory", "pipe", "kept/below"]
      .map((name) => join(folder, name))
      .concat("/dev/null")) {
      const history = new History(file);
      assert.equal(history.load(), [], file);
      history.add("ping");
    }
    assert.is(readFileSync(kept, "utf8"), "do not touch\n");
    new History(undefined).add("ping");
    assert.equal(new History(undefined).load(), []);
    const locked = join(folder, "locked");
    mkdirSync(locked);
    chmodSync(locked, 0o500);
    new History(join(locked, "a/history")).add("ping");
    if (process.getuid!() !== 0) assert.not.ok(existsSync(join(locked, "a")));
  });
});

test.run();
