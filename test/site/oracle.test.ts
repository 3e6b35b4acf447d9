/** The oracle of the site finds each kind of wrong story, and nothing in the right ones. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { keptWrongly } from "../../scripts/site/brokers.js";
import type { Deed, Thing, Told, Trouble } from "../../scripts/site/history.js";
import { differences, judge, stillShown, takenAway } from "../../scripts/site/oracle.js";
import { BOARDS, LOSSES, lossOf, type Part } from "../../scripts/site/plan.js";
import { SABOTAGES, type Sabotage, sabotaged } from "../../scripts/site/sabotage.js";
import {
  BOARD_LINGER,
  BOARD_RECOVERY,
  BROKER_RECOVERY,
  BROKER_UNREST,
  GRACE,
  idleMessages,
  OWNER_LOST,
  PROPAGATION,
  REVIVED,
} from "../../scripts/site/times.js";

/** Long after the beginning. */
const T = 1_000_000;
const END = 10 * T;

const live = (at: number, version = 0): Deed => ({ at, what: "live", version });
const died = (at: number): Deed => ({ at, what: "died" });
const left = (at: number): Deed => ({ at, what: "left" });
const asleep = (at: number, seconds: number): Deed => ({ at, what: "asleep", seconds });

const shown = (at: number, version = 0, type: "appeared" | "modified" = "appeared"): Told => ({
  ...{ at, type, version, serviceId: "7", key: "device1" },
  text: `version=${version}`,
});
const gone = (at: number): Told => ({ at, type: "disappeared", serviceId: "7", key: "device1" });
const trouble = (part: Part, from: number, to: number): Trouble => ({ part, what: "kill", from, to });

interface Story {
  readonly deeds: readonly Deed[];
  readonly told: readonly Told[];
  readonly troubles?: readonly Trouble[];
  readonly home?: Part;
}

function rulesBroken({ deeds, told, troubles = [], home = "south" }: Story): string[] {
  const thing: Thing = { key: "device1", home, deeds };
  const found = judge([thing], [{ board: "attic", told }], troubles, 0, END);
  return [...new Set(found.map(({ rule }) => rule))];
}

const RIGHT: Record<string, Story> = {
  "shown, changed, gone": {
    deeds: [live(10), live(T, 1), left(2 * T)],
    told: [shown(50), shown(T + 100, 1, "modified"), gone(2 * T + 100)],
  },
  "never announced": { deeds: [], told: [] },
  "dead, and gone after the grace": { deeds: [live(10), died(T)], told: [shown(50), gone(T + GRACE + 200)] },
  "back within the grace": { deeds: [live(10), died(T), live(T + 5000)], told: [shown(50)] },
  "asleep for as long as it said": { deeds: [live(10), asleep(T, 20), live(T + 15_000)], told: [shown(50)] },
  "asleep for longer, and gone": { deeds: [live(10), asleep(T, 20)], told: [shown(50), gone(T + 30_100)] },
  "the board was away, and an orphan of it remains for a while": {
    deeds: [live(10), left(T)],
    told: [shown(50), gone(T + BOARD_LINGER)],
    troubles: [trouble("yard", T - 1000, T + 1000)],
  },
  "late on a board that has just been started again": {
    deeds: [live(10), live(T, 1)],
    told: [shown(50), shown(T + BOARD_RECOVERY, 1, "modified")],
    troubles: [trouble("attic", T - 100, T + 100)],
  },
  "gone for a while after its broker was": {
    deeds: [live(10), live(T + 5000)],
    told: [shown(50), gone(T + 20_000), shown(T + 40_000)],
    troubles: [trouble("north", T, T + 1000)],
  },
  "a device comes while its owner may be frozen": {
    deeds: [live(T)],
    told: [shown(T + OWNER_LOST.noticed + OWNER_LOST.takeover - 2000)],
    troubles: [{ ...trouble("yard", T - 1000, T + 60_000), what: "freeze" }],
  },
  "a device comes when its owner may have just died": {
    deeds: [live(T)],
    told: [shown(T + OWNER_LOST.takeover - 200)],
    troubles: [trouble("yard", T - 100, T + 60_000)],
  },
  "services of a board that is away come late": {
    deeds: [live(T)],
    told: [shown(T + BOARD_RECOVERY)],
    troubles: [trouble("yard", T - 100, T + 100)],
    home: "yard",
  },
};
for (const [title, story] of Object.entries(RIGHT)) test(`right: ${title}`, () => assert.equal(rulesBroken(story), []));

const WRONG: Record<string, Story & { readonly rule: string }> = {
  "a device came long after its owner may have frozen": {
    deeds: [live(T)],
    told: [shown(T + OWNER_LOST.noticed + OWNER_LOST.takeover + 2000)],
    troubles: [{ ...trouble("yard", T - 1000, T + 60_000), what: "freeze" }],
    rule: "shown",
  },
  "a device came long after its owner may have died": {
    deeds: [live(T)],
    told: [shown(T + OWNER_LOST.takeover + 1000)],
    troubles: [trouble("yard", T - 1000, T + 60_000)],
    rule: "shown",
  },
  "never shown": { deeds: [live(T)], told: [], rule: "shown" },
  "shown too late": { deeds: [live(T)], told: [shown(T + PROPAGATION + 100)], rule: "shown" },
  "a change that is not shown": { deeds: [live(10), live(T, 1)], told: [shown(50)], rule: "shown" },
  "trouble of another board does not excuse that nothing is shown": {
    deeds: [live(T)],
    told: [shown(T + BOARD_RECOVERY)],
    troubles: [trouble("yard", T - 100, T + 100)],
    rule: "shown",
  },
  "still missing long after the broker is back": {
    deeds: [live(10), live(T + 5000)],
    told: [shown(50), gone(T + 20_000)],
    troubles: [trouble("north", T, T + 1000)],
    rule: "shown",
  },
  "gone for a moment": { deeds: [live(10)], told: [shown(50), gone(T), shown(T + 1)], rule: "held" },
  "gone for a moment because a board was": {
    deeds: [live(10)],
    told: [shown(50), gone(T), shown(T + 1)],
    troubles: [trouble("yard", T - 1000, T + 1000), trouble("attic", T - 5000, T - 4000)],
    rule: "held",
  },
  "gone for a moment long after the bridge was cut": {
    deeds: [live(10)],
    told: [shown(50), gone(T), shown(T + 1)],
    troubles: [trouble("bridge", T - BROKER_UNREST - 2000, T - BROKER_UNREST - 1000)],
    rule: "held",
  },
  "gone for a moment long after a broker's trouble": {
    deeds: [live(10)],
    told: [shown(50), gone(T), shown(T + 1)],
    troubles: [trouble("north", T - BROKER_UNREST - 2000, T - BROKER_UNREST - 1000)],
    rule: "held",
  },
  "gone long after it came back": {
    deeds: [live(10), died(T), live(T + 5000)],
    told: [shown(50), gone(T + 6000 + REVIVED), shown(T + 7000 + REVIVED)],
    rule: "held",
  },
  "left, and still shown": { deeds: [live(10), left(T)], told: [shown(50)], rule: "gone" },
  "dead, and still shown after the grace": {
    deeds: [live(10), died(T)],
    told: [shown(50), gone(T + GRACE + PROPAGATION + 500)],
    rule: "gone",
  },
  "asleep for too long, and still shown": { deeds: [live(10), asleep(T, 20)], told: [shown(50)], rule: "gone" },
  "an orphan that stays": {
    deeds: [live(10), left(T)],
    told: [shown(50), gone(T + 2000 + BOARD_LINGER)],
    troubles: [trouble("yard", T - 1000, T + 1000)],
    rule: "gone",
  },
  "it comes back from the dead": {
    deeds: [live(10), left(T)],
    told: [shown(50), gone(T + 100), shown(2 * T)],
    rule: "gone",
  },
  "trouble that was over long before does not excuse": {
    deeds: [live(10), left(T)],
    told: [shown(50), gone(T + 20_000)],
    troubles: [trouble("yard", T - BOARD_RECOVERY - 2000, T - BOARD_RECOVERY - 1000)],
    rule: "gone",
  },
  "a version that was not announced": {
    deeds: [live(10)],
    told: [shown(50), shown(T, 3, "modified")],
    rule: "true",
  },
  "a version before it was announced": {
    deeds: [live(10), live(T, 1)],
    told: [shown(50), shown(T - 1, 1, "modified")],
    rule: "true",
  },
  "another id": { deeds: [live(10)], told: [shown(50), { ...shown(T), serviceId: "8" }], rule: "true" },
};
for (const [title, { rule, ...story }] of Object.entries(WRONG)) {
  test(`wrong: ${title}`, () => assert.equal(rulesBroken(story), [rule]));
}

test("what nobody announced is not shown", () => {
  assert.is(judge([], [{ board: "attic", told: [shown(T)] }], [], 0, END)[0]!.rule, "true");
});

const thing = (...deeds: Deed[]): Thing => ({ key: "device1", home: "north", deeds });

test("in the end boards show the latest version, no more and no less, and agree", () => {
  const views = (...told: Told[][]) => told.map((each, i) => ({ board: BOARDS[i]!, told: each }));
  const there = [thing(live(10), live(T, 1))];
  const right = [shown(50), shown(T + 1, 1, "modified")];
  assert.equal(differences(there, views(right, [shown(T + 5, 1)]), END), []);
  assert.is(differences(there, views(right, [shown(50)]), END).length, 2); // another version, and another text
  assert.is(differences(there, views(right, []), END).length, 1);
  assert.is(differences([thing(live(10), left(T))], views(right), END).length, 1);
  assert.is(differences([thing(live(10), asleep(T, 20))], views([shown(50)]), END).length, 1);
  assert.equal(differences([thing(live(10), asleep(T, 20))], views([shown(50)]), T + 1000), []);
  const otherwise = { ...shown(T + 5, 1), text: "something else" };
  assert.is(differences(there, views(right, [otherwise]), END).length, 1);
});

test("what is lost is not shown where it is lost, and nothing else is taken away", () => {
  const { worlds } = lossOf(1, "bridge"); // attic and yard at the north, cellar at the south
  const things = (["attic", "cellar", "north", "south"] as const).map((home) => ({
    key: home,
    home,
    deeds: [live(10)],
  }));
  const told = (...keys: string[]) => keys.map((key) => ({ ...shown(50), key }));
  const view = (board: string, ...keys: string[]) => ({ board, told: told(...keys) });
  assert.equal(stillShown(things, [view("attic", "attic", "north"), view("cellar", "cellar", "south")], worlds), []);
  assert.equal(
    stillShown(things, [view("yard", "cellar", "south"), view("cellar", "attic", "north")], worlds).length,
    4,
  );
  assert.equal(
    differences(things, [view("attic", "attic", "north"), view("cellar", "cellar", "south")], T, worlds),
    [],
  );
  assert.equal(differences(things, [view("attic", "attic"), view("cellar", "cellar", "south")], T, worlds).length, 1);
  const board = lossOf(1, "board");
  const dead = board.parts[0]!;
  assert.equal(stillShown(things, [view(dead, ...BOARDS)], board.worlds), []);
  const frozen = lossOf(1, "frozen").worlds; // cellar has no broker at all: it keeps its devices for a while
  assert.equal(stillShown(things, [view("cellar", "north", "south", "cellar")], frozen), []);
  assert.equal(stillShown(things, [view("cellar", "attic")], frozen).length, 1);
  const gone = (key: string, at: number): Told => ({ at, type: "disappeared", serviceId: "7", key });
  const taken = [...told("attic", "cellar"), gone("attic", T), gone("cellar", T + 1)];
  assert.equal(takenAway(things, [{ board: "yard", told: taken }], worlds, T).length, 1);
  assert.equal(takenAway(things, [{ board: "yard", told: taken }], worlds, T + 1), []);
});

test("each kind of loss is drawn from some seed", () => {
  assert.is(new Set(Array.from({ length: 30 }, (_, seed) => lossOf(seed).kind)).size, LOSSES.length);
});

test("brokers keep the same, and each service once", () => {
  const kept = {
    "pf1/site/s/attic/0000000000000007": "{}",
    "sd1/m/lamp/0000000000000007": "1;60",
    "sd1/g/attic": "1;10;1",
    "sd1/s/device1": "1",
    "pf1/site/b/attic": "1;0123456789ab;60;6;1",
  };
  const wrong = (north: object, south: object) =>
    keptWrongly({ north: new Map(Object.entries(north)), south: new Map(Object.entries(south)) }, ["0000000000000007"]);
  assert.equal(wrong(kept, { ...kept, "sd1/s/device1": "0" }), []); // devices put that right themselves
  assert.is(wrong(kept, { ...kept, "sd1/g/attic": "0" }).length, 1);
  assert.is(wrong(kept, { ...kept, "pf1/site/b/yard": "0" }).length, 1);
  assert.equal(wrong(kept, { ...kept, "pf1/site/b/attic": "1;0123456789ab;66;6;1" }), []); // the next heartbeat
  assert.is(wrong(kept, { ...kept, "pf1/site/b/attic": "1;0123456789ac;66;6;1" }).length, 1);
  const twice = { ...kept, "pf1/site/s/yard/0000000000000007": "{}" };
  assert.equal(wrong(twice, twice), ["pf1/site/s/+/0000000000000007 is kept 2 times"]);
  const more = { ...kept, "sd1/m/lamp/0000000000000008": "1;60" };
  assert.is(wrong(more, more).length, 1);
  assert.is(wrong({}, {}).length, 2);
});

/** Each kind of sabotage, done to a story in which everything is right. */
const SABOTAGED: Partial<Record<Sabotage, readonly string[]>> = {
  ghosts: ["gone"],
  flap: ["held"],
  blind: ["shown"],
  stale: ["shown"],
  forged: ["true"],
};
for (const [kind, rules] of Object.entries(SABOTAGED)) {
  test(`sabotage is found: ${kind}`, () => {
    const things = Array.from({ length: 50 }, (_, i) => ({
      key: `device${i}`,
      home: "north" as const,
      deeds: [live(10), live(T, 1), left(2 * T)],
    }));
    const told: Told[] = [];
    const tell = sabotaged(kind as Sabotage, (one) => told.push(one));
    for (const what of [shown(50), shown(T + 100, 1, "modified"), gone(2 * T + 100)]) {
      for (const [i, { key }] of things.entries()) tell({ ...what, key, serviceId: String(i) });
    }
    const found = new Set(judge(things, [{ board: "attic", told }], [], 0, END).map(({ rule }) => rule));
    for (const rule of rules) assert.ok(found.has(rule as never), `${rule} in ${[...found]}`);
    assert.ok(rules.includes(SABOTAGES[kind as Sabotage]));
  });
}

test("a differing board is found in the end", () => {
  const [told, other]: Told[][] = [[], []];
  sabotaged("differing", (one) => told!.push(one))(shown(50));
  sabotaged(undefined, (one) => other!.push(one))(shown(50));
  const views = [
    { board: "attic", told: told! },
    { board: "yard", told: other! },
  ];
  assert.is(differences([thing(live(10))], views, END).length, 1);
});

test("an echo of a few messages a second is more than an idle site carries", () => {
  assert.ok(idleMessages(15, 25, 15) < 15 * 20);
  assert.ok(BROKER_RECOVERY < BROKER_UNREST);
});

test.run();
