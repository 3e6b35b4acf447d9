/**
 * What the browser makes of other hosts' queries, from their bytes on: duplicate questions (RFC 6762, 7.3), known answers
 * in several packets (7.2), failures that are observed (10.5).
 */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { OverheardQuestions } from "../../../src/gateway/mdns/overheard-questions.js";
import { Bench, type QueryParts, queryPacket } from "./browser-bench.js";
import { addressRecord, instance, pointerRecord, srvRecord, txtRecord } from "./records.js";

const TYPE = { name: "_x._tcp.local", type: "PTR" };
const ptrTimes = (asked: readonly string[]) =>
  asked.filter((line) => line.includes("PTR")).map((line) => Number.parseInt(line, 10));

/** The browser asks at 20, 1020, 3020, 7020 …; it hears instance "ours" at 100; `heard` comes at 2500. */
function nextQuestion(...heard: readonly [parts: QueryParts, address?: string, port?: number][]): number {
  const bench = new Bench();
  bench.during(100);
  bench.hear(...instance("ours"), pointerRecord("old"));
  bench.during(2400);
  for (const [parts, address, port] of heard) bench.overhear(queryPacket(parts), address, port);
  return ptrTimes(bench.during(5000))[0];
}

const OURS = 3020;
/** At 2500 counts as asked; the next gap is 4 s. */
const SUPPRESSED = 6500;
const long = (from: number) => Array.from({ length: 40 }, (_, i) => `instance ${from + i}`);
const CASES: readonly [what: string, at: number, heard: readonly [QueryParts, string?, number?][]][] = [
  ["no query", OURS, []],
  ["the same question, without known answers", SUPPRESSED, [[{ questions: [TYPE] }]]],
  ["in other case", SUPPRESSED, [[{ questions: [{ name: "_X._TCP.Local", type: "PTR" }] }]]],
  ["among others", SUPPRESSED, [[{ questions: [{ name: "_y._tcp.local", type: "PTR" }, TYPE] }]]],
  ["with an answer that we know, too", SUPPRESSED, [[{ questions: [TYPE], known: ["ours"] }]]],
  ["with one that we do not know", OURS, [[{ questions: [TYPE], known: ["ours", "theirs"] }]]],
  ["wanting a unicast answer", OURS, [[{ questions: [{ ...TYPE, qu: true }] }]]],
  ["of another type", OURS, [[{ questions: [{ ...TYPE, type: "TXT" }] }]]],
  ["of another name", OURS, [[{ questions: [{ ...TYPE, name: "_y._tcp.local" }] }]]],
  ["from another port", OURS, [[{ questions: [TYPE] }, "10.0.0.3", 40000]]],
  ["a probe", OURS, [[{ questions: [TYPE], probe: "_x._tcp.local" }]]],
  ["truncated, the rest missing", OURS, [[{ questions: [TYPE], truncated: true }]]],
  ["in two parts", SUPPRESSED, [[{ questions: [TYPE], truncated: true }], [{ known: ["ours"] }]]],
  [
    "in three parts, the last with one that we do not know",
    OURS,
    [[{ questions: [TYPE], truncated: true }], [{ known: ["ours"], truncated: true }], [{ known: ["theirs"] }]],
  ],
  [
    "in two parts, from two hosts",
    OURS,
    [
      [{ questions: [TYPE], truncated: true }, "10.0.0.3"],
      [{ known: ["ours"] }, "10.0.0.4"],
    ],
  ],
  ["a part without a begin", OURS, [[{ known: ["ours"] }]]],
  [
    "40 × 120 known answers in a chain: more than is looked at",
    OURS,
    [
      [{ questions: [TYPE], truncated: true }],
      ...Array.from({ length: 120 }, (_, i) => [{ known: long(40 * i), truncated: i < 119 }] as [QueryParts]),
    ],
  ],
];
for (const [what, at, heard] of CASES) {
  const effect = at === OURS ? "does not stand for ours" : "stands for ours";
  test(`another host's question, ${what}, ${effect}`, () => assert.is(nextQuestion(...heard), at));
}

test("the second part of a question counts for half a second only", () => {
  const bench = new Bench();
  bench.during(2400);
  bench.overhear(queryPacket({ questions: [TYPE], truncated: true }));
  bench.during(501);
  bench.overhear(queryPacket({}));
  assert.is(ptrTimes(bench.during(5000))[0], OURS);
});

test("hosts that begin a chain and never end it take no more than a bounded place, and leave none for long", () => {
  const bench = new Bench();
  bench.during(2000);
  for (let i = 0; i < 200; i++) bench.overhear(queryPacket({ questions: [TYPE], truncated: true }), `10.0.1.${i}`);
  bench.overhear(queryPacket({}), "10.0.1.150"); // had no room
  assert.is(ptrTimes(bench.during(1500))[0], OURS);
  bench.during(3000);
  bench.overhear(queryPacket({ questions: [TYPE], truncated: true }), "10.0.1.150");
  bench.overhear(queryPacket({}), "10.0.1.150");
  assert.is(ptrTimes(bench.during(5000)).length, 0, "asked at 6500 for us: next at 14500");
});

test("a question in the first half of the gap does not stand for ours: its answers are no news", () => {
  const bench = new Bench();
  bench.during(1500); // asked at 1020, next at 3020
  bench.overhear(queryPacket({ questions: [TYPE] }));
  assert.is(ptrTimes(bench.during(5000))[0], OURS);
});

test("a question over IPv4 alone does not stand for one over both families", () => {
  for (const [families, at] of [
    [["10.0.0.3"], OURS],
    [["10.0.0.3", "10.0.0.3"], OURS],
    [["10.0.0.3", "fe80::3%eth0"], SUPPRESSED],
  ] as const) {
    const bench = new Bench();
    bench.families = [4, 6];
    bench.during(2500);
    for (const address of families) bench.overhear(queryPacket({ questions: [TYPE] }), address);
    assert.is(ptrTimes(bench.during(5000))[0], at);
  }
});

test("what another host asked within the last second of an instance is not asked again", () => {
  const bench = new Bench();
  bench.hear(pointerRecord("a"));
  const questions = ["SRV", "TXT"].map((type) => ({ name: "a._x._tcp.local", type }));
  bench.overhear(queryPacket({ questions }));
  assert.equal(
    bench.during(900).filter((line) => !line.includes("PTR")),
    [],
  );
  assert.is(bench.during(1000).filter((line) => !line.includes("PTR")).length, 2, "the next time it is");
});

test("no more questions are remembered than the limit, and none for more than a second", () => {
  const overheard = new OverheardQuestions();
  for (let i = 0; i < 600; i++) overheard.add(`question ${i}`, 4, 0);
  assert.equal(
    [0, 511, 512].map((i) => overheard.has(`question ${i}`, [4], 0)),
    [true, true, false],
  );
  overheard.add("question 0", 4, 1500);
  overheard.add("question 0", 6, 1600);
  overheard.add("another", 4, 1700);
  assert.equal(
    ["question 0", "another", "question 1"].map((key) => overheard.has(key, [4], 1700)),
    [true, true, false],
  );
  assert.ok(overheard.has("question 0", [4, 6], 1700));
  assert.not.ok(overheard.has("another", [4, 6], 1700));
  for (let i = 0; i < 600; i++) overheard.add(`later ${i}`, 4, 2900);
  assert.ok(overheard.has("later 511", [4], 2900), "what is older has made room");
});

const ask = (bench: Bench, name: string, type: string, from?: string) =>
  bench.overhear(queryPacket({ questions: [{ name, type }] }), from);
const SRV = ["a._x._tcp.local", "SRV"] as const;

test("two unanswered questions of others and ten seconds: the record is gone", () => {
  const bench = new Bench();
  bench.hear(...instance("a"));
  bench.during(5000);
  ask(bench, ...SRV);
  bench.during(1000);
  ask(bench, ...SRV);
  bench.during(9999);
  assert.ok(bench.view());
  bench.during(1);
  assert.is(bench.view(), undefined);
});

const KEPT: readonly [what: string, happens: (bench: Bench) => void][] = [
  ["one question", (bench) => ask(bench, ...SRV)],
  [
    "two within a second, which are answered once",
    (bench) => {
      ask(bench, ...SRV);
      bench.during(900);
      ask(bench, ...SRV);
    },
  ],
  [
    "an answer to the second",
    (bench) => {
      ask(bench, ...SRV);
      bench.during(2000);
      ask(bench, ...SRV);
      bench.during(100);
      bench.hear(srvRecord("a"));
    },
  ],
  [
    "an answer between them",
    (bench) => {
      ask(bench, ...SRV);
      bench.during(100);
      bench.hear(srvRecord("a"));
      bench.during(2000);
      ask(bench, ...SRV);
    },
  ],
  [
    "questions over the other family",
    (bench) => {
      for (let i = 0; i < 5; i++) {
        ask(bench, ...SRV, "fe80::3%eth0");
        bench.during(1000);
      }
    },
  ],
  [
    "questions that name the record as known",
    (bench) => {
      for (let i = 0; i < 5; i++) {
        bench.overhear(queryPacket({ questions: [TYPE], known: ["a"] }));
        bench.during(1000);
      }
    },
  ],
];
for (const [what, happens] of KEPT) {
  test(`${what}: the record stays`, () => {
    const bench = new Bench();
    bench.hear(...instance("a"));
    bench.during(5000);
    happens(bench);
    bench.during(15_000);
    assert.ok(bench.view());
  });
}

test("pointers that nobody answers for go, and those that are answered stay", () => {
  const bench = new Bench();
  bench.hear(...instance("a"), pointerRecord("b"), srvRecord("b"), txtRecord("b"));
  bench.during(5000);
  for (let i = 0; i < 2; i++) {
    bench.overhear(queryPacket({ questions: [TYPE] }));
    bench.during(100);
    bench.hear(pointerRecord("b"));
    bench.during(2000);
  }
  bench.during(9000);
  assert.is(bench.view("a"), undefined);
  assert.ok(bench.view("b"));
  assert.is(bench.browser.counts.instances, 1);
});

test("a question for ANY counts for each of the name's records", () => {
  const bench = new Bench();
  bench.hear(...instance("a"));
  bench.during(5000);
  for (let i = 0; i < 2; i++) {
    ask(bench, "h.local", "ANY");
    bench.during(1000);
  }
  bench.during(9000);
  assert.is(bench.view(), undefined);
});

test("a failure that is observed causes no questions of our own but those that are due", () => {
  const bench = new Bench();
  bench.hear(...instance("a"), addressRecord("h", "fd00::2"));
  bench.during(5000);
  for (let i = 0; i < 2; i++) {
    ask(bench, ...SRV);
    bench.during(1000);
  }
  assert.equal(
    bench.during(8000).filter((line) => !line.includes("PTR")),
    [],
  );
});

test.run();
