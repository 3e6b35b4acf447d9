/** What mirrors and queries know, from the real directory. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { SeededRandom } from "../../../../scripts/fuzz/random.js";
import { parseFilter } from "../../../../src/core/filter/syntax.js";
import { LocalDirectory } from "../../../../src/core/local-directory.js";
import { properties } from "../../../../src/core/properties.js";
import { ServiceDirectory } from "../../../../src/core/service-directory.js";
import { Dropped } from "../../../../src/gateway/dropped.js";
import { KnownServices, type KnownServicesOptions } from "../../../../src/gateway/mqtt/native/known-services.js";
import { FakeClock } from "../../../support/fake-clock.js";

function fixture({ rules = [{}], queries = {} }: Partial<Pick<KnownServicesOptions, "rules" | "queries">> = {}) {
  const clock = new FakeClock();
  const random = new SeededRandom(3);
  const inner = new ServiceDirectory({ clock, timers: clock, random: () => random.unit() });
  const directory = new LocalDirectory(inner, "gateway", () => random.unit());
  const dropped = new Dropped();
  const changes: string[] = [];
  const services = new KnownServices({
    ...{ directory, rules, queries, dropped },
    random: () => random.unit(),
    onChange: (before, after) => {
      const word = !before ? "came" : !after ? "went" : "changed";
      const { id, kind, mirrored } = (after ?? before)!;
      changes.push(`${word} ${Number(`0x${id}`)} ${kind}${mirrored ? "" : " not mirrored"}`);
    },
  });
  let generation = 0n;
  const publish = async (id: number, props: Parameters<typeof properties>[0]) => {
    await directory.publish({
      id: BigInt(id),
      generation: ++generation,
      ttlSeconds: 60n,
      properties: properties(props),
    });
    await news();
  };
  const news = async () => {
    for (let n = 0; n < 5; n++) await Promise.resolve();
  };
  const find = (filter: string, max = 8) =>
    services.find(parseFilter(filter), max, 1e6).services!.map(({ state }) => Number(state.id));
  return { directory, dropped, services, publish, news, find, took: () => changes.splice(0) };
}

test("without rules of its own a service is mirrored under its kind", async () => {
  const { services, publish, directory, news, took, dropped } = fixture();
  await publish(1, { kind: "lamp" });
  services.start();
  await news();
  await publish(2, { kind: "valve", room: "cellar" });
  await publish(2, { kind: "valve", room: "hall" });
  await publish(3, { room: "attic" });
  await publish(4, { kind: "not a name" });
  await publish(5, { kind: "x".repeat(21) });
  await directory.unpublish(1n);
  await news();
  assert.equal(took(), [
    "came 1 lamp",
    "came 2 valve",
    "changed 2 valve",
    "came 3 undefined not mirrored",
    "came 4 undefined not mirrored",
    "came 5 undefined not mirrored",
    "went 1 lamp",
  ]);
  assert.equal(dropped.counts, { "no-kind": 1, "kind-is-no-name": 2 });
  services.stop();
  await publish(6, { kind: "lamp" });
  assert.equal(took(), []);
});

test("the first rule that matches decides; templates make kinds", async () => {
  const { services, publish, took } = fixture({
    rules: [
      { filter: "(mdns.type=_ipp._tcp)", kind: "printer" },
      { filter: "(&(kind=*)(floor=*))", kind: `\${kind}-\${floor}` },
      { filter: "(kind=lamp)" },
    ],
  });
  services.start();
  await publish(1, { "mdns.type": "_ipp._tcp", kind: "lamp" });
  await publish(2, { kind: "lamp", floor: 2 });
  await publish(3, { kind: "lamp" });
  await publish(4, { kind: "valve" });
  await publish(3, { kind: "lamp", "mdns.type": "_ipp._tcp" });
  assert.equal(took(), [
    "came 1 printer",
    "came 2 lamp-2",
    "came 3 lamp",
    "came 4 valve not mirrored",
    "changed 3 printer",
  ]);
});

test("D.4: k is the kind, whatever rule made it; max holds; services of gateways are not shown", async () => {
  const { services, publish, find } = fixture({ rules: [{ filter: "(mdns.type=_ipp._tcp)", kind: "printer" }] });
  services.start();
  await publish(1, { kind: "lamp", room: "kitchen", fw: 3 });
  await publish(2, { kind: "lamp", room: "cellar", k: "trap" });
  await publish(3, { "mdns.type": "_ipp._tcp" });
  await publish(4, { kind: "lamp", src: "gateway:mqtt" });
  assert.equal(find("(k=lamp)"), [1, 2]);
  assert.equal(find("(k=lamp)", 1), [1]);
  assert.equal(find("(&(k=lamp)(room=kitchen))"), [1]);
  assert.equal(find("(k=printer)"), [3]);
  assert.equal(find("(k=trap)"), []);
  assert.equal(find("(kind=lamp)"), [1, 2]);
  assert.equal(find("(fw>2)"), [1]);
  assert.equal(find("(room=k*n)"), [1]);
  assert.equal(find("(!(room=*))"), [3]);
});

test("queries see what their own filter lets through, and no more", async () => {
  const { services, publish, find, took } = fixture({
    rules: [{ filter: "(kind=lamp)" }],
    queries: { filter: "(public=yes)" },
  });
  services.start();
  await publish(1, { kind: "lamp" });
  await publish(2, { kind: "lamp", public: "yes" });
  await publish(3, { kind: "valve", public: "yes" });
  await publish(4, { kind: "valve" });
  assert.equal(find("(k=*)"), [2, 3]);
  assert.equal(took(), ["came 1 lamp", "came 2 lamp", "came 3 valve not mirrored"], "4 was not even asked for");
});

test("what changes keeps its place, memory is given back", async () => {
  const { services, publish, directory, news, find } = fixture();
  services.start();
  for (let id = 1; id <= 3; id++) await publish(id, { kind: "lamp" });
  for (let round = 0; round < 50; round++) await publish(1, { kind: "lamp", round, text: "x".repeat(round * 10) });
  assert.equal(find("(k=lamp)"), [1, 2, 3]);
  for (let id = 1n; id <= 3n; id++) await directory.unpublish(id);
  await news();
  assert.is(services.size, 0);
  assert.is((services as unknown as { store: { usedWords: number } }).store.usedWords, 0);
});

test("a filter that is none is refused at once", () => {
  assert.throws(() => fixture({ rules: [{ filter: "(kind" }] }), /filter "\(kind": /);
});

test("a query has a budget in work: bytes for a search, values for a comparison, those of the visible ones included", async () => {
  const { services, publish } = fixture();
  services.start();
  for (let id = 0; id < 100; id++) await publish(id, { kind: "lamp", text: "x".repeat(10_000) });
  const steps = (filter: string, max = 8) => services.find(parseFilter(filter), max, 1e9).steps;
  const [compared, searched] = [steps("(room=hall)"), steps("(text=*y*)")];
  assert.ok(compared < 100 * 50, `${compared}`);
  assert.ok(searched > 100 * 10_000, `${searched}`);
  assert.ok(steps("(|(text=*y*)(text=*z*z*))") > 2.9 * searched, "each part is searched for");
  assert.ok(steps("(kind=lamp)", 1) < compared / 50, "what is found is not paid for twice");
  assert.equal(services.find(parseFilter("(!(text=*y*))"), 8, 50_000), { steps: 50_000 });
  assert.is(services.find(parseFilter("(!(text=*y*))"), 1, 50_000).services?.length, 1);

  const narrow = fixture({ queries: { filter: "(text=*secret*)" } });
  narrow.services.start();
  await narrow.publish(1, { kind: "lamp", text: "x".repeat(10_000) });
  assert.ok(narrow.services.find(parseFilter("(k=lamp)"), 8, 1e9).steps > 10_000);
});

test.run();
