/** JSON that keeps lines and the kind of numbers, against JSON.parse. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type JsonNode, JsonSyntaxError, parseJsonTree } from "../../src/client/json-tree.js";

const test = suite("json tree");

function plain(node: JsonNode): unknown {
  switch (node.kind) {
    case "array":
      return node.elements.map(plain);
    case "object":
      return Object.fromEntries([...node.members].map(([key, value]) => [key, plain(value)]));
    case "number":
      return node.value;
    case "word":
      return JSON.parse(node.text);
    case "string":
      return node.text;
  }
}

for (const text of [
  "{}",
  " [ ] ",
  '\r\n\t{"a" : [1, -0, 2.50, 1e3, -1E-2], "b":{"c":null},"d":[true,false]}\n',
  '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e5\\ud83d\\ude00\\ud800 å😀\u007f"',
  '{"a":1,"a":2}',
  "9223372036854775807",
  "-9223372036854775808",
  `${"[".repeat(32)}1${"]".repeat(32)}`,
]) {
  test(`${text.slice(0, 60)} is what JSON.parse makes of it`, () =>
    assert.equal(plain(parseJsonTree(text)), JSON.parse(text)));
}

for (const [text, line, problem] of [
  ["", 1, "expected a value, but the file ends"],
  ["\n\n{", 3, "expected a key in double quotes, but the file ends"],
  ["{'a':1}", 1, "expected a key in double quotes, but there is \"'a':1}\""],
  ['{"a"}', 1, 'expected ":", but there is "}"'],
  ['{"a":1\n"b":2}', 2, 'expected "," or "}", but there is "\\"b\\":2}"'],
  ['{"a":1,}', 1, "expected a key in double quotes"],
  ["[1,]", 1, "expected a value"],
  ["[1\n,\n2 3]", 3, 'expected "," or "]"'],
  ["{} {}", 1, "expected nothing more"],
  ["01", 1, "expected nothing more"],
  ["+1", 1, "expected a value"],
  ["1.", 1, "expected nothing more"],
  [".5", 1, "expected a value"],
  ["NaN", 1, "expected a value"],
  ["trues", 1, "expected a value"],
  ['"a', 1, "expected a string"],
  ['"a\nb"', 1, "expected a string"],
  ['"\\x"', 1, "expected a string"],
  ['"\\u12"', 1, "expected a string"],
  ['["\\u0000"]', 1, "U+0000"],
  ["// no\n{}", 1, "expected a value"],
  ["1e400", 1, "the number 1e400 is too large"],
  ["9223372036854775808", 1, "the number 9223372036854775808 is too large"],
  ["9".repeat(60_000), 1, "the number 99999999999999999999 is too large"],
  ["[".repeat(60_000), 1, "nested deeper than 32 levels"],
  [`${"[".repeat(33)}1${"]".repeat(33)}`, 1, "nested deeper than 32 levels"],
] as const) {
  test(`${JSON.stringify(text.slice(0, 40))} is refused in line ${line}: ${problem}`, () => {
    assert.throws(
      () => parseJsonTree(text),
      (error: unknown) =>
        error instanceof JsonSyntaxError &&
        error.line === line &&
        error.problem.includes(problem) &&
        error.message.length < 200,
    );
  });
}

test("lines, and what is an integer", () => {
  const node = parseJsonTree('{\n"a": [1, 1.0,\n1e0, "x\\n"]\n}');
  assert.is(node.line, 1);
  const list = node.kind === "object" ? node.members.get("a")! : node;
  assert.is(list.line, 2);
  const elements = list.kind === "array" ? list.elements : [];
  assert.equal(
    elements.map((element) => element.line),
    [2, 2, 3, 3],
  );
  assert.equal(
    elements.map((element) => element.kind === "number" && element.isInteger),
    [true, false, false, false],
  );
});

test("a key that objects have anyway is a key like others", () => {
  const node = parseJsonTree('{"__proto__":1,"constructor":2}');
  assert.equal(node.kind === "object" && [...node.members.keys()], ["__proto__", "constructor"]);
});
test.run();
