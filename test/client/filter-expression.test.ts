/** Filters built from parts. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { evaluateNaively } from "../../scripts/fuzz/filter-reference.js";
import { SeededRandom } from "../../scripts/fuzz/random.js";
import {
  and,
  canonicalFilter,
  equal,
  type FilterExpression,
  FilterTooLargeError,
  filter,
  greater,
  less,
  not,
  or,
  present,
  substring,
} from "../../src/client/filter-expression.js";
import { type Filter, FilterSyntaxError, parseFilter } from "../../src/core/filter/syntax.js";
import { properties } from "../../src/core/properties.js";

const test = suite("filter expression");

for (const [built, text] of [
  [equal("name", "x"), "(name=x)"],
  [equal("a", 42), "(a=42)"],
  [equal("a", -0), "(a=0)"],
  [equal("a", 9_223_372_036_854_775_808n), "(a=9223372036854775808)"],
  [equal("a(b)", "*=<>|&\\"), "(a\\(b\\)=\\*\\=\\<\\>\\|\\&\\\\)"],
  [equal("!a", "!b"), "(\\!a=!b)"],
  [present("å 😀"), "(å 😀=*)"],
  [greater("load", 5), "(load>5)"],
  [less("load", -5n), "(load<-5)"],
  [substring("v", "a", "z"), "(v=a*z)"],
  [substring("v", "", "*", ""), "(v=*\\**)"],
  [not(present("a")), "(!(a=*))"],
  [and(equal("name", "x"), greater("load", 5), not(present("a"))), "(&(name=x)(load>5)(!(a=*)))"],
  [or(equal("a", "1"), filter("(&(b=2)(c=3))")), "(|(a=1)(&(b=2)(c=3)))"],
] as const) {
  test(`${text} is built`, () => {
    assert.is(String(built), text);
    assert.equal(parseFilter(text), built.filter);
  });
}

for (const [what, build, said] of [
  ["an empty key", () => present(""), "a filter's key is empty"],
  ["an empty value", () => equal("a", ""), "the value of a is empty"],
  ["a fraction", () => greater("a", 1.5), "greater(): the value of a is 1.5 (a safe integer or a bigint is accepted)"],
  ["an unsafe integer", () => equal("a", 2 ** 53), "is 9007199254740992 (a safe integer"],
  ["NaN", () => less("a", NaN), "less(): the value of a is NaN"],
  ["one operand", () => and(present("a")), "and() of 1 filters"],
  ["no operand", () => or(), "or() of 0 filters"],
  ["one part", () => substring("a", "x"), 'the parts of a are ["x"]'],
  ["an empty part between", () => substring("a", "x", "", "y"), "the parts of a are"],
  ["empty parts only", () => substring("a", "", ""), "the parts of a are"],
] as const) {
  test(`${what} is refused`, () => {
    assert.throws(build, (error: unknown) => error instanceof RangeError && error.message.includes(said));
  });
}

for (const [what, build, said] of [
  ["a truth value", () => equal("a", true as never), "equal(): the value of a is true (a text or an integer is"],
  ["a text to compare with", () => greater("a", "5" as never), 'greater(): the value of a is "5" (an integer is'],
  ["a key that is no text", () => present(5 as never), "present(): the key is 5 (a property's name is"],
  ["a part that is no text", () => substring("a", "x", 5 as never), "substring(): a part of a is 5 (a text is"],
  [
    "an operand that is none",
    () => and("(a=b)", null as never),
    "and(): an operand is null (a filter, built or as text,",
  ],
  ["an array of operands", () => or([present("a"), present("b")] as never, "(a=b)"), "or(): an operand is an array"],
  ["a filter of another type", () => filter(7 as never), "the filter is 7 (a text"],
] as const) {
  test(`${what} is refused as a value of the wrong type`, () => {
    assert.throws(build, (error: unknown) => error instanceof TypeError && error.message.includes(said));
  });
}

test("operands as text: in whatever spelling, but valid", () => {
  assert.is(String(and("(a=b)", not("(c!=*)"), present("d"))), "(&(a=b)(!(c!=*))(d=*))");
  assert.throws(() => or("(a=b)", "(a="), /at character/);
});

test("a filter above 8192 bytes, however it is given: one error, that says so", () => {
  const fits = `(a=${"å".repeat(4094)})`;
  assert.is(Buffer.byteLength(fits), 8192);
  assert.is(canonicalFilter(fits), fits);
  const large = [`(a=${"x".repeat(8189)})`, `(a=${"x".repeat(9000)}`, `(a=${"å".repeat(4095)})`];
  for (const text of large) {
    assert.throws(
      () => canonicalFilter(text),
      (error: unknown) => error instanceof FilterTooLargeError && error instanceof RangeError && error.bytes > 8192,
    );
  }
});

test("what is nested too deeply, too long or too costly is refused when it is built", () => {
  const refused = (build: () => unknown, said: string) =>
    assert.throws(build, (error: unknown) => error instanceof FilterSyntaxError && error.message.includes(said));
  const nest = () => {
    let nested = present("a");
    for (let i = 0; i < 1_000_000; i++) nested = not(nested);
  };
  refused(nest, "deeper than 100 levels");
  assert.throws(
    () => equal("a", "å".repeat(4095)),
    (error: unknown) => error instanceof FilterTooLargeError && error.bytes === 8194,
  );
  refused(() => and(...Array.from({ length: 200 }, () => greater("a", 1))), "too many comparisons");
});

const TEXTS = [
  "a",
  "name",
  "!",
  "!a",
  "a!",
  "(",
  ")",
  "*",
  "**",
  "\\",
  "&",
  "|",
  "=",
  "<>",
  " ",
  "\0",
  "å",
  "😀",
  "\ud800",
];

/** A filter that was built, and the tree that it has to be. */
function random(from: SeededRandom, depth: number): [FilterExpression, Filter] {
  const text = () => from.pick(TEXTS) + (from.below(3) === 0 ? from.pick(TEXTS) : "");
  const key = text();
  const integer = from.below(2) === 0 ? from.below(99) - 49 : from.bigint(70) * (from.below(2) === 0 ? 1n : -1n);
  switch (from.below(depth > 0 ? 8 : 5)) {
    case 0: {
      const value = from.below(2) === 0 ? text() : integer;
      return [equal(key, value), { kind: "equal", key, value: String(value) }];
    }
    case 1:
      return [present(key), { kind: "present", key }];
    case 2:
      return [greater(key, integer), { kind: "greater", key, value: String(integer) }];
    case 3:
      return [less(key, integer), { kind: "less", key, value: String(integer) }];
    case 4: {
      const middle = Array.from({ length: from.below(3) }, text);
      const parts: string[] = [from.below(2) === 0 ? "" : text(), ...middle, from.below(2) === 0 ? "" : text()];
      if (parts.join("") === "") parts[0] = "x";
      return [substring(key, ...parts), { kind: "substring", key, parts }];
    }
    case 5: {
      const [built, operand] = random(from, depth - 1);
      return [not(built), { kind: "not", operand }];
    }
    default: {
      const operands = Array.from({ length: 2 + from.below(2) }, () => random(from, depth - 1));
      const kind = from.below(2) === 0 ? "and" : "or";
      const built = (kind === "and" ? and : or)(...operands.map(([expression]) => expression));
      return [built, { kind, operands: operands.map(([, tree]) => tree) }];
    }
  }
}

test("20,000 random filters: built, printed and parsed they are the tree that was meant", () => {
  for (let seed = 1; seed <= 20_000; seed++) {
    const [built, tree] = random(new SeededRandom(seed), 3);
    assert.is(JSON.stringify(parseFilter(String(built))), JSON.stringify(tree), `seed ${seed}: ${built}`);
    assert.is(JSON.stringify(built.filter), JSON.stringify(tree), `seed ${seed}: ${built}`);
  }
});

test("a value with every special character is found, and nothing else", () => {
  const value = "()*\\&|=<>!";
  for (const built of [equal(value, value), substring(value, "()", "=<>!"), substring(value, "", value, "")]) {
    assert.ok(evaluateNaively(built.filter, properties({ [value]: value })), String(built));
    assert.not.ok(evaluateNaively(built.filter, properties({ [value]: "()x" })), String(built));
  }
});
test.run();
