import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Logger, logStack, prefixed, SILENT } from "../../src/core/log.js";

function recorder(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  return { log: { ...SILENT, error: (text) => lines.push(text()) }, lines };
}

test("a stack is a line for the error and an indented one for each call, all with the prefix", () => {
  const { log, lines } = recorder();
  logStack(
    prefixed(log, () => "<0x1> "),
    "Internal error",
    new TypeError("oops"),
  );
  assert.is(lines[0], "<0x1> Internal error: TypeError: oops");
  assert.ok(lines.length > 2, "there are calls");
  for (const line of lines.slice(1)) assert.match(line, /^<0x1> {5}at \S/);
});

test("a message of several lines, which a peer may have chosen, stays one", () => {
  const { log, lines } = recorder();
  logStack(log, "Internal error", new Error("bad\nERROR:root:forged\n  at x"));
  assert.is(lines[0], "Internal error: Error: bad\nERROR:root:forged\n  at x");
  for (const line of lines.slice(1)) assert.match(line, /^ {4}at \S/);
});

test("the number of lines is limited, whatever the message looks like", () => {
  const { log, lines } = recorder();
  logStack(log, "Internal error", new Error("x\n    at a\nforged".repeat(10_000)));
  assert.ok(lines.length <= 51, `${lines.length}`);
  for (const line of lines.slice(1)) assert.match(line, /^ {4}\S/);
});

const shown = (error: unknown): readonly string[] => {
  const { log, lines } = recorder();
  logStack(log, "E", error);
  return lines;
};
const hostile = new Error("x");
Object.defineProperty(hostile, "stack", {
  get() {
    throw new Error("no");
  },
});
for (const [error, expected] of [
  [undefined, "E: undefined"],
  ["text", "E: text"],
  [Object.create(null), "E: (an error that cannot be shown)"],
  [hostile, "E: (an error that cannot be shown)"],
  [Object.assign(new Error("m"), { stack: "" }), "E: Error: m"],
] as const) {
  test(`thrown without a stack: ${expected}`, () => assert.equal(shown(error), [expected]));
}

test.run();
