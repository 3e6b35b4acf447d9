/** Which services are handed to the publisher, and when. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Directory, Match } from "../../../../src/core/directory-access.js";
import { SILENT } from "../../../../src/core/log.js";
import { properties } from "../../../../src/core/properties.js";
import { Dropped } from "../../../../src/gateway/dropped.js";
import { type PublishRule, sdidOf } from "../../../../src/gateway/mdns/responder/publish-rule.js";
import { Selection } from "../../../../src/gateway/mdns/responder/selection.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { RecordingDirectory } from "../../recording-directory.js";

class Bench {
  readonly clock = new FakeClock();
  readonly calls: string[] = [];
  readonly logged: string[] = [];
  readonly dropped = new Dropped();
  readonly filters: (string | undefined)[] = [];
  readonly selection: Selection;
  private readonly subscribers: ((match: Match) => void)[] = [];
  private readonly known = new Set<bigint>();

  constructor({ limit = 10, rules = [{ filter: "(name=*)" }] as readonly PublishRule[] } = {}) {
    const { clock, dropped, calls } = this;
    const directory: Directory = Object.assign(new RecordingDirectory(), {
      subscribe: (filter: string | undefined, onMatch: (match: Match) => void) => {
        this.filters.push(filter);
        this.subscribers.push(onMatch);
        return { cancel: () => void this.filters.splice(this.filters.indexOf(filter), 1) };
      },
    });
    const write = (text: () => string) => void this.logged.push(text());
    this.selection = new Selection({
      rules,
      marks: { scope: "local", gateway: "gw" },
      directory,
      clock,
      timers: clock,
      log: { ...SILENT, info: write, warning: write },
      dropped,
      limit,
      publisher: {
        put: (key, { label, port }) => void calls.push(`${clock.monotonicMs()} put ${key.slice(15)} ${label}:${port}`),
        drop: (key) => void calls.push(`${clock.monotonicMs()} drop ${key.slice(15)}`),
      },
    });
    this.selection.start();
  }

  show(id: number, name: string, more: Parameters<typeof properties>[0] = {}): void {
    const serviceId = BigInt(id);
    const type = this.known.has(serviceId) ? "modified" : "appeared";
    this.known.add(serviceId);
    const shown = properties({ name, port: 80, "mdns.type": "_x._tcp", ...more });
    const service = { id: serviceId, generation: 1n, ttlSeconds: 60n, owner: 1n, properties: shown };
    for (const onMatch of this.subscribers) onMatch({ type, service });
  }

  hide(id: number): void {
    this.known.delete(BigInt(id));
    for (const onMatch of this.subscribers) onMatch({ type: "disappeared", serviceId: BigInt(id) });
  }

  during(ms: number): string[] {
    this.clock.advanceMs(ms);
    return this.calls.splice(0);
  }
}

test("what appears is published at once, changes are joined for half a second, what goes goes at once", () => {
  const bench = new Bench();
  bench.show(1, "a");
  assert.equal(bench.during(1000), ["0 put 1 0 a:80"]);
  bench.show(1, "a", { port: 81 });
  bench.show(1, "a", { port: 82 });
  assert.equal(bench.during(1000), ["1500 put 1 0 a:82"]);
  bench.show(1, "a", { port: 83 });
  bench.hide(1);
  assert.equal(bench.during(1000), ["2000 drop 1 0"]);
  bench.hide(1);
  assert.equal([bench.during(60_000), bench.clock.timers()], [[], []]);
});

test("a change that nobody would see is none", () => {
  const bench = new Bench();
  for (let i = 0; i < 100; i++) {
    bench.show(1, "a", { temperature: i });
    bench.clock.advanceMs(1000);
  }
  assert.equal([bench.calls, bench.logged, bench.dropped.counts], [["0 put 1 0 a:80"], [], {}]);
});

test("more than five changes in a minute: held for 60 s, told once; then as it is by then", () => {
  const bench = new Bench();
  for (let i = 0; i < 300; i++) {
    bench.show(1, "a", { port: 1000 + i });
    bench.clock.advanceMs(1000);
  }
  assert.ok(bench.calls.length <= 5 * 6, `${bench.calls.length} in 5 min`);
  assert.ok(bench.calls.length >= 5, "it is not silent for ever");
  bench.during(120_000);
  bench.show(2, "b");
  assert.equal(bench.during(1000).length, 1, "others are not concerned");
  assert.equal(bench.logged, ["service 0000000000000001 changes too often: not published anew for 60 s."]);
  assert.ok(bench.dropped.counts["changes too often"] > 1);
});

test("what goes while it is held goes at once, and comes back when the hold is over", () => {
  const bench = new Bench();
  for (let i = 0; i < 8; i++) {
    bench.show(1, "a", { port: 1000 + i });
    bench.clock.advanceMs(1600);
  }
  bench.calls.length = 0;
  bench.hide(1);
  assert.equal(bench.during(1000), ["12800 drop 1 0"]);
  bench.show(1, "a");
  assert.equal(bench.during(50_000), []);
  assert.equal(
    bench.during(20_000).map((text) => text.slice(5)),
    [" put 1 0 a:80"],
  );
});

test("beyond the limit services wait for room; counted, and told once", () => {
  const bench = new Bench({ limit: 2 });
  for (const id of [1, 2, 3, 4]) bench.show(id, `s${id}`);
  assert.equal(
    bench.during(0).map((text) => text.slice(2)),
    ["put 1 0 s1:80", "put 2 0 s2:80"],
  );
  assert.equal([bench.dropped.counts, bench.selection.waitingForRoom], [{ "more services than max_published": 2 }, 2]);
  assert.equal(bench.logged, ["more than 2 services to publish; further ones wait for room."]);
  bench.hide(1);
  assert.equal(
    bench.during(0).map((text) => text.slice(2)),
    ["drop 1 0", "put 3 0 s3:80"],
  );
});

test("what cannot be published is counted by reason; when it becomes right it is published, and the other way round", () => {
  const bench = new Bench();
  bench.show(1, "a", { port: 0 });
  bench.show(2, "b", { src: "mdns:local" });
  assert.equal(bench.during(1000), []);
  assert.equal(bench.dropped.counts, { "port is not 1 … 65535": 1, "comes from this link": 1 });
  bench.show(1, "a");
  assert.equal(bench.during(1000), ["1500 put 1 0 a:80"]);
  bench.show(1, "a", { port: 0 });
  assert.equal(bench.during(1000), ["2500 drop 1 0"]);
});

test("which service cannot be published, and why, is written once a minute; what a gateway announced is none of that", () => {
  const bench = new Bench();
  const [a, b] = ['service 0000000000000001 "a\\nb"', 'service 0000000000000002 "b"'];
  bench.show(1, "a\nb", { port: 0 });
  bench.show(2, "b", { "mdns.type": "x" });
  bench.show(3, "c", { src: "mdns:local" });
  bench.show(4, "d", { src: "gateway:gw" });
  bench.show(5, "e", { "txt.sdid": "1" });
  assert.equal(bench.logged, [`${a} (publish[0]) is not published: port is not 1 … 65535.`]);
  for (let i = 0; i < 100; i++) {
    bench.show(1, "a\nb", { port: 0, temperature: i });
    bench.clock.advanceMs(1000);
  }
  assert.is(bench.logged.length, 1, "what is known of the first hides no other one");
  bench.show(2, "b", { "mdns.type": "x" });
  bench.clock.advanceMs(60_000);
  assert.equal(bench.logged.slice(1), [
    `${b} (publish[0]) is not published: type is not a service type. (and 1 more since the last such warning)`,
  ]);
  bench.clock.advanceMs(1000);
  bench.hide(1);
  bench.show(1, "a\nb", { port: 0 });
  assert.is(bench.logged.length, 3, "it went and came back");
});

test("what is left out of a service is counted and written, also when nobody else would notice; once, until it changes", () => {
  const bench = new Bench();
  bench.show(1, "a");
  for (let i = 0; i < 100; i++) {
    bench.show(1, "a", { "txt.ü": "1", "txt.": "1", temperature: i });
    bench.clock.advanceMs(1000);
  }
  assert.equal(bench.during(0), ["0 put 1 0 a:80"]);
  assert.equal(bench.dropped.counts, { "TXT key is not allowed": 2 });
  const begin = 'service 0000000000000001 "a" (publish[0]) is published without ';
  assert.equal(bench.logged.splice(0), [`${begin}"" (TXT key is not allowed), "ü" (TXT key is not allowed).`]);
  bench.show(1, "a", Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`txt.${i}`, "x".repeat(254)])));
  bench.clock.advanceMs(1000);
  assert.equal(bench.dropped.counts, { "TXT key is not allowed": 2, "TXT string is too long": 10 });
  assert.match(bench.logged[0], /"7" \(TXT string is too long\), 2 more\.$/);
});

test("each rule has its filter, and publishes under its own key", () => {
  const bench = new Bench({ rules: [{ filter: "(a=1)" }, { filter: "(b=1)", type: "_y._tcp" }] });
  assert.equal(bench.filters, ["(a=1)", "(b=1)"]);
  bench.show(1, "a");
  assert.equal(bench.during(0), ["0 put 1 0 a:80", "0 put 1 1 a:80"]);
  bench.selection.stop();
  assert.equal(bench.filters, []);
  bench.show(2, "late");
  assert.equal([bench.during(100_000), bench.clock.timers()], [[], []]);
});

test("the mark is the id in 16 digits", () => assert.is(sdidOf(0x7fffffffffffffffn), "7fffffffffffffff"));

test.run();
