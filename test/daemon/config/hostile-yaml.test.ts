import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadConfig } from "../../../src/daemon/config/config.js";
import { ConfigError } from "../../../src/daemon/config/config-error.js";
import { readConfigFile } from "../../../src/daemon/config/config-file.js";
import { MAX_CONFIG_LENGTH } from "../../../src/daemon/config/yaml-source.js";
import { problemsOf } from "./problems-of.js";

const LENGTH = MAX_CONFIG_LENGTH - 1000;
const fill = (piece: string) => piece.repeat(Math.floor(LENGTH / piece.length));
const numbered = (piece: (i: number) => string) => {
  let text = "";
  for (let i = 0; text.length < LENGTH - 100; i++) text += piece(i);
  return text;
};
const staircase = () => numbered((i) => `${" ".repeat(i)}a:\n`);

/** Each is one problem or more, never a crash, and takes a second or two at most (measured: 1.9 s for the commas). */
const HOSTILE: readonly (readonly [string, string, RegExp])[] = [
  ["10 MB", "a".repeat(10_000_000), /too long \(10000000 characters; at most 262144/],
  ["brackets", fill("["), /nested more than 64/],
  ["braces", fill("{"), /nested more than 64/],
  ["nested lists", fill("- "), /nested more than 64/],
  ["nested keys", fill("? "), /nested more than 64/],
  ["nested mappings", fill("a: "), /nested more than 64/],
  ["a staircase", staircase(), /^f:64: nested more than 64/],
  ["many keys", numbered((i) => `k${i}: 1\n`), /k0: unknown key/],
  ["one key many times", fill("log:\n"), /log: given twice \(lines 1 and 2\)/],
  ["many keys of a flow mapping", `{${numbered((i) => `k${i}: 1,`)}}`, /k0: unknown key/],
  ["many aliases", `domains: &a\n${fill("  - *a\n")}`, /elements are too many \(at most 1024\)/],
  ["many anchors", numbered((i) => `a${i}: &a${i} x\n`), /unknown key/],
  ["commas", `[${fill(",")}]`, /not valid YAML/],
  ["double quotes", fill('"'), /not valid YAML/],
  ["tags", fill("!!a "), /not valid YAML/],
  ["alias names", fill("*a "), /not valid YAML/],
  ["documents", fill("---\n"), /multiple documents/],
  ["comments", fill("#\n"), /the file is empty/],
  ["NUL bytes", fill("\0"), /is not a mapping/],
  ["line feeds", fill("\n"), /the file is empty/],
  [
    "an alias bomb",
    `domains: [{sockets: &a [${"x,".repeat(9)}x]}]\n${[..."bcdefghij"].map((c, i) => `${c}: &${c} [${Array(10).fill(`*${"abcdefghij"[i]}`).join(",")}]`).join("\n")}`,
    /b: unknown key/,
  ],
  [
    "an alias bomb within the schema",
    `x: &s [${fill("ux:a,").slice(0, 1000)}]\ny: &d {sockets: *s}\ndomains: [${Array(1024).fill("*d").join(",")}]`,
    /more than 200000 values, with aliases expanded/,
  ],
  ["a list that contains itself", "domains: &a\n  - sockets: *a\n", /sockets\[0\]\.sockets: unknown key/],
];
for (const [name, text, expected] of HOSTILE) {
  test(`${name}: refused with a few clear lines, in bounded time`, () => {
    const began = process.cpuUsage();
    const problems = problemsOf(text);
    const { user, system } = process.cpuUsage(began);
    assert.match(problems.join("\n"), expected);
    assert.ok(problems.length <= 101, `${problems.length} problems`);
    assert.ok(problems.every((line) => line.length < 600));
    // Quadratic reading would take minutes; the limit leaves room for a slow machine.
    assert.ok((user + system) / 1e6 < 20, `${(user + system) / 1e6} s of CPU`);
  });
}

const SYNTAX: readonly (readonly [string, RegExp])[] = [
  ["log: [1,\n", /^f:2: column 1: not valid YAML: /],
  ["log:\n\tconsole: true\n", /^f:2: column \d+: not valid YAML: /],
  ["a: b: c\n", /^f:1: column 4: not valid YAML: /],
  ["log: {console: true\nresources: {}\n", /^f:\d: column \d+: not valid YAML: /],
  ["log: *nowhere\n", /^f:1: column 6: not valid YAML: no anchor/],
  ["log: !!js/function 'x'\n", /^f:1: column 6: not valid YAML: this tag is not known here/],
  ["{}\n---\n{}\n", /^f:2: column 1: not valid YAML: Source contains multiple documents/],
];
for (const [text, expected] of SYNTAX) {
  test(`syntax error in ${JSON.stringify(text)} has line and column`, () => {
    const problems = problemsOf(text);
    assert.match(problems[0], expected);
    assert.ok(problems.every((line) => !line.includes("\n")));
  });
}

test("keys of JavaScript's own objects are keys like any other", () => {
  for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    assert.match(problemsOf(`${key}: {console: true}`)[0], new RegExp(`^f:1: ${key}: unknown key`));
    assert.match(problemsOf(`log: {${key}: 1}`)[0], new RegExp(`^f:1: log\\.${key}: unknown key`));
  }
  const text = `domains: [{sockets: []}]
gateways:
  - {type: mqtt, url: "mqtt://h", kinds: {__proto__: {on_will: orphan}, constructor: {on_will: orphan}}}`;
  const gateway = loadConfig(text, "f").gateways[0];
  assert.ok(gateway.type === "mqtt");
  const kinds = gateway.options.onLossOfKind ?? {};
  assert.equal(Object.keys(kinds).sort(), ["__proto__", "constructor"]);
  assert.is(Object.getPrototypeOf(kinds), Object.prototype);
  assert.not.ok("on_will" in {});
});

test("merge keys are refused with advice, also where YAML 1.1 is asked for", () => {
  const text = "domains: [&a {name: a, sockets: []}, {<<: *a, name: b}]";
  assert.match(problemsOf(text)[0], /domains\[1\]\.<<: merge keys are not read/);
  assert.match(problemsOf("%YAML 1.1\n---\n<<: {log: {}}\n")[0], /<<: merge keys are not read/);
});

test("unreadable files have the reference's texts", () => {
  const folder = mkdtempSync(join(tmpdir(), "pafd-config-"));
  try {
    const linesOf = (name: string) => {
      try {
        loadConfig(readConfigFile(name), name);
      } catch (e) {
        if (e instanceof ConfigError) return e.lines;
        throw e;
      }
      return [];
    };
    const file = (name: string, bytes: string | Uint8Array) => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    const missing = join(folder, "missing");
    assert.equal(linesOf(missing), [`[Errno 2] No such file or directory: '${missing}'`]);
    assert.equal(linesOf(folder), [`[Errno 21] Is a directory: '${folder}'`]);
    assert.match(linesOf(file("latin1", Buffer.from("# caf\xe9\n", "latin1")))[0], /:1: the file is not UTF-8 text$/);
    assert.match(linesOf(file("long", Buffer.alloc(3_000_000, "é")))[0], /:1: the file is too long/);
    assert.match(linesOf("/dev/zero")[0], /:1: the file is too long/);
    assert.match(linesOf(file("empty", ""))[0], /:1: the file is empty/);
    const fifo = join(folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    const writer = spawn("sh", ["-c", 'echo "log: {}" > "$0"', fifo], { stdio: "ignore" });
    assert.equal(linesOf(fifo), []); // waits until the writer has opened it
    writer.unref();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
