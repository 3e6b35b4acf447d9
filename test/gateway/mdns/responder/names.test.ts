/** Names that we give, and the remembering of those that were given instead. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SILENT } from "../../../../src/core/log.js";
import { hostLabel, numberedHost, numberedInstance } from "../../../../src/gateway/mdns/responder/labels.js";
import { NamesFile } from "../../../../src/gateway/mdns/responder/names-file.js";
import { RememberedNames } from "../../../../src/gateway/mdns/responder/remembered-names.js";
import { FakeClock } from "../../../support/fake-clock.js";

test("a number is added, and the label cut to make room for it", () => {
  assert.equal(
    [1, 2, 10].map((n) => numberedInstance("Lamp", n)),
    ["Lamp", "Lamp (2)", "Lamp (10)"],
  );
  assert.is(numberedInstance("é".repeat(31), 2), `${"é".repeat(29)} (2)`);
  assert.equal(
    [1, 2].map((n) => numberedHost("h".repeat(63), n)),
    ["h".repeat(63), `${"h".repeat(61)}-2`],
  );
  assert.equal(["PF-My Host_1.x", "--", "ü"].map(hostLabel), ["pf-my-host-1-x", "", ""]);
});

test("a name is remembered for what was wanted then, and forgotten when the wanted one is had", () => {
  const names = new RememberedNames();
  let changes = 0;
  names.onChange = () => void changes++;
  names.set("k", "a", "a (2)");
  assert.equal([names.get("k", "a"), names.get("k", "b"), names.get("j", "a")], ["a (2)", undefined, undefined]);
  names.set("k", "a", "a (2)");
  assert.is(changes, 1);
  names.set("k", "a", "a");
  assert.equal([names.get("k", "a"), changes], [undefined, 2]);
});

test("4096 names are remembered, those used last", () => {
  const names = new RememberedNames();
  for (let i = 0; i < 4096; i++) names.set(`${i}`, "a", `a (${i})`);
  names.get("0", "a");
  names.set("new", "a", "b");
  assert.equal([names.get("0", "a"), names.get("1", "a"), names.get("new", "a")], ["a (0)", undefined, "b"]);
});

class Bench {
  readonly clock = new FakeClock();
  readonly folder = mkdtempSync(join(tmpdir(), "names-"));
  readonly path = join(this.folder, "names");
  readonly logged: string[] = [];

  open(path = this.path): { names: RememberedNames; file: NamesFile } {
    const names = new RememberedNames();
    const log = { ...SILENT, warning: (text: () => string) => void this.logged.push(text()) };
    return { names, file: new NamesFile(path, names, this.clock, log) };
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }
}

test("the file is written a second after a change, as a whole, and read again", () => {
  const bench = new Bench();
  const { names } = bench.open();
  names.set("k", 'a"', "a (2)");
  names.set("j", "Küche", "Küche (2)");
  bench.clock.advanceMs(999);
  assert.equal(readdirSync(bench.folder), []);
  bench.clock.advanceMs(1);
  assert.equal(readdirSync(bench.folder), ["names"]);
  const again = bench.open();
  assert.equal([again.names.get("k", 'a"'), again.names.get("j", "Küche")], ["a (2)", "Küche (2)"]);
  again.names.set("i", "x", "y");
  again.file.stop();
  assert.match(readFileSync(bench.path, "utf8"), /"i"/, "written when stopped");
  assert.equal([bench.clock.timers(), bench.logged], [[], []]);
  bench.close();
});

const BAD: readonly [what: string, text: string][] = [
  ["nothing", ""],
  ["no JSON", "{"],
  ["another version", '{"version":2,"names":{}}'],
  ["no names", '{"version":1}'],
  ["null", "null"],
  ["too large", " ".repeat(2_000_001)],
];
for (const [what, text] of BAD) {
  test(`a file with ${what} is told, and replaced`, () => {
    const bench = new Bench();
    writeFileSync(bench.path, text);
    const { names } = bench.open();
    assert.is(bench.logged.length, 1);
    assert.match(bench.logged[0], /^names_file .*names is not used: /);
    names.set("k", "a", "b");
    bench.clock.advanceMs(1000);
    assert.is(bench.open().names.get("k", "a"), "b");
    bench.close();
  });
}

test("entries that are not names are left out", () => {
  const names = new RememberedNames();
  names.load('{"version":1,"names":{"a":null,"b":{"wanted":1,"chosen":"x"},"c":{"wanted":"w","chosen":"x"},"d":"e"}}');
  assert.equal([names.get("a", ""), names.get("b", "1"), names.get("c", "w")], [undefined, undefined, "x"]);
});

test("a file that cannot be written is told once", () => {
  const bench = new Bench();
  const { names } = bench.open(join(bench.folder, "missing", "names"));
  for (const chosen of ["b", "c"]) {
    names.set("k", "a", chosen);
    bench.clock.advanceMs(1000);
  }
  assert.is(bench.logged.length, 1);
  assert.match(bench.logged[0], /cannot be written: ENOENT/);
  bench.close();
});

test.run();
