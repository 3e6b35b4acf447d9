/** The filter language against the worked examples of pathfinder-protocol.md, 14.6 and 14.7. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HOSTILE_FILTERS } from "../../../scripts/bench/hostile-inputs.js";
import { evaluateNaively } from "../../../scripts/fuzz/filter-reference.js";
import { FilterCompiler, matches, programText } from "../../../src/core/filter/program.js";
import { type Comparison, FilterSyntaxError, parseFilter, printFilter } from "../../../src/core/filter/syntax.js";
import type { PropertyValue } from "../../../src/core/properties.js";
import { filterFixture, match } from "../../support/filters.js";
import { root } from "../../support/root.js";

interface Example {
  filter: string;
  props?: Record<string, (string | number | boolean)[]>;
  match?: boolean;
  canonical?: string;
  reference?: boolean | string;
  recommended?: boolean | string;
  why?: string;
}

/** Integers of the examples beyond 2^53 must not pass through JSON.parse. */
const exact = (text: string): Example =>
  JSON.parse(text.replace(/\b(9223372036854775807)\b(?=[\]])/g, '"big:$1"'), (_, value) =>
    typeof value === "string" && value.startsWith("big:") ? BigInt(value.slice(4)) : value,
  );

const examples = readFileSync(join(root, "test/fixtures/filters.jsonl"), "utf8").trim().split("\n").map(exact);

/** Rejected by the reference server only; accepted here on the specification's advice (14.3). */
const ESCAPED_EXCLAMATION = ["(a=\\!)", "(a\\!=c)"];

for (const example of examples) {
  const { filter, props, canonical, recommended, why } = example;
  const shown = JSON.stringify(filter);
  if (why !== undefined) {
    if (ESCAPED_EXCLAMATION.includes(filter)) {
      test(`${shown} is accepted`, () => assert.ok(parseFilter(filter)));
      continue;
    }
    test(`${shown} is invalid`, () => {
      assert.throws(
        () => parseFilter(filter),
        (error: unknown) => error instanceof FilterSyntaxError && error.position <= filter.length,
      );
    });
  } else if (recommended === "invalid filter") {
    test(`${shown} is invalid`, () => assert.throws(() => parseFilter(filter)));
  } else if (typeof (recommended ?? example.match) === "boolean") {
    const expected = (recommended ?? example.match) as boolean;
    test(`${shown} ${expected ? "matches" : "does not match"} ${JSON.stringify(props, (_, v) => (typeof v === "bigint" ? String(v) : v))}`, () => {
      assert.is(match(filter, props as never), expected);
    });
    test(`${shown} is printed canonically`, () => {
      const printed = printFilter(parseFilter(filter));
      assert.is(printed, canonical ?? filter);
      assert.is(printFilter(parseFilter(printed)), printed);
    });
  }
}

for (const [filter, problem, position] of [
  ["", "ends too early", 0],
  ["(a=b", "ends too early", 4],
  ["(=b)", "empty key", 1],
  ["(a=)", "empty value", 3],
  ["(a=b)c", "text after the closing parenthesis", 5],
  ["(&(a=b))", '"&" with fewer than two operands', 1],
  ["(a=x**y)", "empty middle part", 5],
  ["(a=\\x)", "escape before a non-special character", 3],
  ["(a>1.0)", 'the operand of ">" or "<" is not a decimal integer', 3],
  [`${"(!".repeat(100)}(a=b)${")".repeat(100)}`, "nested deeper than 100 levels", 200],
  [`(|${"(a<1)".repeat(129)})`, "too many comparisons (at most 128 with < or >, or 32 with *text*)", 2 + 5 * 128 + 1],
  [`(|${"(a=*b*)".repeat(33)})`, "too many comparisons (at most 128 with < or >, or 32 with *text*)", 2 + 7 * 32 + 1],
  [`(a=${"x".repeat(8192)})`, "longer than 8192 characters", 8192],
] as const) {
  test(`${filter.slice(0, 20)} fails at ${position}: ${problem}`, () => {
    try {
      parseFilter(filter);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, FilterSyntaxError);
      assert.is((error as FilterSyntaxError).problem, problem);
      assert.is((error as FilterSyntaxError).position, position);
    }
  });
}

for (const [filter, props, expected] of [
  ["(a=x*yy*z)", { a: ["xyz"] }, false],
  ["(a=*x*)", { a: ["1", "x"] }, true],
  ["(a=x*)", { a: [1n] }, false],
  ["(a>-9223372036854775809)", { a: [-9223372036854775808n] }, true],
  ["(a<-9223372036854775807)", { a: [-9223372036854775808n] }, true],
  ["(a>-5)", { a: [-6n] }, false],
  ["(a<-5)", { a: [-50n] }, true],
  ["(a=*\u{1f600}*)", { a: ["x\u{1f600}y"] }, true],
  ["(a=\ud800*)", { a: ["\ud800x"] }, true],
  ["(|(a=1)(!(b=*)))", {}, true],
  ["(&(!(a=1))(!(b=1)))", { a: ["2"] }, true],
  [`(a=*${"ab".repeat(20)}c*)`, { a: [`${"ab".repeat(500)}c`] }, true],
  [`(a=*${"ab".repeat(20)}c*)`, { a: ["ab".repeat(500)] }, false],
  [`(a=*${"a".repeat(17)}*${"a".repeat(17)}*)`, { a: ["a".repeat(34)] }, true],
  [`(a=*${"a".repeat(17)}*${"a".repeat(17)}*)`, { a: ["a".repeat(33)] }, false],
] as const) {
  test(`${filter.slice(0, 40)} ${expected ? "matches" : "does not match"}`, () => {
    assert.is(match(filter, props as never), expected);
  });
}

test("a key that begins with an exclamation mark survives printing", () => {
  assert.is(printFilter(parseFilter("(\\!a=b)")), "(\\!a=b)");
  assert.is(match("(\\!a=b)", { "!a": ["b"] }), true);
});

test("a program keeps the canonical text, and its block goes back to the store", () => {
  const { store, hash, record } = filterFixture();
  const compiler = new FilterCompiler(store, hash);
  const used = store.usedWords;
  const program = compiler.compile(parseFilter("(&(n>007)(å=*ö))"));
  assert.is(programText(store, program), "(&(n>7)(å=*ö))");
  const service = record({ n: [8n], å: ["xö"] });
  assert.is(matches(store, program, service), true);
  compiler.release(program);
  assert.ok(store.usedWords > used, "only the record is left");
  store.release(service, store.page(service).words[store.at(service)]);
  assert.is(store.usedWords, used);
});

function satisfying(comparison: Comparison): PropertyValue {
  if (comparison.kind === "substring") return comparison.parts.join("");
  if (comparison.kind === "greater") return BigInt(comparison.value) + 1n;
  assert.is(comparison.kind, "equal");
  return (comparison as Extract<Comparison, { kind: "equal" }>).value;
}

// What they cost is shown by `npm run bench -- hostile`.
for (const [what, filter, values] of HOSTILE_FILTERS) {
  test(`hostile: ${what}`, () => {
    assert.is(match(filter, { a: [...values] }), false);
    const parsed = parseFilter(filter);
    const comparison = (parsed.kind === "or" ? parsed.operands[0] : parsed) as Comparison;
    assert.is(match(filter, { a: [...values.slice(1), satisfying(comparison)] }), true);
  });
}

test("a hostile integer is refused", () => assert.throws(() => parseFilter(`(a>${"0".repeat(8180)}x)`)));

test("100,000 random filters agree with a naive evaluator", () => {
  let seed = 12345;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return (seed >>> 8) % n;
  };
  const pick = <T>(from: readonly T[]): T => from[random(from.length)];
  const keys = ["a", "b", "c"];
  const texts = ["1", "2", "12", "ab", "aab", "b", "å"];
  const make = (depth: number): string => {
    const kind = random(depth > 0 ? 8 : 5);
    const key = pick(keys);
    if (kind === 0) return `(${key}=${pick(texts)})`;
    if (kind === 1) return `(${key}=*)`;
    if (kind === 2) return `(${key}>${random(5) - 2})`;
    if (kind === 3) return `(${key}<${random(15) - 2})`;
    if (kind === 4) return `(${key}=${pick(["", "a", "1"])}*${pick(["a", "b", "2"])}*${pick(["", "b", "2"])})`;
    if (kind === 5) return `(!${make(depth - 1)})`;
    return `(${kind === 6 ? "&" : "|"}${make(depth - 1)}${make(depth - 1)}${random(2) ? make(depth - 1) : ""})`;
  };
  const fixture = filterFixture();
  const compiler = new FilterCompiler(fixture.store, fixture.hash);
  for (let round = 0; round < 1000; round++) {
    const props = new Map<string, (string | bigint)[]>();
    for (const key of keys) {
      const values = Array.from({ length: random(4) }, () => (random(2) ? pick(texts) : BigInt(random(15) - 2)));
      if (values.length > 0) props.set(key, values);
    }
    const record = fixture.record(Object.fromEntries(props));
    for (let i = 0; i < 100; i++) {
      const text = make(3);
      const filter = parseFilter(text);
      const program = compiler.compile(filter);
      const expected = evaluateNaively(filter, props);
      if (matches(fixture.store, program, record) !== expected) {
        assert.unreachable(`${text} should ${expected ? "" : "not "}match ${[...props]}`);
      }
      if (printFilter(filter) !== text) assert.unreachable(`${text} was printed as ${printFilter(filter)}`);
      compiler.release(program);
    }
    fixture.store.release(record, fixture.store.page(record).words[fixture.store.at(record)]);
  }
});

test.run();
