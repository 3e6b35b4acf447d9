/** The oracle of the scenarios finds each kind of wrong story, and nothing in the right ones. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { FILTERS, type Filter, propertiesOf, textOf } from "../../scripts/scenario/contents.js";
import { Hearing } from "../../scripts/scenario/hearing.js";
import type { Life, Subscription, Told } from "../../scripts/scenario/history.js";
import { type LinkReport, Links } from "../../scripts/scenario/links.js";
import { differences, judge } from "../../scripts/scenario/oracle.js";
import type { Fault } from "../../scripts/scenario/plan.js";
import { lingers, PROPAGATION, RECOVERY } from "../../scripts/scenario/times.js";
import { Troubles } from "../../scripts/scenario/troubles.js";

const KEY = "p1-0";
const TTL = 4;
const END = 1_000_000;
/** Long after the beginning, so that everything is settled. */
const T = 100_000;

type Word = readonly [at: number, type: Told["type"], version?: number, text?: string];

interface Story {
  readonly versions?: readonly (readonly [at: number, version: number, ttlSeconds?: number])[];
  readonly end?: Life["end"];
  readonly told: readonly Word[];
  readonly troubles?: readonly { server: number; from: number; to: number; host?: string; what?: Fault["kind"] }[];
  /** When whom held that it was connected to which server; nothing is known of whom it does not name. */
  readonly connected?: readonly { who: "p1" | "c1"; server: number; from: number; to: number }[];
  readonly filter?: Filter;
  readonly from?: number;
  readonly to?: number;
}

const ADDRESSES = ["tcp:192.0.2.1:1", "tcp:192.0.2.2:1"];

const toldAs = ([at, type, version, text]: Word): Told => ({
  at,
  type,
  serviceId: "7",
  ...(version === undefined ? {} : { version, text: text ?? textOf(propertiesOf(KEY, version)) }),
});

function evidenceOf({
  versions = [[0, 0]],
  end,
  told,
  troubles = [],
  connected = [],
  filter = FILTERS[0]!,
  from = 0,
  to = END,
}: Story) {
  const life: Life = {
    key: KEY,
    serviceId: "7",
    producer: "p1",
    host: "west",
    versions: versions.map(([at, version, ttlSeconds = TTL]) => ({ at, version, ttlSeconds })),
    ...(end ? { end } : {}),
  };
  const subscription: Subscription = {
    consumer: "c1.0",
    client: "c1",
    host: "east",
    filter,
    from,
    to,
    told: told.map(toldAs),
  };
  const known = new Troubles(2);
  for (const { server, from, to, host, what = "kill" } of troubles) known.begin(server, what, from, host).over(to);
  const reports = connected.flatMap(({ who, server, from, to }): LinkReport[] => [
    { who, address: ADDRESSES[server]!, state: "operational", at: from },
    { who, address: ADDRESSES[server]!, state: "waiting", at: to },
  ]);
  const links = new Links(
    reports.sort((a, b) => a.at - b.at),
    ADDRESSES,
  );
  return { lives: new Map([["7", life]]), subscriptions: [subscription], hearing: new Hearing(known, links) };
}

function rulesBroken(story: Story): string[] {
  const { lives, subscriptions, hearing } = evidenceOf(story);
  return judge(lives, subscriptions, hearing).map(({ rule }) => rule);
}

const APPEARED: Word = [10, "appeared", 0];
const ALWAYS = { from: 0, to: END };
const always = (who: "p1" | "c1") => [0, 1].map((server) => ({ who, server, ...ALWAYS }));
/** Connected but for the time between. */
const away = (who: "p1" | "c1", server: number, from: number, to: number) => [
  { who, server, from: 0, to: from },
  { who, server, from: to, to: END },
];
const both = (from: number, to: number) => [0, 1].map((server) => ({ server, from, to }));

for (const [title, story] of [
  ["published and shown", { told: [APPEARED] }],
  [
    "changed and withdrawn",
    {
      versions: [
        [0, 0],
        [T, 1],
      ],
      end: { at: 2 * T, how: "withdrawn" },
      told: [APPEARED, [T + 10, "modified", 1], [2 * T + 10, "disappeared"]],
    },
  ],
  [
    "versions in between are not shown",
    {
      versions: [
        [T, 0],
        [T + 1, 1],
        [T + 2, 2],
      ],
      told: [[T + 20, "appeared", 2]],
    },
  ],
  [
    "TTLs are not shown",
    {
      versions: [
        [0, 0],
        [T, 0, 6],
      ],
      told: [APPEARED],
    },
  ],
  [
    "lost a TTL after all servers were",
    {
      told: [APPEARED, [T + TTL * 1000, "disappeared"], [T + 30_000, "appeared", 0]],
      troubles: both(T, T + 29_000),
    },
  ],
  [
    "one server lost it long ago, the other one just went",
    {
      told: [APPEARED, [T + 20_100, "disappeared"], [T + 22_000, "appeared", 0]],
      troubles: [
        { server: 0, from: T, to: T + 21_000, host: "west" },
        { server: 1, from: T + 20_000, to: T + 21_000, host: "east" },
      ],
    },
  ],
  [
    "abandoned, and there until the TTL is over",
    { end: { at: T, how: "abandoned" }, told: [APPEARED, [T + TTL * 1000 + 100, "disappeared"]] },
  ],
  [
    "withdrawn behind a server's back, and there for a while",
    {
      end: { at: T + 10, how: "withdrawn" },
      told: [APPEARED, [T + lingers(TTL) - 1, "disappeared"]],
      troubles: [{ server: 0, from: T, to: T + 1000 }],
    },
  ],
  [
    "a server stood still meanwhile",
    {
      end: { at: T + 10, how: "withdrawn" },
      told: [APPEARED, [T + lingers(TTL) + 8000, "disappeared"]],
      troubles: [{ server: 0, from: T, to: T + 9000, what: "freeze" }],
    },
  ],
  [
    "the producer was lost for the TTL, though both clients are there",
    {
      told: [APPEARED, [T + 20_000, "disappeared"], [T + 20_500, "appeared", 0]],
      troubles: both(T, T + 40_000),
      connected: [...always("c1"), ...[0, 1].flatMap((server) => away("p1", server, T, T + 20_400))],
    },
  ],
  [
    "a server that lost the producer for the TTL says so, the other one has just gone",
    {
      told: [APPEARED, [T + 20_000, "disappeared"], [T + 22_000, "appeared", 0]],
      troubles: both(T, T + 21_000),
      connected: [
        ...away("p1", 0, T, T + 21_000),
        ...away("c1", 1, T + 19_800, T + 21_000),
        { who: "p1", server: 1, ...ALWAYS },
        { who: "c1", server: 0, ...ALWAYS },
      ],
    },
  ],
  [
    "what a server says late, because the consumer did not hear it meanwhile",
    {
      told: [APPEARED, [T + 20_000, "disappeared"], [T + 20_500, "appeared", 0]],
      troubles: [
        { server: 0, from: T, to: T + 19_900, what: "deafen", host: "east" },
        { server: 0, from: T, to: T + 17_000, host: "west" },
        { server: 1, from: T + 18_500, to: T + 21_000 },
      ],
      connected: [
        ...away("p1", 0, T + 1000, T + 18_000),
        ...away("p1", 1, T + 18_500, T + 21_000),
        ...away("c1", 1, T + 18_500, T + 21_000),
        { who: "c1", server: 0, ...ALWAYS },
      ],
    },
  ],
  [
    "a server that has lost the producer just now is connected again, but has not been heard",
    {
      told: [APPEARED, [T + 20_000, "disappeared"], [T + 22_000, "appeared", 0]],
      troubles: both(T, T + 21_000),
      connected: [
        { who: "c1", server: 0, ...ALWAYS },
        ...away("p1", 0, T, T + 21_000),
        ...away("c1", 1, T + 18_000, T + 19_000),
        ...away("p1", 1, T + 18_500, T + 21_000),
      ],
    },
  ],
  [
    "withdrawn while the consumer was disconnected, given up, and back for what is left of the TTL at another server",
    {
      end: { at: T + 10, how: "withdrawn" },
      told: [APPEARED, [T + 4000, "disappeared"], [T + 5000, "appeared", 0], [T + 8000, "disappeared"]],
      troubles: [
        { server: 0, from: T, to: T + 4000 },
        { server: 1, from: T, to: T + 4500, what: "cut" },
      ],
      connected: [0, 1].flatMap((server) => [...away("c1", server, T, T + 4900), ...away("p1", server, T, T + 4900)]),
    },
  ],
  [
    "who is connected to a server that is cut off hears nothing",
    {
      from: T + 100,
      told: [[T + 12_000, "appeared", 0]],
      troubles: [
        { server: 0, from: T - 50_000, to: T + 11_000 },
        { server: 1, from: T, to: T + 11_000, what: "cut" },
      ],
      connected: (["p1", "c1"] as const).flatMap((who) => [
        ...away(who, 0, T - 50_000, T + 11_500),
        ...away(who, 1, T + 3200, T + 11_500),
      ]),
    },
  ],
  [
    "a TTL is over a little early",
    {
      told: [APPEARED, [T + TTL * 1000 - 900, "disappeared"], [T + 30_000, "appeared", 0]],
      troubles: both(T, T + 29_000),
    },
  ],
  [
    "the TTL that was in effect when the producer was lost counts",
    {
      versions: [
        [0, 0, 3],
        [T + 100, 0, 6],
      ],
      told: [APPEARED, [T + 3100, "disappeared"], [T + 9100, "appeared", 0]],
      troubles: both(T, T + 9000),
    },
  ],
] as [string, Story][]) {
  test(`right: ${title}`, () => assert.equal(rulesBroken(story), []));
}

for (const [title, expected, story] of [
  [
    "disappeared while every server had it",
    ["held", "shown"],
    { told: [APPEARED, [T, "disappeared"], [T + 10, "appeared", 0]] },
  ],
  [
    "disappeared while one server had it",
    ["held", "shown"],
    {
      told: [APPEARED, [T + 20_000, "disappeared"], [T + 20_010, "appeared", 0]],
      troubles: [{ server: 0, from: T, to: T + 30_000 }],
    },
  ],
  [
    "given up before the TTL was over",
    ["held"],
    { told: [APPEARED, [T + 1000, "disappeared"], [T + 5000, "appeared", 0]], troubles: both(T, T + 4000) },
  ],
  [
    "a trouble of hosts that are not concerned is none",
    ["held", "shown"],
    {
      told: [APPEARED, [T + 20_000, "disappeared"], [T + 20_010, "appeared", 0]],
      troubles: both(T, T + 30_000).map((one) => ({ ...one, host: "south" })),
    },
  ],
  [
    "given up while connected to a server that had it, whatever troubles there were",
    ["held", "shown"],
    {
      told: [APPEARED, [T + 20_000, "disappeared"], [T + 21_000, "appeared", 0]],
      troubles: both(T, T + 30_000),
      connected: [...away("p1", 0, T, T + 30_000), ...away("c1", 0, T, T + 30_000)].concat(
        (["p1", "c1"] as const).map((who) => ({ who, server: 1, ...ALWAYS })),
      ),
    },
  ],
  [
    "a server says that it has gone, while another one that is connected has it",
    ["held"],
    {
      told: [APPEARED, [T + 20_000, "disappeared"], [T + 21_000, "appeared", 0]],
      troubles: both(T, T + 30_000),
      connected: [...always("c1"), ...away("p1", 0, T, T + 30_000), ...away("p1", 1, T + 19_000, T + 20_500)],
    },
  ],
  [
    "gone less than the TTL after a server that is still connected lost the producer",
    ["held"],
    {
      told: [APPEARED, [T + 1500, "disappeared"], [T + 9000, "appeared", 0]],
      troubles: both(T, T + 8000),
      connected: [...always("c1"), ...[0, 1].flatMap((server) => away("p1", server, T, T + 8500))],
    },
  ],
  [
    "one server lost it long ago, but it could not tell, and the other one just went",
    ["held"],
    {
      told: [APPEARED, [T + 20_100, "disappeared"], [T + 22_000, "appeared", 0]],
      troubles: [
        { server: 0, from: T, to: T + 21_000 },
        { server: 1, from: T + 20_000, to: T + 21_000 },
      ],
      connected: [
        ...away("p1", 0, T, T + 21_000),
        ...away("c1", 0, T, T + 21_000),
        ...away("p1", 1, T + 20_000, T + 21_000),
        ...away("c1", 1, T + 20_000, T + 21_000),
      ],
    },
  ],
  [
    "the short TTL that it had long ago does not count",
    ["held"],
    {
      versions: [
        [0, 0, 3],
        [T - 50_000, 0, 6],
      ],
      told: [APPEARED, [T + 3100, "disappeared"], [T + 9100, "appeared", 0]],
      troubles: both(T, T + 9000),
    },
  ],
  [
    "not shown although both have been connected to one server for long",
    ["shown"],
    {
      told: [APPEARED, [T + 10_000, "disappeared"], [T + 18_000, "appeared", 0]],
      troubles: both(T, T + 30_000),
      connected: (["p1", "c1"] as const).flatMap((who) => [0, 1].flatMap((s) => away(who, s, T, T + 11_000 + s))),
    },
  ],
  ["never shown", ["shown"], { told: [] }],
  [
    "not shown again when a server is back",
    ["shown"],
    { told: [APPEARED, [T + 10_000, "disappeared"]], troubles: both(T, T + 15_000) },
  ],
  [
    "shown again too late",
    ["shown"],
    {
      told: [APPEARED, [T + 10_000, "disappeared"], [T + 15_000 + RECOVERY + PROPAGATION, "appeared", 0]],
      troubles: both(T, T + 15_000),
    },
  ],
  [
    "a change that never came",
    ["shown"],
    {
      versions: [
        [0, 0],
        [T, 1],
      ],
      told: [APPEARED],
    },
  ],
  ["nothing for a new subscription", ["shown"], { from: T, told: [] }],
  ["withdrawn, but still shown", ["gone"], { end: { at: T, how: "withdrawn" }, told: [APPEARED] }],
  [
    "withdrawn behind a server's back, and never gone",
    ["gone"],
    { end: { at: T + 10, how: "withdrawn" }, told: [APPEARED], troubles: both(T, T + 1000) },
  ],
  [
    "risen from the dead",
    ["gone"],
    {
      end: { at: T, how: "withdrawn" },
      told: [APPEARED, [T + 10, "disappeared"], [T + 40_000, "appeared", 0], [T + 40_010, "disappeared"]],
    },
  ],
  [
    "back from the dead, though the consumer had heard that it was withdrawn",
    ["gone"],
    {
      end: { at: T + 10, how: "withdrawn" },
      told: [APPEARED, [T + 20, "disappeared"], [T + 5000, "appeared", 0], [T + 9000, "disappeared"]],
      troubles: [{ server: 1, from: T, to: T + 4000, what: "cut" }],
      connected: [...away("c1", 1, T + 3200, T + 4500), ...away("p1", 1, T + 3200, T + 4500)].concat(
        (["p1", "c1"] as const).map((who) => ({ who, server: 0, ...ALWAYS })),
      ),
    },
  ],
  [
    "a server stood still, but long afterwards",
    ["gone"],
    {
      end: { at: T + 10, how: "withdrawn" },
      told: [APPEARED, [T + lingers(TTL) + 100, "disappeared"]],
      troubles: [
        { server: 0, from: T, to: T + 9 },
        { server: 1, from: T + 60_000, to: T + 69_000, what: "freeze" },
      ],
    },
  ],
  ["abandoned, and for ever there", ["gone"], { end: { at: T, how: "abandoned" }, told: [APPEARED] }],
  ["a version that nobody published", ["true"], { told: [APPEARED, [T, "modified", 1]] }],
  ["told before it was published", ["true"], { versions: [[T, 0]], told: [[T - 1, "appeared", 0]] }],
  ["wrong properties", ["true"], { told: [[10, "appeared", 0, "[]"]] }],
  [
    "back to an older version",
    ["forward", "shown"],
    {
      versions: [
        [0, 0],
        [1, 1],
      ],
      told: [
        [10, "appeared", 1],
        [T, "modified", 0],
      ],
    },
  ],
  [
    "an older version after a disappearance",
    ["forward", "shown"],
    {
      versions: [
        [0, 0],
        [1, 1],
      ],
      told: [
        [10, "appeared", 1],
        [T + 10_000, "disappeared"],
        [T + 16_000, "appeared", 0],
      ],
      troubles: both(T, T + 15_000),
    },
  ],
  ["appeared twice", ["order"], { told: [APPEARED, [20, "appeared", 0]] }],
  ["modified before it appeared", ["order"], { told: [[10, "modified", 0]] }],
  ["modified without a difference", ["order"], { told: [APPEARED, [20, "modified", 0]] }],
  [
    "disappeared twice",
    ["order"],
    { end: { at: T, how: "withdrawn" }, told: [APPEARED, [T + 10, "disappeared"], [T + 20, "disappeared"]] },
  ],
  [
    "told after the subscription was cancelled",
    ["order"],
    {
      to: T,
      versions: [
        [0, 0],
        [T - 9, 1],
      ],
      told: [APPEARED, [T + 1, "modified", 1]],
    },
  ],
] as [string, string[], Story][]) {
  test(`wrong: ${title}`, () => assert.equal(rulesBroken(story).sort(), expected));
}

/** Matches even versions of this filter only. */
const EVEN: Filter = { text: "(even=1)", matches: (_, version) => version % 2 === 0 };
const CHANGING = {
  filter: EVEN,
  versions: [
    [0, 0],
    [T, 1],
    [2 * T, 2],
  ],
} as const;

test("a service that comes and goes because of the filter", () => {
  const told: Word[] = [APPEARED, [T + 10, "disappeared"], [2 * T + 10, "appeared", 2]];
  assert.equal(rulesBroken({ ...CHANGING, told }), []);
  assert.equal(rulesBroken({ ...CHANGING, told: [APPEARED, [2 * T + 10, "modified", 2]] }), ["gone"]);
  assert.equal(rulesBroken({ ...CHANGING, told: told.slice(0, 2) }), ["shown"]);
  assert.equal(rulesBroken({ ...CHANGING, told: [APPEARED, [T + 10, "modified", 1], ...told.slice(2)] }).sort(), [
    "order",
    "true",
  ]);
});

test("a service that nobody published", () => {
  const { subscriptions, hearing } = evidenceOf({ told: [APPEARED] });
  assert.equal(
    judge(new Map(), subscriptions, hearing).map(({ rule }) => rule),
    ["true"],
  );
});

test("convergence is the latest version of everything, and nothing else", () => {
  const open = { to: Number.POSITIVE_INFINITY };
  const differing = (story: Story) => {
    const { lives, subscriptions } = evidenceOf({ ...open, ...story });
    return differences(lives, subscriptions).length;
  };
  assert.is(differing({ told: [APPEARED] }), 0);
  assert.is(differing({ told: [] }), 1);
  assert.is(differing({ told: [APPEARED, [20, "disappeared"]] }), 1);
  assert.is(
    differing({
      versions: [
        [0, 0],
        [5, 1],
      ],
      told: [APPEARED],
    }),
    1,
  );
  assert.is(differing({ end: { at: 5, how: "withdrawn" }, told: [APPEARED] }), 1);
  assert.is(differing({ end: { at: 5, how: "withdrawn" }, told: [APPEARED, [20, "disappeared"]] }), 0);
  const { subscriptions } = evidenceOf({ ...open, told: [APPEARED] });
  assert.is(differences(new Map(), subscriptions).length, 1);
});

test.run();
