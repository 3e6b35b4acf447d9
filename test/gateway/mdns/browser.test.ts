/** The browser of one interface on a fake clock: when it asks what, and when an instance is complete. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { MESSAGE_BYTES_LIMIT } from "../../../src/gateway/mdns/questions.js";
import type { HeardRecord } from "../../../src/gateway/mdns/records.js";
import { Bench } from "./browser-bench.js";
import { addressRecord, instance, messageBytes, pointerRecord, srvRecord, txtRecord } from "./records.js";

const ptrCount = (asked: readonly string[]) => asked.filter((line) => line.includes("PTR")).length;
const META = "_services._dns-sd._udp.local";

test("a type is asked for after 20 to 120 ms, then with gaps of 1, 2, 4 … 3600 s", () => {
  const bench = new Bench();
  const seconds = bench.during(20_000_000).map((asked) => (Number.parseInt(asked, 10) - 20) / 1000);
  const gaps = seconds.slice(1).map((at, i) => at - seconds[i]);
  assert.is(seconds[0], 0);
  assert.equal(gaps.slice(0, 14), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]);
});

test("the schedule starts again when the interface gets another address", () => {
  const bench = new Bench();
  bench.during(500_000);
  bench.browser.restart();
  assert.equal(bench.during(1500), ["500020 PTR _x._tcp.local", "501020 PTR _x._tcp.local"]);
});

test("an instance that comes whole is complete at once, and only its second family is asked for", () => {
  const bench = new Bench();
  bench.during(100);
  bench.hear(...instance("a"));
  assert.equal(bench.changed, ["a._x._tcp.local"]);
  const { txt, ...view } = bench.view()!;
  assert.equal(view, {
    name: "a._x._tcp.local",
    label: "a",
    type: "_x._tcp",
    interfaceName: "eth0",
    subtypes: [],
    host: "h.local",
    port: 80,
    priority: 0,
    weight: 0,
    addresses: ["10.0.0.2"],
  });
  assert.equal(txt.map(String), ["v=1"]);
  const asked = bench.during(60_000).filter((line) => !line.includes("PTR"));
  assert.equal(asked, ["120 AAAA h.local", "1120 AAAA h.local"]);
});

test("what does not come along is asked for, with doubling gaps, while the pointer lives", () => {
  const bench = new Bench();
  bench.hear(pointerRecord("a"));
  assert.is(bench.view(), undefined);
  const srv = bench.during(40_000).filter((line) => line.includes("SRV"));
  assert.equal(
    srv.map((line) => Number.parseInt(line, 10)),
    [20, 1020, 3020, 7020, 15020, 31020],
  );
  bench.hear(srvRecord("a"), txtRecord("a"));
  assert.is(bench.view(), undefined);
  const rest = bench.during(2000).filter((line) => !line.includes("PTR"));
  const pair = (ms: number) => [`${ms} A h.local`, `${ms} AAAA h.local`];
  assert.equal(rest, [...pair(40_020), ...pair(41_020)], "another question starts its own schedule");
  bench.hear(addressRecord("h"));
  assert.ok(bench.view());
  assert.equal(
    bench.during(20_000).filter((line) => !line.includes("PTR")),
    [],
  );
});

test("SRV, TXT and addresses are kept alive while they are answered", () => {
  const bench = new Bench();
  bench.hear(...instance("a"));
  bench.during(90_000);
  assert.equal(bench.during(6000), ["96000 SRV a._x._tcp.local", "96000 A h.local"]);
  bench.hear(srvRecord("a"), addressRecord("h"));
  assert.equal(
    bench.during(90_000).filter((line) => !line.includes("PTR")),
    [],
  );
  assert.ok(bench.view());
});

for (const [what, kept] of [
  ["its address", [srvRecord("a")]],
  ["its SRV", [addressRecord("h")]],
  ["both", []],
] as const) {
  test(`a host that vanishes without goodbye is gone 120 s after ${what} was last heard`, () => {
    const bench = new Bench();
    bench.hear(...instance("a"));
    bench.during(100_000);
    bench.hear(...kept);
    bench.during(19_999);
    assert.ok(bench.view());
    bench.changed.length = 0;
    const asked = bench.during(1);
    assert.is(bench.view(), undefined);
    assert.equal([...new Set(bench.changed)], ["a._x._tcp.local"]);
    assert.equal(asked, []);
    assert.ok(bench.during(20).length > 0, "it is asked for again at once");
  });
}

test("a device that comes back silently is found by the slow questions for what is missing", () => {
  const bench = new Bench();
  bench.hear(...instance("a"));
  bench.during(300_000);
  assert.is(bench.view(), undefined);
  assert.ok(bench.during(400_000).some((line) => line.includes("SRV a._x._tcp.local")));
});

test("goodbye of the pointer ends the instance one second later, and all questions about it", () => {
  const bench = new Bench();
  bench.hear(...instance("a"));
  bench.during(10_000);
  bench.hear(pointerRecord("a", { ttlSeconds: 0 }));
  bench.during(999);
  assert.ok(bench.view());
  bench.during(1);
  assert.is(bench.view(), undefined);
  assert.equal(
    bench.during(130_000).filter((line) => !line.includes("PTR")),
    [],
  );
  assert.is(bench.browser.counts.instances, 0);
});

test("a changed TXT or SRV with the flush bit counts at once, without waiting for the old one to go", () => {
  const bench = new Bench();
  bench.hear(...instance("a"));
  bench.during(5000);
  bench.hear(txtRecord("a", ["v=2"]));
  assert.equal(bench.view()!.txt.map(String), ["v=2"]);
  bench.hear(srvRecord("a", { port: 81 }));
  assert.is(bench.view()!.port, 81);
});

test("SRV: lowest priority first, then highest weight; port 0 and target . are no offers", () => {
  const bench = new Bench();
  bench.hear(...instance("a"));
  bench.hear(srvRecord("a", { priority: 5, port: 5 }), srvRecord("a", { weight: 9, port: 9 }));
  assert.is(bench.view()!.port, 9);
  const none = new Bench();
  none.hear(
    pointerRecord("a"),
    txtRecord("a"),
    addressRecord("h"),
    srvRecord("a", { port: 0 }),
    srvRecord("a", { target: "." }),
  );
  assert.is(none.view(), undefined);
});

test("records may come in any section and order, and in other case", () => {
  const bench = new Bench();
  bench.hear(addressRecord("H"), txtRecord("A"), srvRecord("A", { target: "h.LOCAL" }), pointerRecord("a"));
  assert.ok(bench.view());
});

test("what was not asked for is not stored", () => {
  const bench = new Bench();
  const foreign = { ...pointerRecord("a"), name: "_y._tcp.local" };
  const alien: HeardRecord = { ...pointerRecord("a"), data: { type: "PTR", target: "a._y._tcp.local" } };
  const far: HeardRecord = { ...addressRecord("h"), name: "h.example" };
  const deep: HeardRecord = { ...pointerRecord("a"), data: { type: "PTR", target: "a.b._x._tcp.local" } };
  bench.hear(foreign, alien, far, deep, srvRecord("a"), txtRecord("a"));
  assert.is(bench.browser.counts.records, 0);
});

test("a subtype's pointer tells the subtype; the instance lives while one of its pointers does", () => {
  const bench = new Bench(["_x._tcp", "_lamp._sub._x._tcp"]);
  const sub = (ttlSeconds: number) => ({ ...pointerRecord("a", { ttlSeconds }), name: "_lamp._sub._x._tcp.local" });
  bench.hear(...instance("a"), sub(4500));
  assert.equal(bench.view()!.subtypes, ["_lamp"]);
  bench.hear(pointerRecord("a", { ttlSeconds: 0 }));
  bench.during(1000);
  assert.ok(bench.view());
  bench.hear(sub(0));
  bench.during(1000);
  assert.is(bench.view(), undefined);
});

const meta = (type: string, ttlSeconds = 4500): HeardRecord => ({
  name: META,
  ttlSeconds,
  flush: false,
  data: { type: "PTR", target: `${type}.local` },
});

test("all: types come from the meta-query and are asked for in turn", () => {
  const bench = new Bench("all");
  assert.equal(bench.during(100), [`20 PTR ${META}`]);
  bench.hear(meta("_x._tcp"), meta("nonsense"));
  assert.equal(bench.during(100), ["120 PTR _x._tcp.local"]);
  bench.hear(...instance("a"));
  assert.ok(bench.view());
});

test("all: an announcement teaches its type, too, in the same message", () => {
  const bench = new Bench("all");
  bench.hear(...instance("a"));
  assert.ok(bench.view());
});

test("all: a type's goodbye counts only after a second, and only if nothing of it is left", () => {
  const bench = new Bench("all");
  bench.hear(meta("_x._tcp"), ...instance("a"));
  bench.during(10_000);
  bench.hear(meta("_x._tcp", 0));
  bench.during(2000);
  assert.ok(bench.view());
  assert.ok(
    bench.during(60_000).some((line) => line.includes("PTR _x._tcp.local")),
    "still asked for",
  );
  bench.hear(pointerRecord("a", { ttlSeconds: 0 }));
  bench.during(1500);
  assert.not.ok(
    bench.during(10_000_000).some((line) => line.includes("_x._tcp")),
    "asked for no more",
  );
});

test("all: no more types than the limit; one more when one has gone", () => {
  const bench = new Bench("all", { types: 2 });
  bench.hear(meta("_x._tcp"), meta("_y._tcp"), meta("_z._tcp"));
  assert.is(bench.browser.counts.records, 2);
  bench.hear(meta("_x._tcp", 0));
  bench.during(1000);
  bench.hear(meta("_z._tcp"));
  assert.ok(bench.during(1000).some((line) => line.includes("_z._tcp")));
});

test("no more instances than the limit; one more when one has gone", () => {
  const bench = new Bench(["_x._tcp"], { instances: 2 });
  bench.hear(pointerRecord("a"), pointerRecord("b"), pointerRecord("c"));
  assert.is(bench.browser.counts.instances, 2);
  bench.hear(pointerRecord("a", { ttlSeconds: 0 }));
  bench.during(1000);
  bench.hear(...instance("c"));
  assert.ok(bench.view("c"));
});

test("known answers: pointers with more than half of their life left, with what is left", () => {
  const bench = new Bench();
  bench.hear(...instance("old"));
  bench.during(2_000_000);
  bench.hear(pointerRecord("new"), pointerRecord("dying"), pointerRecord("dying", { ttlSeconds: 0 }));
  bench.browser.restart();
  bench.messages.length = 0;
  bench.during(20);
  const known = () =>
    bench.messages.flatMap(({ answers }) => answers).map(({ target, ttlSeconds }) => `${target} ${ttlSeconds}`);
  assert.equal(known(), ["old._x._tcp.local 2499", "new._x._tcp.local 4499"]);
  bench.during(300_000);
  bench.browser.restart();
  bench.messages.length = 0;
  bench.during(20);
  assert.equal(known(), ["new._x._tcp.local 4199"]);
});

test("known answers that do not fit follow in further messages: TC on all but the last, the question in the first", () => {
  const bench = new Bench();
  for (let i = 0; i < 60; i++) bench.hear(pointerRecord(`instance number ${i}`));
  bench.messages.length = 0;
  bench.clock.advanceMs(20);
  const chain = bench.messages.slice(bench.messages.findIndex(({ questions }) => questions[0]?.type === "PTR"));
  const end = chain.findIndex(({ truncated }) => !truncated);
  const parts = chain.slice(0, end + 1);
  assert.ok(parts.length >= 2);
  assert.equal(
    parts.map(({ questions }) => questions.length),
    [1, ...Array(parts.length - 1).fill(0)],
  );
  assert.is(
    parts.reduce((sum, { answers }) => sum + answers.length, 0),
    60,
  );
  for (const message of bench.messages) assert.ok(messageBytes(message) <= MESSAGE_BYTES_LIMIT);
});

test("many questions share messages, and no more than ten messages go out at once", () => {
  const bench = new Bench();
  for (let i = 0; i < 400; i++) bench.hear(pointerRecord(`an instance with a longer name, number ${i}`));
  bench.messages.length = 0;
  bench.clock.advanceMs(20);
  assert.ok(bench.messages.filter(({ questions }) => questions.length > 0).length <= 10);
  bench.clock.advanceMs(900);
  const asked = new Set(bench.asked.filter((line) => line.includes("SRV")).map((line) => line.split(" SRV ")[1]));
  assert.is(asked.size, 400);
  for (const message of bench.messages) assert.ok(messageBytes(message) <= MESSAGE_BYTES_LIMIT);
});

test("lives of one second make no storm of questions", () => {
  const bench = new Bench();
  bench.during(10_000);
  for (let second = 0; second < 10; second++) {
    bench.hear(
      pointerRecord("a"),
      ...[srvRecord("a"), txtRecord("a"), addressRecord("h")].map((r) => ({ ...r, ttlSeconds: 1 })),
    );
    const asked = bench.during(900);
    assert.ok(asked.length <= 6, asked.join());
  }
});

const denial = (name: string, types: string[], ttlSeconds = 120): HeardRecord => ({
  name,
  ttlSeconds,
  flush: true,
  data: { type: "NSEC", types },
});
const otherThanPtr = (asked: readonly string[]) => asked.filter((line) => !line.includes("PTR"));

test("a host that says it has no IPv6 address is not asked for one", () => {
  const bench = new Bench();
  bench.hear(denial("h.local", ["A"]), ...instance("a"));
  assert.ok(bench.view());
  assert.equal(otherThanPtr(bench.during(60_000)), []);
});

test("a denial that comes as the answer ends the asking; the other family's address is still taken when it comes", () => {
  const bench = new Bench();
  bench.hear(pointerRecord("a"), srvRecord("a"), txtRecord("a"));
  assert.equal(otherThanPtr(bench.during(100)), ["20 A h.local", "20 AAAA h.local"]);
  bench.hear(denial("h.local", ["AAAA"]), addressRecord("h", "fd00::2"));
  assert.equal(otherThanPtr(bench.during(60_000)), []);
  bench.hear(addressRecord("h"));
  assert.equal(bench.view()!.addresses, ["10.0.0.2", "fd00::2"]);
});

test("a denial of everything holds for its TTL, and no longer than the limit for any TTL", () => {
  for (const [ttl, endSeconds] of [
    [120, 120],
    [4294967295, 4500],
    [1, 1],
  ]) {
    const bench = new Bench();
    const lasting = [pointerRecord("a"), { ...srvRecord("a"), ttlSeconds: 4500 }, txtRecord("a")];
    bench.hear(...lasting, denial("h.local", ["TXT"], ttl));
    const asked: string[] = [];
    for (let i = 0; i < 10; i++) {
      asked.push(...bench.during(600_000).filter((line) => / A+ /.test(line)));
      bench.hear(...lasting);
    }
    assert.ok(Number.parseInt(asked[0], 10) >= endSeconds * 1000, `${ttl}: ${asked[0]}`);
    assert.ok(Number.parseInt(asked[0], 10) <= endSeconds * 1000 + 2120, `${ttl}: ${asked[0]}`);
  }
});

test("denials about names that nobody uses are not stored", () => {
  const bench = new Bench();
  bench.hear(denial("other.local", ["A"]), denial("b._x._tcp.local", []));
  assert.is(bench.browser.counts.records, 0);
});

test("what carries sdid is no instance of ours: not shown, not completed, not refreshed but for its TXT; counted once", () => {
  const bench = new Bench();
  bench.hear(pointerRecord("a"), txtRecord("a", ["sdid=1", "v=1"]));
  assert.equal(otherThanPtr(bench.during(60_000)), []);
  bench.hear(...instance("a").slice(0, 2), addressRecord("h"));
  assert.is(bench.view(), undefined);
  bench.hear(txtRecord("a", ["sdid=1", "v=2"]));
  assert.equal(otherThanPtr(bench.during(1_000_000)), []);
  assert.equal(bench.dropped, ["carries sdid"]);
  bench.hear(txtRecord("a"), srvRecord("a"), addressRecord("h"));
  assert.ok(bench.view(), "the mark has gone: it is taken");
});

test("recheck: SRV and addresses are asked for twice, and gone after ten seconds without answer", () => {
  const bench = new Bench();
  bench.hear(...instance("a"), addressRecord("h", "fd00::2"));
  bench.during(10_000);
  bench.browser.recheck();
  bench.browser.recheck();
  const at = (ms: number) => [`${ms} SRV a._x._tcp.local`, `${ms} A h.local`, `${ms} AAAA h.local`];
  assert.equal(otherThanPtr(bench.during(5000)).sort(), [...at(10_000), ...at(11_000)].sort());
  bench.during(4999);
  assert.ok(bench.view());
  bench.during(1);
  assert.is(bench.view(), undefined);
});

test("recheck: an instance that answers stays, and its schedule is that of any record just heard", () => {
  const bench = new Bench();
  bench.hear(...instance("a"));
  bench.during(10_000);
  bench.browser.recheck();
  bench.during(50);
  bench.hear(srvRecord("a"), addressRecord("h"));
  assert.equal(otherThanPtr(bench.during(90_000)), []);
  assert.ok(bench.view());
});

test("recheck: what answers for the SRV but not for the address is gone, too", () => {
  const bench = new Bench();
  bench.hear(...instance("a"));
  bench.during(10_000);
  bench.browser.recheck();
  bench.during(50);
  bench.hear(srvRecord("a"));
  bench.during(10_000);
  assert.is(bench.view(), undefined);
});

test("recheck: everything is asked for again, and what does not answer is gone after ten seconds", () => {
  const bench = new Bench();
  bench.hear(...instance("a"), pointerRecord("b"), srvRecord("b", { target: "g.local" }), txtRecord("b"));
  bench.hear(addressRecord("g", "10.0.0.9"));
  bench.during(3000);
  bench.browser.recheck();
  const asked = bench.during(10_000);
  assert.ok(asked.some((line) => line.includes("PTR _x._tcp.local")));
  assert.is(asked.filter((line) => line.includes(" SRV ")).length, 4);
  bench.hear(...instance("a"));
  bench.during(10_000);
  assert.ok(bench.view("a"));
  assert.is(bench.view("b"), undefined);
});

test("recheck: of very many instances none is dropped that was not asked for twice", () => {
  const bench = new Bench(["_x._tcp"], { instances: 4000, records: 16_000, recordsPerSource: 16_000 });
  const number = 4000;
  for (let i = 0; i < number; i++) bench.hear(pointerRecord(`s${i}`), srvRecord(`s${i}`), txtRecord(`s${i}`));
  bench.hear(addressRecord("h"));
  bench.during(10_000);
  bench.browser.recheck();
  const asked = new Map<string, number>();
  for (let ms = 0; ms < 45_000; ms += 100) {
    for (const line of bench.during(100)) {
      const [, type, name] = line.split(" ");
      // Once it is gone it is asked for as something new.
      if (type === "SRV" && bench.view(name.split(".")[0])) asked.set(name, (asked.get(name) ?? 0) + 1);
    }
    bench.hear(addressRecord("h"));
  }
  assert.is(asked.size, number);
  assert.is(Math.min(...asked.values()), 2);
  assert.is(bench.view("s0"), undefined);
});

test("after something found no room, everything is asked for again as soon as there is room, once a minute at most", () => {
  const bench = new Bench(["_x._tcp"], { instances: 2 });
  bench.during(1_000_000);
  bench.hear(pointerRecord("a"), ...instance("b"), pointerRecord("c"));
  bench.hear(pointerRecord("a", { ttlSeconds: 0 }));
  assert.is(ptrCount(bench.during(10_000)), 4);
  bench.hear(pointerRecord("a"), pointerRecord("d"), pointerRecord("a", { ttlSeconds: 0 }));
  assert.is(ptrCount(bench.during(2000)), 0);
  assert.is(ptrCount(bench.during(120_000)) > 2, true);
});

test("lives of 0 and 2^32-1 s: a goodbye, and no more than the limit", () => {
  const bench = new Bench();
  bench.hear(...instance("a").map((record) => ({ ...record, ttlSeconds: 4294967295 })));
  bench.during(4_499_999);
  assert.ok(bench.view());
  bench.during(1);
  assert.is(bench.view(), undefined);
  bench.hear(...instance("a"), ...instance("a").map((record) => ({ ...record, ttlSeconds: 0 })));
  bench.during(1000);
  assert.is(bench.view(), undefined);
  assert.is(bench.browser.counts.records, 0);
});

test("a goodbye for a host's SRV and address ends its instances, though the pointer lives", () => {
  const bench = new Bench();
  bench.hear(...instance("a"));
  bench.during(1000);
  bench.hear({ ...srvRecord("a"), ttlSeconds: 0 }, addressRecord("h"));
  bench.during(1000);
  assert.is(bench.view(), undefined);
  assert.ok(bench.during(100).some((line) => line.includes("SRV")));
});

test("wake-ups: 500 instances that answer cost no more than one every two seconds", () => {
  const bench = new Bench();
  /** Lets time pass, and each host answer at once; the number of wake-ups. */
  const answered = (ms: number): number => {
    const endMs = bench.clock.monotonicMs() + ms;
    for (let wakes = 0; ; wakes++) {
      bench.asked = [];
      if (bench.clock.fireNext(endMs - bench.clock.monotonicMs()) === undefined) {
        bench.clock.advanceMs(endMs - bench.clock.monotonicMs());
        return wakes;
      }
      for (const asked of bench.asked) {
        const i = /([0-9]+)[.]/.exec(asked.split(" ")[2])?.[1];
        if (asked.includes(" SRV ")) bench.hear(srvRecord(`i${i}`, { target: `h${i}.local` }));
        if (asked.includes(" A ")) bench.hear(addressRecord(`h${i}`));
      }
    }
  };
  for (let i = 0; i < 500; i++) {
    bench.hear(pointerRecord(`i${i}`), srvRecord(`i${i}`, { target: `h${i}.local` }), txtRecord(`i${i}`));
    bench.hear(addressRecord(`h${i}`), denial(`h${i}.local`, ["A"]));
    answered(237);
  }
  const wakes = answered(600_000);
  assert.ok(bench.view("i0") && bench.view("i499"));
  assert.ok(wakes <= 310, `${wakes} wake-ups in ten minutes`);
});

test("after stop nothing is asked, everything is gone and reported", () => {
  const bench = new Bench();
  bench.hear(...instance("a"));
  bench.changed.length = 0;
  bench.browser.stop();
  assert.equal(bench.changed, ["a._x._tcp.local"]);
  assert.is(bench.view(), undefined);
  assert.equal(bench.clock.timers(), []);
});

test("an idle browser sleeps until the next thing happens", () => {
  const bench = new Bench();
  bench.during(7_000_000);
  assert.is(bench.clock.timers().length, 1);
  assert.ok(bench.clock.nextInMs()! > 60_000);
});

test.run();
