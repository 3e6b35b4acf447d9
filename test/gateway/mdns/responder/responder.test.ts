/** One link's responder on a fake clock: what it sends, and when (RFC 6762). The message log shows each packet as a line. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeMessage, type Peer } from "../../../../src/gateway/mdns/link.js";
import type { OutgoingMessage, OutgoingRecord } from "../../../../src/gateway/mdns/messages.js";
import { dnsPacket } from "../../../../src/gateway/mdns/name-codec.js";
import type { DecodedMessage } from "../../../../src/gateway/mdns/records.js";
import { IncomingQueries } from "../../../../src/gateway/mdns/responder/incoming-queries.js";
import { Responder } from "../../../../src/gateway/mdns/responder/responder.js";
import {
  addressesOn,
  type OutboundHost,
  type OutboundService,
} from "../../../../src/gateway/mdns/responder/service-records.js";
import { FakeClock } from "../../../support/fake-clock.js";

const PEER: Peer = { address: "10.0.0.2", port: 5353 };
const T = "_x._tcp.local";
const LAMP = `lamp.${T}`;

const service = (label: string, more: Partial<OutboundService> = {}): OutboundService => ({
  key: label,
  sdid: `id-${label}`,
  name: `${label}.${T}`,
  type: "_x._tcp",
  subtypes: [],
  port: 80,
  host: { name: "h.local" },
  txt: [Buffer.from(`sdid=id-${label}`)],
  ...more,
});

/** What a peer says, by way of the wire. */
const heard = (message: OutgoingMessage) => dnsPacket.decode(encodeMessage(message)) as DecodedMessage;

const ptr = (label = "lamp", ttl = 4500): OutgoingRecord => ({ name: T, type: "PTR", ttl, data: `${label}.${T}` });
const srv = (port: number, { label = "lamp", ttl = 120, target = "other.local" } = {}): OutgoingRecord => ({
  name: `${label}.${T}`,
  type: "SRV",
  ttl,
  flush: true,
  data: { priority: 0, weight: 0, port, target },
});
const txt = (...strings: string[]): OutgoingRecord => ({
  name: LAMP,
  type: "TXT",
  ttl: 4500,
  flush: true,
  data: strings.map((text) => Buffer.from(text)),
});
const a = (address: string, name = "h.local", ttl = 120): OutgoingRecord => ({
  name,
  type: "A",
  ttl,
  flush: true,
  data: address,
});
const ask = (type: string, name: string, qu = false) => ({ name, type, qu });

class Bench {
  readonly clock = new FakeClock();
  readonly log: string[] = [];
  readonly messages: { readonly message: OutgoingMessage; readonly to: Peer | undefined }[] = [];
  readonly conflicts: string[] = [];
  addresses = ["10.0.0.1"];
  readonly responder: Responder;

  constructor(random = () => 0) {
    this.responder = new Responder({
      linkName: "eth0",
      clock: this.clock,
      timers: this.clock,
      random,
      isOwnAddress: (address) => address === "10.1.0.1",
      addressesOf: (host) => addressesOn("eth0", this.addresses, host),
      onConflict: (name) => this.conflicts.push(name),
      send: (message, to) => {
        assert.ok(encodeMessage(message).length <= 1400, "fits a packet");
        this.messages.push({ message, to });
        this.log.push(`${this.clock.monotonicMs()} ${line(message, to)}`);
      },
    });
  }

  /** What was sent until this time has passed, since the last such question. */
  during(ms: number): string[] {
    this.clock.advanceMs(ms);
    return this.log.splice(0);
  }

  skip(ms: number): void {
    this.during(ms);
  }

  /** A lamp that is announced, and quiet for a minute. */
  static held(services = [service("lamp")], random?: () => number): Bench {
    const bench = new Bench(random);
    for (const each of services) bench.responder.put(each);
    bench.clock.advanceMs(60_000);
    bench.log.length = bench.messages.length = 0;
    return bench;
  }

  query(questions: OutgoingMessage["questions"], more: Partial<OutgoingMessage> = {}, from = PEER): void {
    this.responder.query(heard({ type: "query", questions, ...more }), from);
  }

  response(...answers: OutgoingRecord[]): void {
    this.responder.response(heard({ type: "response", answers }));
  }

  get sinceMs(): number {
    return this.clock.monotonicMs();
  }
}

/** `probe lamp h`, `answer PTR lamp SRV TXT + A`, with `~` for a goodbye and `!` for the flush bit. */
function line(
  { type, questions = [], answers = [], authorities = [], additionals = [], id = 0 }: OutgoingMessage,
  to?: Peer,
): string {
  const short = (name: string) => name.replace(`.${T}`, "").replace(T, "X").replace(".local", "");
  const of = (record: OutgoingRecord) =>
    `${record.type}${record.type === "PTR" ? `=${short(record.data as string)}` : `.${short(record.name)}`}${record.flush ? "!" : ""}${record.ttl === 0 ? "~" : ""}`;
  if (type === "query") {
    return `probe ${questions.map(({ name }) => short(name)).join(" ")} (${authorities.map(of).join(" ")})`;
  }
  const more = additionals.length > 0 ? ` + ${additionals.map(of).join(" ")}` : "";
  return `${to ? `to ${to.address}:${to.port}${id ? ` #${id}` : ""} ` : ""}${answers.map(of).join(" ")}${more}`;
}

const ALL = "PTR=lamp PTR=X SRV.lamp! TXT.lamp!";
const META = "_services._dns-sd._udp.local";

test("A.3.2, 3: three probes 250 ms apart, and 250 ms later all records, three times", () => {
  const bench = new Bench(() => 0.4);
  bench.responder.put(service("lamp"));
  const probe = "probe h lamp (A.h SRV.lamp TXT.lamp)";
  assert.equal(bench.during(60_000), [
    `100 ${probe}`,
    `350 ${probe}`,
    `600 ${probe}`,
    `850 A.h! ${ALL}`,
    `1850 A.h! ${ALL}`,
    `3850 A.h! ${ALL}`,
  ]);
  assert.equal(bench.clock.timers(), []);
});

test("A.3.2: probes ask ANY, without QU, and claim in the authority section without the flush bit", () => {
  const bench = new Bench();
  bench.responder.put(service("lamp"));
  bench.skip(0);
  const [{ message }] = bench.messages;
  assert.equal(message.questions, [
    { name: "h.local", type: "ANY" },
    { name: LAMP, type: "ANY" },
  ]);
  assert.equal(
    message.authorities?.map(({ type, flush }) => [type, flush]),
    [
      ["A", false],
      ["SRV", false],
      ["TXT", false],
    ],
  );
});

test("A.3.7: while probing nothing is answered", () => {
  const bench = new Bench();
  bench.responder.put(service("lamp"));
  bench.skip(300);
  bench.query([ask("PTR", T), ask("ANY", LAMP), ask("A", "h.local")]);
  assert.equal(bench.during(100), []);
});

const PROXIED = { name: "d-id-lamp.local", addresses: ["10.0.0.50"] };
const CUSTOM = { name: "c.local", addresses: ["10.0.0.50"] };
const HINFO: OutgoingRecord = { name: LAMP, type: "HINFO", ttl: 9, data: { cpu: "a", os: "b" } };
/** `conflict`: at once, or if it is said again after each of two more probes; `standby`: it is another gateway. */
type Outcome = "conflict" | "conflict, if said three times" | "standby" | "none";
const PROBE_CONFLICTS: readonly [what: string, records: OutgoingRecord[], outcome: Outcome, host?: OutboundHost][] = [
  ["another SRV and TXT", [srv(80), txt("a=b")], "conflict"],
  ["another SRV alone", [srv(80)], "conflict, if said three times"],
  [
    "another SRV, and a TXT of something else",
    [srv(80), { ...txt("a=b"), name: `tv.${T}` }],
    "conflict, if said three times",
  ],
  ["another TXT alone", [txt("a=b")], "conflict"],
  ["another type of record", [HINFO], "conflict, if said three times"],
  ["in capitals", [{ ...srv(80), name: LAMP.toUpperCase() }], "conflict, if said three times"],
  ["our own data", [srv(80, { target: "H.local" }), txt("sdid=id-lamp")], "none"],
  ["a goodbye", [srv(80, { ttl: 0 })], "none"],
  ["another address of our host", [a("10.0.0.9")], "conflict"],
  ["the address of another interface of ours", [a("10.1.0.1")], "none"],
  ["the host only by AAAA", [{ name: "h.local", type: "AAAA", ttl: 120, data: "fd00::1" }], "conflict"],
  ["other names", [srv(80, { label: "other" }), ptr()], "none"],
  [
    "that other types do not exist",
    [{ name: LAMP, type: "NSEC", ttl: 120, data: { nextDomain: LAMP, rrtypes: ["TXT"] } }],
    "none",
  ],
  ["another SRV and the TXT of the same service", [srv(80), txt("sdid=id-lamp")], "standby"],
  ["the TXT of the same service alone", [txt("sdid=id-lamp", "sdgw=x")], "standby"],
  ["the proxied host, the same", [a("10.0.0.50", PROXIED.name)], "none", PROXIED],
  ["the proxied host, another address", [a("10.0.0.51", PROXIED.name)], "standby", PROXIED],
  ["a host that a rule names, another address", [a("10.0.0.51", "c.local")], "conflict, if said three times", CUSTOM],
  [
    "that host, and the TXT of the same service",
    [a("10.0.0.51", "c.local"), srv(1), txt("sdid=id-lamp")],
    "standby",
    CUSTOM,
  ],
];
for (const [what, records, outcome, host] of PROBE_CONFLICTS) {
  test(`A.3.2: while probing, a response with ${what}: ${outcome}`, () => {
    const bench = new Bench();
    bench.responder.put(service("lamp", host && { host }));
    bench.skip(100);
    const conflicts: number[] = [];
    for (let said = 1; said <= 3 && bench.conflicts.length === 0; said++) {
      bench.response(...records);
      assert.is(bench.during(0).length, said < 3 && outcome.includes("three") ? 1 : 0, "asked again at once");
      conflicts.push(bench.conflicts.length);
    }
    assert.equal(conflicts, outcome === "conflict" ? [1] : [0, 0, outcome.includes("three") ? 1 : 0]);
    assert.is(bench.responder.phases().standby, outcome === "standby" ? 1 : 0);
  });
}

test("9: a proxied host whose addresses another gateway knows otherwise is left to it, and not renamed", () => {
  const bench = new Bench(() => 0.5);
  bench.responder.put(service("lamp", { host: PROXIED }));
  bench.skip(200);
  bench.response(a("10.0.0.51", PROXIED.name));
  bench.skip(200);
  bench.response(srv(80, { target: PROXIED.name }));
  bench.response(srv(80, { target: PROXIED.name }), txt("sdid=id-lamp", "sdgw=x"));
  assert.equal([bench.conflicts, bench.responder.phases().standby], [[], 1]);
  bench.log.length = 0;
  assert.equal(bench.during(100_000), []);
  bench.response(a("10.0.0.51", PROXIED.name, 0), srv(80, { ttl: 0 }));
  const sent = bench.during(10_000);
  assert.is(sent.filter((text) => text.includes("probe")).length, 4);
  assert.is(sent.at(-4), "102500 probe d-id-lamp lamp (A.d-id-lamp SRV.lamp TXT.lamp)");
  assert.is(sent.at(-3), `102750 A.d-id-lamp! ${ALL}`);
  bench.query([ask("A", PROXIED.name)]);
  assert.is(bench.during(0).length, 1);
});

test("a service under another name is published on the host that another gateway states, all the time", () => {
  const bench = new Bench(() => 0.5);
  bench.responder.put(service("lamp", { host: PROXIED }));
  bench.skip(200);
  const others = [a("10.0.0.51", PROXIED.name), srv(80, { label: "light", target: PROXIED.name })];
  bench.response(...others);
  bench.skip(10_000);
  for (let i = 0; i < 400; i++) {
    const sent = bench.during(500);
    if (sent.some((text) => text.includes("probe"))) bench.response(...others);
    bench.query([ask("SRV", LAMP)]);
    assert.ok(bench.during(1000).join().includes("SRV.lamp"), `answered after ${bench.sinceMs} ms`);
  }
  assert.equal(bench.conflicts, []);
});

test("what another gateway leaves is taken over many at a time", () => {
  let seed = 1;
  const bench = new Bench(() => (seed = (seed * 48_271) % 0x7fffffff) / 0x7fffffff);
  const labels = Array.from({ length: 40 }, (_, i) => `s${i}`);
  for (const label of labels) bench.responder.put(service(label));
  bench.skip(10_000);
  const theirs = (ttl: number) =>
    labels.forEach((label) => {
      const theirTxt = { ...txt(`sdid=id-${label}`, "sdgw=x"), name: `${label}.${T}`, ttl };
      bench.response(srv(80, { label, target: "x.local", ttl }), theirTxt);
    });
  theirs(120); // ours are probed anew
  theirs(120);
  assert.is(bench.responder.phases().standby, 40);
  bench.skip(10_000);
  theirs(0);
  const probes = bench.during(10_000).filter((text) => text.includes(" probe "));
  assert.is(bench.responder.phases().held, 40);
  assert.ok(probes.length <= 3 * 12, `${probes.length} packets`);
});

test("8.1: he who answers without a TXT at first, and then with that of the same service, is another gateway", () => {
  const bench = new Bench();
  bench.responder.put(service("lamp"));
  bench.skip(100);
  bench.response(srv(80));
  bench.skip(250);
  bench.response(txt("sdid=id-lamp"), srv(80));
  assert.equal([bench.conflicts, bench.responder.phases().standby], [[], 1]);
});

test("8.1: he who was heard before we asked is asked first", () => {
  const bench = new Bench(() => 0.4);
  bench.responder.put(service("lamp"));
  for (let i = 0; i < 5; i++) bench.response(srv(80));
  assert.equal(bench.conflicts, []);
  assert.is(bench.during(10_000).length, 6);
  assert.equal(bench.responder.phases(), { held: 1, probing: 0, standby: 0 });
});

test("a change of a service that is left to another gateway does not wake its host, and counts later", () => {
  const bench = new Bench();
  bench.responder.put(service("lamp", { host: PROXIED }));
  bench.skip(100);
  bench.response(srv(80), txt("sdid=id-lamp"));
  bench.skip(1000);
  bench.responder.put(service("lamp", { host: { ...PROXIED, addresses: ["10.0.0.60"] } }));
  bench.responder.put(service("lamp", { host: { name: "other.local", addresses: ["10.0.0.60"] } }));
  assert.equal(bench.during(60_000), []);
  bench.response(srv(80, { ttl: 0 }));
  bench.skip(10_000);
  assert.is(bench.messages.at(-1)!.message.answers?.find(({ type }) => type === "A")?.data, "10.0.0.60");
});

test("a second service on a host that is left to another gateway makes it wanted", () => {
  const bench = new Bench();
  bench.responder.put(service("lamp", { host: PROXIED }));
  bench.skip(100);
  bench.response(srv(80), txt("sdid=id-lamp"));
  bench.skip(1000);
  bench.responder.put(service("tv", { host: PROXIED }));
  assert.match(bench.during(10_000).at(-1)!, /A\.d-id-lamp! PTR=tv/);
});

test("8.2: what is proposed for a name that is not asked for is no simultaneous probe", () => {
  const bench = new Bench();
  bench.responder.put(service("lamp"));
  bench.skip(300);
  bench.query([ask("ANY", `tv.${T}`)], { authorities: [srv(81)] });
  assert.is(bench.during(200)[0], "500 probe h lamp (A.h SRV.lamp TXT.lamp)");
});

test("8.1: a probe is defended at once, also if its sender is asking something else in parts, or says that more follows", () => {
  const bench = Bench.held();
  bench.query([ask("PTR", T)], { truncated: true, answers: [ptr("tv")] });
  bench.query([ask("ANY", LAMP)], { authorities: [srv(81)] });
  assert.equal(bench.during(0), ["60000 SRV.lamp! TXT.lamp! + A.h! NSEC.h!"]);
  bench.skip(399);
  assert.is(bench.during(1).length, 1, "the other question");
  bench.skip(10_000);
  bench.query([ask("ANY", LAMP)], { authorities: [srv(81)], truncated: true });
  assert.is(bench.during(0).length, 1);
});

const TIES: readonly [what: string, authorities: OutgoingRecord[], waits: boolean][] = [
  ["a higher port: it wins", [srv(81), txt("sdid=id-lamp")], true],
  ["a lower port: we win", [srv(79, { target: "zzz.local" }), txt("sdid=id-lamp")], false],
  ["a later TXT, which counts before SRV: it wins", [srv(1), txt("zzzzzzzzzzzzz")], true],
  ["the same: no conflict", [{ ...srv(80, { target: "h.local" }) }, txt("sdid=id-lamp")], false],
  ["fewer of the same records: we win", [txt("sdid=id-lamp")], false],
  [
    "more of the same records: it wins",
    [
      srv(80, { target: "h.local" }),
      txt("sdid=id-lamp"),
      { name: LAMP, type: "NSEC", ttl: 1, data: { nextDomain: LAMP, rrtypes: ["SRV"] } },
    ],
    true,
  ],
];
for (const [what, authorities, waits] of TIES) {
  test(`A.3.2: a simultaneous probe with ${what}`, () => {
    const bench = new Bench();
    bench.responder.put(service("lamp"));
    bench.skip(300);
    bench.query([ask("ANY", LAMP)], { authorities });
    bench.log.length = 0;
    const sent = bench.during(999).filter((text) => text.includes("lamp"));
    assert.is(sent[0], waits ? undefined : "500 probe h lamp (A.h SRV.lamp TXT.lamp)");
    if (waits) assert.equal(bench.during(1), ["1300 probe lamp (SRV.lamp TXT.lamp)"]);
    assert.equal(bench.conflicts, []);
  });
}

test("A.3.2: a probe for a name of ours is answered at once, and 250 ms later again, but not before", () => {
  const bench = Bench.held();
  const probe = () => bench.query([ask("ANY", LAMP)], { authorities: [srv(81)] });
  probe();
  assert.equal(
    bench.during(0).map((text) => text.replace(/^\d+ /, "")),
    ["SRV.lamp! TXT.lamp! + A.h! NSEC.h!"],
  );
  bench.skip(100);
  probe();
  assert.equal(bench.during(149), []);
  assert.is(bench.during(1).length, 1);
});

test("A.3.4: new TXT or SRV: announced twice with the flush bit, no probe, no goodbye", () => {
  const bench = Bench.held();
  bench.responder.put(service("lamp", { port: 81, txt: [Buffer.from("v=2")] }));
  assert.equal(bench.during(5000), [`60000 ${ALL}`, `61000 ${ALL}`]);
  const { answers } = bench.messages[0].message;
  assert.equal(answers?.find(({ type }) => type === "SRV")?.data, {
    priority: 0,
    weight: 0,
    port: 81,
    target: "h.local",
  });
  bench.responder.put(service("lamp", { port: 81, txt: [Buffer.from("v=2")] }));
  assert.equal(bench.during(5000), [], "the same again is nothing new");
});

test("A.3.4: a subtype that goes gets a goodbye, a new one is announced", () => {
  const bench = Bench.held([service("lamp", { subtypes: ["_a"] })]);
  bench.responder.put(service("lamp", { subtypes: ["_b"] }));
  const sent = bench.during(400);
  assert.equal(sent, ["60000 PTR=lamp~", "60000 PTR=lamp PTR=lamp PTR=X SRV.lamp! TXT.lamp!", "60250 PTR=lamp~"]);
  assert.is(bench.messages[0].message.answers?.[0].name, `_a._sub.${T}`);
});

test("A.3.5: somebody else's record later: back to probing; unopposed we keep the name", () => {
  const bench = Bench.held();
  bench.response(srv(81), txt("a=b"));
  const sent = bench.during(10_000);
  assert.equal(
    sent.map((text) => text.split(" ")[1]),
    ["probe", "probe", "probe", "PTR=lamp", "PTR=lamp", "PTR=lamp"],
  );
  assert.equal(bench.conflicts, []);
  bench.response(srv(81));
  bench.skip(100);
  bench.response(srv(81), txt("a=b"));
  assert.equal(bench.conflicts, [LAMP], "opposed we give it up");
});

test("A.3.5: what is of another type, the same, or a goodbye does not disturb", () => {
  const bench = Bench.held();
  bench.response(HINFO, srv(80, { target: "h.local" }), srv(81, { ttl: 0 }));
  assert.equal(bench.during(5000), []);
});

test("A.3.6: withdrawal: goodbyes of everything, twice, 250 ms apart; the host only when nobody is on it", () => {
  const bench = Bench.held([service("lamp"), service("tv")]);
  bench.responder.drop("lamp");
  const goodbye = "PTR=lamp~ SRV.lamp!~ TXT.lamp!~";
  assert.equal(bench.during(10_000), [`60000 ${goodbye}`, `60250 ${goodbye}`]);
  bench.responder.drop("tv");
  assert.equal(bench.during(10_000).slice(0, 2), ["70000 PTR=tv~ PTR=X~ SRV.tv!~ TXT.tv!~", "70000 A.h!~"]);
  assert.equal(bench.clock.timers(), []);
});

test("A.3.6: on exit one packet says goodbye, and the caller repeats it", () => {
  const bench = Bench.held([service("lamp"), service("tv")]);
  assert.is(bench.responder.stop(), true);
  bench.responder.repeatGoodbyes();
  const line = "60000 A.h!~ PTR=lamp~ PTR=X~ SRV.lamp!~ TXT.lamp!~ PTR=tv~ SRV.tv!~ TXT.tv!~";
  assert.equal(bench.log, [line, line]);
  assert.equal(bench.clock.timers(), []);
  assert.is(new Bench().responder.stop(), false);
});

test("A.3.6: the goodbye of a name that was lost leaves the other's records alone", () => {
  const bench = Bench.held();
  bench.responder.put({ ...service("lamp"), name: `lamp (2).${T}` }, undefined, true);
  assert.equal(bench.during(0), ["60000 SRV.lamp~ TXT.lamp~", "60000 probe lamp (2) (SRV.lamp (2) TXT.lamp (2))"]);
});

test("A.3.6: what is published again meanwhile gets no second goodbye", () => {
  const bench = Bench.held([service("lamp"), service("tv")]);
  bench.responder.drop("lamp");
  bench.responder.put(service("lamp"));
  bench.clock.advanceMs(100_000);
  assert.is(bench.log.filter((text) => text.includes("PTR=lamp~")).length, 2);
  assert.ok(bench.log.at(-1)!.includes("SRV.lamp!"));
});

const ANSWERS: readonly [what: string, type: string, name: string, answer: string | undefined][] = [
  ["PTR", "PTR", T, "PTR=lamp + SRV.lamp! TXT.lamp! A.h! NSEC.h!"],
  ["PTR in capitals", "PTR", T.toUpperCase(), "PTR=lamp + SRV.lamp! TXT.lamp! A.h! NSEC.h!"],
  ["subtype PTR", "PTR", `_s._sub.${T}`, "PTR=lamp + SRV.lamp! TXT.lamp! A.h! NSEC.h!"],
  ["the meta-query", "PTR", META, "PTR=X"],
  ["SRV", "SRV", LAMP, "SRV.lamp! + A.h! NSEC.h!"],
  ["TXT", "TXT", LAMP, "TXT.lamp!"],
  ["ANY of an instance", "ANY", LAMP, "SRV.lamp! TXT.lamp! + A.h! NSEC.h!"],
  ["A", "A", "h.local", "A.h! + NSEC.h!"],
  ["AAAA, of which there is none", "AAAA", "h.local", "NSEC.h!"],
  ["a type that an instance lacks", "A", LAMP, "NSEC.lamp!"],
  ["a name that is not ours", "A", "nobody.local", undefined],
  ["a type that is not ours", "PTR", "_y._tcp.local", undefined],
  ["SRV of a service type", "SRV", T, undefined],
];
for (const [what, type, name, answer] of ANSWERS) {
  test(`A.3.7: ${what} → ${answer ?? "silence"}`, () => {
    const bench = Bench.held([service("lamp", { subtypes: ["_s"] })]);
    bench.query([ask(type, name)]);
    const texts = bench.during(5000).map((text) => text.replace(/^\d+ /, ""));
    assert.equal(texts, answer === undefined ? [] : [answer]);
  });
}

test("A.3.7: NSEC names the types there are, and lives as long as a host's records", () => {
  const bench = Bench.held();
  bench.query([ask("AAAA", "h.local")]);
  bench.skip(0);
  const [{ message }] = bench.messages;
  assert.equal(message.answers, [
    { name: "h.local", type: "NSEC", ttl: 120, flush: true, data: { nextDomain: "h.local", rrtypes: ["A"] } },
  ]);
});

test("A.3.7: A brings AAAA along, and AAAA brings A", () => {
  const bench = new Bench();
  bench.addresses = ["10.0.0.1", "fd00::1"];
  bench.responder.put(service("lamp"));
  bench.skip(60_000);
  bench.query([ask("A", "h.local")]);
  assert.equal(bench.during(0), ["60000 A.h! + AAAA.h!"]);
});

const CLASSES: readonly [of: string, answers: number][] = [
  ["IN", 1],
  ["ANY", 1],
  ["CH", 0],
];
for (const [of, number] of CLASSES) {
  test(`A.3.7: a question of class ${of}: ${number} answers`, () => {
    const bench = Bench.held();
    bench.query([{ name: LAMP, type: "SRV", class: of }]);
    assert.is(bench.during(1000).length, number);
  });
}

test("A.3.7: an answer that is ours alone goes at once, a shared one after 20 to 120 ms", () => {
  for (const [random, atMs] of [
    [0, 20],
    [0.5, 70],
    [0.999, 119.9],
  ] as const) {
    const bench = Bench.held([service("lamp")], () => random);
    bench.query([ask("PTR", T)]);
    assert.is(Number(bench.during(200)[0].split(" ")[0]).toFixed(1), (60_000 + atMs).toFixed(1));
    bench.query([ask("SRV", LAMP)]);
    bench.skip(2000);
    bench.query([ask("SRV", LAMP)]);
    assert.is(bench.during(0).length, 1);
  }
});

test("A.3.7: answers to several askers go together, once", () => {
  const bench = Bench.held([service("lamp"), service("tv")], () => 0.5);
  bench.query([ask("PTR", T)]);
  bench.skip(30);
  bench.query([ask("PTR", T)], {}, { address: "10.0.0.3", port: 5353 });
  bench.query([ask("PTR", META)]);
  const sent = bench.during(5000);
  assert.is(sent.length, 1);
  assert.match(sent[0], /^60070 PTR=lamp PTR=tv PTR=X \+ /);
});

test("A.1: the same record is not multicast twice within a second; who asks then gets it after that", () => {
  const bench = Bench.held();
  bench.query([ask("SRV", LAMP)]);
  bench.skip(0);
  bench.skip(400);
  bench.query([ask("SRV", LAMP)]);
  assert.equal(bench.during(5000), ["61000 SRV.lamp! + A.h! NSEC.h!"]);
});

const KNOWN: readonly [what: string, known: OutgoingRecord[], answered: boolean][] = [
  ["at least half its life", [ptr("lamp", 2250)], false],
  ["less than half its life", [ptr("lamp", 2249)], true],
  ["another instance", [ptr("tv", 4500)], true],
  ["the instance in capitals", [{ ...ptr(), data: `LAMP.${T}` }], false],
];
for (const [what, answers, answered] of KNOWN) {
  test(`A.3.8: the asker knows ${what}: ${answered ? "answered" : "silence"}`, () => {
    const bench = Bench.held();
    bench.query([ask("PTR", T)], { answers });
    assert.is(bench.during(1000).length, answered ? 1 : 0);
  });
}

test("A.3.8: with TC we wait 400 to 500 ms for more known answers, from the same asker", () => {
  for (const [follows, answered] of [
    [PEER, []],
    [{ ...PEER, address: "10.0.0.3" }, ["60450 PTR=lamp + SRV.lamp! TXT.lamp! A.h! NSEC.h!"]],
  ] as const) {
    const bench = Bench.held([service("lamp")], () => 0.5);
    bench.query([ask("PTR", T)], { truncated: true, answers: [ptr("tv")] });
    bench.skip(300);
    bench.query([], { answers: [ptr()] }, follows);
    assert.equal(bench.during(1000), answered);
  }
});

test("A.3.8: each further part with TC prolongs the wait", () => {
  const bench = Bench.held([service("lamp")], () => 0);
  bench.query([ask("PTR", T)], { truncated: true });
  bench.skip(399);
  bench.query([], { truncated: true, answers: [ptr("tv")] });
  assert.equal(bench.during(399), []);
  assert.is(bench.during(1).length, 1);
});

test("A.3.8: an answer that somebody else just gave is not given again; with a shorter life it is", () => {
  const bench = Bench.held([service("lamp")], () => 0.5);
  bench.query([ask("PTR", META)]);
  bench.response({ name: META, type: "PTR", ttl: 4500, data: T });
  assert.equal(bench.during(1000), []);
  bench.query([ask("PTR", META)]);
  bench.response({ name: META, type: "PTR", ttl: 4499, data: T });
  assert.is(bench.during(1000).length, 1);
});

test("6.6: somebody lets a record of ours end (goodbye of the type, say): we state it again", () => {
  const bench = Bench.held([service("lamp")], () => 0.5);
  bench.response({ name: META, type: "PTR", ttl: 0, data: T });
  assert.equal(bench.during(5000), ["60070 PTR=X"]);
});

test("A.3.9: QU is answered by unicast if the record was multicast in the last quarter of its life, else by multicast", () => {
  const bench = Bench.held();
  bench.query([ask("SRV", LAMP, true)]);
  assert.equal(bench.during(0), ["60000 SRV.lamp! + A.h! NSEC.h!"], "120 s / 4 have passed");
  bench.skip(29_000);
  bench.query([ask("SRV", LAMP, true)]);
  assert.equal(bench.during(0), ["89000 to 10.0.0.2:5353 SRV.lamp! + A.h! NSEC.h!"]);
});

for (const of of ["IN", "ANY"]) {
  test(`5.4: the QU bit is seen beside class ${of}`, () => {
    const bench = Bench.held();
    bench.query([{ name: LAMP, type: "TXT", class: of, qu: true }]);
    assert.equal(bench.during(0), ["60000 to 10.0.0.2:5353 TXT.lamp!"]);
  });
}

test("A.3.9: a legacy query is answered to its port: id, question, at most 10 s, no flush bit, answers only", () => {
  const bench = Bench.held();
  const question = { name: LAMP, type: "ANY" };
  bench.query([question], { id: 4711 }, { address: "10.0.0.2", port: 40_000 });
  assert.equal(bench.during(0), ["60000 to 10.0.0.2:40000 #4711 SRV.lamp TXT.lamp"]);
  const [{ message }] = bench.messages;
  assert.equal(
    message.questions?.map(({ name, type }) => ({ name, type })),
    [question],
  );
  assert.equal(
    message.answers?.map(({ ttl }) => ttl),
    [10, 10],
  );
  assert.equal(message.additionals, undefined);
});

test("18.5: a legacy answer that does not fit one message says so", () => {
  const services = Array.from({ length: 100 }, (_, i) => service(`a lamp with a long name ${i}`));
  const bench = Bench.held(services);
  bench.query([ask("PTR", T)], { id: 1 }, { address: "10.0.0.2", port: 40_000 });
  bench.query([ask("PTR", META)], { id: 2 }, { address: "10.0.0.2", port: 40_000 });
  bench.skip(1000);
  assert.equal(
    bench.messages.map(({ message }) => [message.id, message.truncated]),
    [
      [1, true],
      [2, false],
    ],
  );
});

test("18.14: in a legacy answer the target of an SRV is not compressed", () => {
  const bench = Bench.held();
  bench.query([ask("SRV", LAMP)], { id: 1 }, { address: "10.0.0.2", port: 40_000 });
  bench.query([ask("SRV", LAMP)]);
  bench.skip(0);
  const target = Buffer.from("\x01h\x05local\x00", "latin1");
  const hasTarget = bench.messages.map(({ message }) => encodeMessage(message).includes(target));
  assert.equal(hasTarget, [false, true]);
  for (const { message } of bench.messages) {
    const [answer] = heard(message).answers ?? [];
    assert.is((answer.data as { target: string }).target, "h.local");
  }
});

test("A.3.9: of very many legacy queries no more than 64 wait for their answer", () => {
  const bench = Bench.held();
  for (let i = 0; i < 100; i++) bench.query([ask("PTR", T)], {}, { address: "10.0.0.2", port: 10_000 + i });
  assert.is(bench.during(1000).length, 64);
  assert.is(bench.responder.refusedReplies, 36);
});

test("A.3.10: after the link changed all is probed and announced again", () => {
  const bench = Bench.held();
  bench.responder.restart();
  const sent = bench.during(10_000).map((text) => text.split(" ")[1]);
  assert.equal(sent, ["probe", "probe", "probe", "A.h!", "A.h!", "A.h!"]);
});

test("8: after the link changed each name is answered until its own turn to be probed comes, and then again", () => {
  const services = Array.from({ length: 25 }, (_, i) => service(`s${i}`));
  const bench = Bench.held(services);
  const silentMs = new Map<string, number>();
  bench.responder.restart();
  for (let ms = 0; ms < 4000; ms += 50) {
    bench.log.length = 0;
    for (const { name } of services) bench.query([ask("TXT", name)], {}, { address: "10.0.0.2", port: 40_000 });
    bench.query([ask("A", "h.local")], {}, { address: "10.0.0.2", port: 40_000 });
    const answered = bench.log.concat(bench.during(50)).filter((text) => text.includes(" to 10.0.0.2:40000"));
    for (const name of ["h.local", ...services.map(({ name }) => name)]) {
      const label = name.split(".")[0];
      if (answered.some((text) => text.split(/ |, /).some((word) => word === `TXT.${label}` || word === `A.${label}`)))
        continue;
      silentMs.set(label, (silentMs.get(label) ?? 0) + 50);
    }
  }
  assert.is(Math.max(...silentMs.values()), 750, "as long as its three probes take");
  assert.is(silentMs.size, 26);
});

test("8: while a host is probed anew, answers come without its addresses", () => {
  const bench = Bench.held([service("lamp"), ...Array.from({ length: 10 }, (_, i) => service(`s${i}`))]);
  bench.responder.restart();
  bench.skip(100);
  bench.query([ask("SRV", `s9.${T}`)]);
  assert.equal(bench.during(0), ["60100 SRV.s9!"]);
});

test("8.4: another address of the link: announced twice, a goodbye for that which is gone, and no probe", () => {
  const bench = new Bench();
  bench.addresses = ["10.0.0.1", "fd00::1"];
  bench.responder.put(service("lamp"));
  bench.responder.put(service("tv"));
  bench.skip(60_000);
  bench.addresses = ["10.0.0.1", "fd00::1", "fd00::2"];
  bench.responder.readdress();
  const all = "A.h! AAAA.h! AAAA.h!";
  assert.equal(bench.during(5000), [`60000 ${all}`, `61000 ${all}`]);
  bench.messages.length = 0;
  bench.addresses = ["10.0.0.1", "fd00::2"];
  bench.responder.readdress();
  const goodbye = "AAAA.h~";
  const now = "A.h! AAAA.h!";
  assert.equal(bench.during(5000), [`65000 ${goodbye}`, `65000 ${now}`, `65250 ${goodbye}`, `66000 ${now}`]);
  assert.is(bench.messages[0].message.answers?.[0].data, "fd00::1", "without a flush: fd00::2 stays");
  bench.responder.readdress();
  assert.equal(bench.during(5000), [], "the same again is nothing new");
});

test("8.4: what changes while another answer waits for its time does not hold that up", () => {
  const bench = Bench.held([service("lamp")], () => 0.5);
  bench.query([ask("PTR", T)]);
  bench.addresses = ["10.0.0.7"];
  bench.responder.readdress();
  bench.responder.put(service("lamp"));
  assert.ok(bench.during(5000).some((text) => text.includes("60070 PTR=lamp +")));
});

test("A.3.11: a proxied host is claimed and announced with its own addresses, those of other links left out", () => {
  const bench = new Bench();
  bench.responder.put(
    service("lamp", { host: { name: "d-1.local", addresses: ["10.9.9.9", "fe80::9%eth0", "fe80::8%eth1"] } }),
  );
  bench.skip(10_000);
  bench.query([ask("A", "d-1.local")]);
  bench.skip(0);
  const { answers = [], additionals = [] } = bench.messages.at(-1)!.message;
  assert.equal(
    [...answers, ...additionals].map(({ data }) => data),
    ["10.9.9.9", "fe80::9"],
  );
  bench.responder.put(service("tv", { host: { name: "d-2.local", addresses: ["fe80::8%eth1"] } }));
  assert.equal(bench.during(60_000), [], "a host without an address here is not shown");
});

test("A.3.12: hundreds begin ten a second, and each packet fits", () => {
  const bench = new Bench();
  for (let i = 0; i < 300; i++) bench.responder.put(service(`s${i}`, { txt: [Buffer.alloc(200, 0x61)] }));
  bench.clock.advanceMs(40_000);
  const firstMs = new Map<string, number>();
  for (const text of bench.log) {
    const [ms, what, ...names] = text.split(" ");
    if (what === "probe")
      for (const name of names) if (/^s\d/.test(name)) firstMs.set(name, firstMs.get(name) ?? Number(ms));
  }
  assert.is(firstMs.size, 300);
  const perSecond = new Map<number, number>();
  for (const ms of firstMs.values())
    perSecond.set(Math.floor(ms / 1000), (perSecond.get(Math.floor(ms / 1000)) ?? 0) + 1);
  assert.is(Math.max(...perSecond.values()), 10);
  assert.equal(bench.responder.phases(), { held: 300, probing: 0, standby: 0 });
  bench.log.length = 0;
  bench.query([ask("PTR", T)]);
  assert.is(bench.during(5000).join(" ").match(/PTR=s/g)?.length, 300);
});

test("D.6: another gateway's announcement of the same service: we stand by, and take over when it goes", () => {
  const bench = new Bench();
  bench.responder.put(service("lamp"));
  bench.skip(100);
  bench.response(srv(80), txt("sdid=id-lamp"));
  assert.equal([bench.conflicts, bench.responder.phases().standby], [[], 1]);
  bench.skip(10_000);
  bench.log.length = 0;
  bench.response(srv(80, { ttl: 0 }));
  assert.equal(bench.during(999), []);
  assert.match(bench.during(60_000).join("\n"), /probe lamp[\s\S]*SRV\.lamp!/);
});

test("D.6: without a goodbye the name is tried again after two to three minutes", () => {
  const bench = new Bench(() => 0.5);
  bench.responder.put(service("lamp"));
  bench.skip(300);
  bench.response(srv(80), txt("sdid=id-lamp"));
  const [first] = bench.during(200_000).filter((text) => text.includes("probe lamp"));
  assert.is(Number(first.split(" ")[0]), 400 + 150_000);
});

test("nothing published: nothing is sent, and no timer is set", () => {
  const bench = new Bench();
  bench.query([ask("PTR", T), ask("PTR", META)]);
  bench.response(srv(80), ptr());
  bench.responder.restart();
  assert.equal([bench.during(100_000), bench.clock.timers()], [[], []]);
});

test("a question that a query repeats costs as much as one", () => {
  const queries = new IncomingQueries(() => 0);
  const asked = Array.from({ length: 300 }, (_, i) => ask("PTR", i % 2 ? T : T.toUpperCase()));
  const message = heard({ type: "query", questions: [...asked, ask("SRV", LAMP), ask("SRV", LAMP, true)] });
  const { questions } = queries.take(message, PEER, 0)!;
  assert.equal(
    questions.map(({ type, qu = false }) => [type, qu]),
    [
      ["PTR", false],
      ["SRV", false],
      ["SRV", true],
    ],
  );
});

test.run();
