/** The PAF_* variables (libpaf-client.md, 4). */

import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseCFloat } from "../../src/client/c-float.js";
import { type EnvironmentSettings, readEnvironment } from "../../src/client/environment.js";
import { LONGEST_DELAY_SECONDS } from "../../src/client/longest-delay.js";

const test = suite("environment");

const DEFAULTS: EnvironmentSettings = {
  domainsDirectory: "/run/paf/domains.d",
  rescanSeconds: 5,
  reconnectMinSeconds: 0.01,
  reconnectMaxSeconds: 5,
  idleMinSeconds: 4,
  idleMaxSeconds: 30,
  ttlSeconds: 30,
  debug: false,
};

test("nothing is set: the defaults", () => assert.equal(readEnvironment({ HOME: "/" }), DEFAULTS));

for (const [name, text, changes] of [
  ["PAF_DOMAINS", "/tmp/x", { domainsDirectory: "/tmp/x" }],
  ["PAF_DOMAINS", "", { domainsDirectory: "" }],
  ["PAF_RESCAN", "0.25", { rescanSeconds: 0.25 }],
  ["PAF_RESCAN", "0", { rescanSeconds: 0 }],
  ["PAF_RESCAN", "-1", { rescanSeconds: 0 }],
  ["PAF_RESCAN", "inf", { rescanSeconds: LONGEST_DELAY_SECONDS }],
  ["PAF_RESCAN", "nan", {}],
  ["PAF_RESCAN", "", {}],
  ["PAF_RESCAN", "1s", {}],
  ["PAF_RESCAN", "1 ", {}],
  ["PAF_RESCAN", " 1", { rescanSeconds: 1 }],
  ["PAF_RECONNECT_MIN", "1e-1", { reconnectMinSeconds: 0.1 }],
  ["PAF_RECONNECT_MIN", "0", { reconnectMinSeconds: 0.001 }],
  ["PAF_RECONNECT_MIN", "-5", { reconnectMinSeconds: 0.001 }],
  ["PAF_RECONNECT_MIN", "8", { reconnectMinSeconds: 8, reconnectMaxSeconds: 8 }],
  ["PAF_RECONNECT_MAX", "0x1p-1", { reconnectMaxSeconds: 0.5 }],
  ["PAF_RECONNECT_MAX", "0", { reconnectMaxSeconds: 0.01 }],
  ["PAF_IDLE_MIN", "0.5", { idleMinSeconds: 1 }],
  ["PAF_IDLE_MIN", "-inf", { idleMinSeconds: 1 }],
  ["PAF_IDLE_MIN", "1.5", { idleMinSeconds: 1.5 }],
  ["PAF_IDLE_MIN", "40", { idleMinSeconds: 40, idleMaxSeconds: 40 }],
  ["PAF_IDLE_MAX", "1e300", { idleMaxSeconds: LONGEST_DELAY_SECONDS }],
  ["PAF_IDLE_MAX", "0", { idleMaxSeconds: 4 }],
  ["PAF_TTL", "7", { ttlSeconds: 7 }],
  ["PAF_TTL", "7.9", { ttlSeconds: 7 }],
  ["PAF_TTL", "0.1", { ttlSeconds: 1 }],
  ["PAF_TTL", "0", { ttlSeconds: 0 }],
  ["PAF_TTL", "-0", { ttlSeconds: 0 }],
  ["PAF_TTL", "-3", {}],
  ["PAF_TTL", "7 seconds", {}],
  ["PAF_TTL", "1e400", { ttlSeconds: Number.MAX_SAFE_INTEGER }],
  ["PAF_DEBUG", "1", { debug: true }],
  ["PAF_DEBUG", "true", { debug: true }],
  ["PAF_DEBUG", "0", {}],
  ["PAF_DEBUG", "false", {}],
  ["PAF_DEBUG", "yes", {}],
] as const) {
  test(`${name}=${JSON.stringify(text)}: ${JSON.stringify(changes)}`, () => {
    assert.equal(readEnvironment({ [name]: text }), { ...DEFAULTS, ...changes });
  });
}

const FLOATS: readonly (readonly [string, number | undefined])[] = [
  ["1", 1],
  ["+1.5", 1.5],
  ["-.5e1", -5],
  ["5.", 5],
  ["5.e-1", 0.5],
  ["\t\n\v\f\r 2", 2],
  ["1e400", Infinity],
  ["1e-400", 0],
  ["0x10", 16],
  ["0X.8", 0.5],
  ["0xA.8P1", 21],
  ["0x1p1100", Infinity],
  ["0x1p-1074", Number.MIN_VALUE],
  ["0x0.00000000000000000000001p92", 1],
  ["0x10000000000000000000000p-88", 1],
  ["-0x0p99999999999", -0],
  ["Infinity", Infinity],
  ["-INF", -Infinity],
  ["nan", NaN],
  ["NaN(12_a)", NaN],
  ["", undefined],
  [" ", undefined],
  [".", undefined],
  ["1 ", undefined],
  ["1e", undefined],
  ["1e+", undefined],
  ["1,5", undefined],
  ["0x", undefined],
  ["0x.", undefined],
  ["0x1p", undefined],
  ["0b1", undefined],
  ["1_000", undefined],
  ["--1", undefined],
  ["+ 1", undefined],
  ["infinit", undefined],
  ["nan(", undefined],
  ["\u00a01", undefined],
  ["١", undefined],
  ["9".repeat(100_000), Infinity],
  [`${"9".repeat(100_000)}x`, undefined],
];

for (const [text, value] of FLOATS) {
  const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 10)}… (${text.length})` : text);
  test(`${shown} as a C floating-point text is ${value}`, () => assert.ok(Object.is(parseCFloat(text), value)));
}

/** Python hands the texts to the C library itself. */
const STRTOD = `
import ctypes, json, sys
c = ctypes.CDLL(None); c.strtod.restype = ctypes.c_double; c.strtod.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)]
for text in json.load(sys.stdin):
    data = text.encode(); end = ctypes.c_char_p(); value = c.strtod(data, ctypes.byref(end))
    print(repr(value) if data and end.value == b"" else "none")`;

test("the same as the C library says", () => {
  const texts = FLOATS.map(([text]) => text).filter((text) => text.length < 1000);
  const python = spawnSync("python3", ["-c", STRTOD], { input: JSON.stringify(texts), encoding: "utf8" });
  if (python.error !== undefined) {
    if (process.env.CI === "true") throw python.error;
    console.log("not compared with the C library's strtod: python3 is not installed");
    return;
  }
  const spelled = (text: string) => ({ inf: "Infinity", "-inf": "-Infinity", nan: "NaN" })[text] ?? text;
  const said = python.stdout.trim().split("\n");
  assert.is(said.length, texts.length, python.stderr);
  texts.forEach((text, i) => {
    const ours = parseCFloat(text);
    const theirs = said[i] === "none" ? undefined : Number(spelled(said[i]!));
    assert.ok(Object.is(ours, theirs), `${JSON.stringify(text)}: ${ours}, strtod says ${said[i]}`);
  });
});
test.run();
