/** What is typed at the prompt, taken apart: words, commands, numbers, help and completion. */

import { spawnSync } from "node:child_process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { columns } from "../../../src/cli/prompt/columns.js";
import { parseTyped } from "../../../src/cli/prompt/command-word.js";
import { splitShellWords } from "../../../src/cli/prompt/shell-words.js";
import { completions, helpLines, TOPICS } from "../../../src/cli/prompt/topics.js";
import { typedId, typedInteger, typedProperties, typedServiceId } from "../../../src/cli/prompt/typed-numbers.js";
import { UsageError } from "../../../src/cli/usage-error.js";
import { pythonMissing } from "../../support/transport-peers.js";

const isUsageError = (error: Error) => error instanceof UsageError;

/** The words, or the error's line. */
function words(line: string): string[] | string {
  try {
    return splitShellWords(line);
  } catch (error) {
    assert.instance(error, UsageError);
    return (error as UsageError).lines[0];
  }
}

const SPLIT: readonly (readonly [string, string[] | string])[] = [
  ["", []],
  [" \t a  b\r\n", ["a", "b"]],
  ["'a b' c\"d e\"f", ["a b", "cd ef"]],
  ["'' \"\" a''", ["", "", "a"]],
  ["a\\ b \\'c \\\\", ["a b", "'c", "\\"]],
  ["'a\\'b", ["a\\b"]],
  ['"a\\"b\\\\c\\d"', ['a"b\\c\\d']],
  ["#no comment", ["#no", "comment"]],
  ["(&(a=b)(c=|d|)) $HOME *", ["(&(a=b)(c=|d|))", "$HOME", "*"]],
  ["å\u00a0b 日本", ["å\u00a0b", "日本"]],
  ["'a", "No closing quotation."],
  ['a "b\\"', "No closing quotation."],
  ["a\\", "No escaped character."],
  ['"a\\', "No escaped character."],
];

test("words as a shell splits them", () => {
  for (const [line, expected] of SPLIT) assert.equal(words(line), expected, line);
});

const missing = pythonMissing();
if (missing) console.log(`skipped the comparison with Python's shlex and cmd: ${missing}`);

(missing ? test.skip : test)(
  "words exactly as Python's shlex splits them, for 20,000 lines of all that matters",
  () => {
    const alphabet = "ab \t'\"\\|";
    let seed = 12345;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fff_ffff;
      return (seed >> 8) % below;
    };
    const lines = Array.from({ length: 20_000 }, () =>
      Array.from({ length: random(12) }, () => alphabet[random(alphabet.length)]).join(""),
    );
    const script = `
import json, shlex, sys
def words(line):
    try: return shlex.split(line)
    except ValueError as e: return str(e) + "."
print(json.dumps([words(line) for line in json.load(sys.stdin)]))`;
    const { stdout } = spawnSync("python3", ["-c", script], {
      input: JSON.stringify(lines),
      encoding: "utf8",
      maxBuffer: 1e8,
    });
    const expected = JSON.parse(stdout);
    for (const [i, line] of lines.entries()) assert.equal(words(line), expected[i], JSON.stringify(line));
  },
);

(missing ? test.skip : test)("columns exactly as Python's cmd lists them", () => {
  const lists = [Object.keys(TOPICS), ["a"], ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "b", "c", "dddddddddddddddd"]];
  const script = `
import cmd, io, json, sys
def shown(names, width):
    out = io.StringIO()
    cmd.Cmd(stdout=out).columnize(names, width)
    return out.getvalue().split("\\n")[:-1]
print(json.dumps([[shown(names, width) for width in range(5, 100)] for names in json.load(sys.stdin)]))`;
  const { stdout } = spawnSync("python3", ["-c", script], { input: JSON.stringify(lists), encoding: "utf8" });
  const expected = JSON.parse(stdout);
  lists.forEach((names, i) => {
    for (let width = 5; width < 100; width++) {
      assert.equal(columns(names, width), expected[i][width - 5], `${names} in ${width} columns`);
    }
  });
});

test("a command ends where its letters do", () => {
  for (const [line, name, rest] of [
    ["", "", ""],
    ["  ping  ", "ping", ""],
    ["services(a=b) c", "services", "(a=b) c"],
    ["unpublish  1 2 ", "unpublish", "1 2"],
    ["?", "help", ""],
    ["? ping", "help", "ping"],
    ["!ls", "", "!ls"],
    ["|a", "", "|a"],
    ["PING", "PING", ""],
  ]) {
    assert.equal(parseTyped(line), { name, rest, line: line.trim() });
  }
});

/** Calls with a text, and what it gives or the error's line. */
const NUMBERS: readonly (readonly [(text: string) => bigint, string, bigint | string])[] = [
  [typedId, "1f", 0x1fn],
  [typedId, "0X1F", 0x1fn],
  [typedId, "7fffffffffffffff", 2n ** 63n - 1n],
  [typedId, "8000000000000000", "'8000000000000000' is not a valid id."],
  [typedId, "", "'' is not a valid id."],
  [typedId, "zz", "'zz' is not a valid id."],
  [typedId, "1 2", "'1 2' is not a valid id."],
  [typedId, "-1", "'-1' is not a valid id."],
  [typedServiceId, "-1f", "Service id must be a non-negative integer."],
  [typedServiceId, "-z", "'-z' is not a valid id."],
  [typedServiceId, "1f", 0x1fn],
  [typedInteger, "007", 7n],
  [typedInteger, "-5", -5n],
  [typedInteger, "+5", 5n],
  [typedInteger, "9223372036854775808", 2n ** 63n],
  [typedInteger, "1f", "invalid literal for int() with base 10: '1f'."],
  [typedInteger, "", "invalid literal for int() with base 10: ''."],
  [typedInteger, "1.5", "invalid literal for int() with base 10: '1.5'."],
];

test("numbers, and the words for what is none", () => {
  for (const [parse, text, expected] of NUMBERS) {
    if (typeof expected === "bigint") assert.is(parse(text), expected);
    else
      assert.throws(
        () => parse(text),
        (error: UsageError) => error.lines[0] === expected,
        text,
      );
  }
  assert.throws(() => typedInteger("9".repeat(4301)), isUsageError);
});

test("properties: names and values in turn", () => {
  const typed = typedProperties("a 1 a |1| b 007 b -5 c || c | d 4.2 d".split(" ").concat(""));
  assert.equal(
    [...typed],
    [
      ["a", [1n, "1"]],
      ["b", [7n, -5n]],
      ["c", ["", "|"]],
      ["d", ["4.2", ""]],
    ],
  );
  assert.throws(() => typedProperties(["n", "9223372036854775808"]), isUsageError);
});

test("help lists every command, and has a text for each", () => {
  assert.equal(helpLines("", 80), [
    "",
    "Documented commands (type help <topic>):",
    "========================================",
    "EOF       hello  ping     services       track        version",
    "clients   help   publish  subscribe      unpublish  ",
    "gateways  id     quit     subscriptions  unsubscribe",
    "",
  ]);
  for (const name of Object.keys(TOPICS)) {
    const [first, second] = helpLines(name, 80);
    assert.ok(first.startsWith(name) && second.length > 10, name);
    for (const width of [80, 60, 132]) {
      const lines = helpLines(name, width);
      for (const line of lines) assert.ok(line.length < width, `${width}: ${line}`);
      assert.is(lines.join(" "), TOPICS[name as keyof typeof TOPICS].replaceAll("\n", " "), "between words");
    }
  }
  assert.equal(helpLines("toString", 80), ["*** No help on toString"]);
});

test("completion of commands and topics, not of arguments", () => {
  for (const [line, found, part] of [
    ["", Object.keys(TOPICS), ""],
    ["unp", ["unpublish"], "unp"],
    [" s", ["services", "subscribe", "subscriptions"], "s"],
    ["help unp", ["unpublish"], "unp"],
    ["help ", Object.keys(TOPICS), ""],
    ["?  pi", ["ping"], "pi"],
    ["zz", [], "zz"],
    ["publish pu", [], "publish pu"],
    ["help help he", [], "help help he"],
  ] as const) {
    assert.equal(completions(line), [found, part], line);
  }
});

test.run();
