/** The record cache on a clock of its own: refresh points, goodbye, cache flush, expiry, limits. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CacheLimits, RecordCache } from "../../../src/gateway/mdns/cache.js";
import type { CachedRecord } from "../../../src/gateway/mdns/cached-record.js";
import type { HeardRecord } from "../../../src/gateway/mdns/records.js";

const LIMITS: CacheLimits = { ttlSeconds: 4500, records: 100, recordsPerSource: 50 };
const address = (last: number, ttlSeconds = 120, flush = true): HeardRecord => ({
  name: "a.local",
  ttlSeconds,
  flush,
  data: { type: "A", address: `10.0.0.${last}` },
});
const pointer = (target: string, ttlSeconds = 4500, flush = false): HeardRecord => ({
  name: "_x._tcp.local",
  ttlSeconds,
  flush,
  data: { type: "PTR", target: `${target}._x._tcp.local` },
});
const cacheWith = ({ limits = LIMITS, random = 0, isNeeded = (_: CachedRecord): boolean => true } = {}) =>
  new RecordCache(limits, () => random, isNeeded);
const addresses = (cache: RecordCache) =>
  cache.of("A", "a.local").map(({ data }) => (data.type === "A" ? data.address : ""));

/** Wakes the cache whenever it asks for it; the moments of each refresh, and the moment everything had gone. */
function lifeOf(cache: RecordCache): { refreshesMs: number[]; emptyMs: number } {
  const refreshesMs: number[] = [];
  for (let wakes = 0; wakes < 1000; wakes++) {
    const nowMs = cache.dueMs;
    const { refresh } = cache.wake(nowMs);
    for (const _ of refresh) refreshesMs.push(nowMs);
    if (cache.size === 0) return { refreshesMs, emptyMs: nowMs };
  }
  throw new Error("never empty");
}

const LIVES: readonly [what: string, ttl: number, refreshes: number, lifeSeconds: number][] = [
  ["an address", 120, 4, 120],
  ["a pointer", 4500, 4, 4500],
  ["a life of 2^32-1 s, cut", 4294967295, 4, 4500],
  ["a life of 2^31 s, cut", 2147483648, 4, 4500],
  ["a life of 10 s: refreshes at least 1 s apart", 10, 2, 10],
  ["a life of 1 s", 1, 1, 1],
];
for (const [what, ttl, refreshes, lifeSeconds] of LIVES) {
  test(`${what}: refreshed at 80, 85, 90, 95 % and up to 2 % later, gone at 100 %`, () => {
    for (const random of [0, 0.123, 0.5, 0.77, 0.999999]) {
      for (const heardMs of [0, 777, 63_999]) {
        const cache = cacheWith({ random });
        cache.hear([address(1, ttl)], "h", heardMs);
        const life = lifeOf(cache);
        assert.is(life.refreshesMs.length, refreshes);
        assert.is(life.emptyMs, heardMs + lifeSeconds * 1000);
        for (const atMs of life.refreshesMs) {
          const percent = (atMs - heardMs) / lifeSeconds / 10;
          const point = [95, 90, 85, 80].find((least) => least <= percent + 1e-9)!;
          assert.ok(percent <= point + 2 + 1e-9, `asked at ${percent} %`);
        }
        assert.not.ok(cache.has("A", "a.local"));
      }
    }
  });
}

test("records that were heard at different times are asked for together: lives of 120 s on a grid of 2 s", () => {
  const cache = cacheWith({ random: 0.3, limits: { ttlSeconds: 4500, records: 1000, recordsPerSource: 1000 } });
  for (let i = 0; i < 500; i++) cache.hear([{ ...address(1), name: `h${i}.local` }], "h", i * 20);
  const wakes = new Set<number>();
  while (cache.dueMs < 106_000) {
    wakes.add(cache.dueMs);
    cache.wake(cache.dueMs);
  }
  assert.ok(wakes.size <= 10, `${wakes.size} wake-ups for 500 records that came within 10 s`);
});

test("what nobody needs is not refreshed", () => {
  const cache = cacheWith({ isNeeded: () => false });
  cache.hear([address(1)], "h", 0);
  assert.equal(lifeOf(cache), { refreshesMs: [], emptyMs: 120_000 });
});

test("hearing a record again starts its life again, and is no change", () => {
  const cache = cacheWith();
  cache.hear([address(1)], "h", 0);
  cache.wake(96_000);
  const { added, removed, revived } = cache.hear([address(1)], "h", 97_000);
  assert.equal([added, removed, revived], [[], [], []]);
  assert.equal(lifeOf(cache), { refreshesMs: [194_000, 200_000, 206_000, 212_000], emptyMs: 217_000 });
});

test("names and targets that differ in ASCII case only are the same record, kept as first heard", () => {
  const cache = cacheWith();
  cache.hear([pointer("Lamp")], "h", 0);
  const upper: HeardRecord = { ...pointer("LAMP"), name: "_X._TCP.LOCAL" };
  assert.is(cache.hear([upper], "h", 1).added.length, 0);
  assert.equal(
    cache.of("PTR", "_x._tcp.local").map(({ data }) => data),
    [pointer("Lamp").data],
  );
});

test("a goodbye leaves one second, without refresh; a second goodbye does not prolong it", () => {
  const cache = cacheWith();
  cache.hear([pointer("a")], "h", 0);
  cache.hear([pointer("a", 0)], "h", 10_000);
  cache.hear([pointer("a", 0)], "h", 10_500);
  assert.is(cache.size, 1);
  assert.equal(lifeOf(cache), { refreshesMs: [], emptyMs: 11_000 });
});

test("a goodbye for what is not known stores nothing", () => {
  const cache = cacheWith();
  cache.hear([pointer("a", 0)], "h", 0);
  assert.is(cache.size, 0);
});

test("a goodbye does not prolong a life that ends sooner", () => {
  const cache = cacheWith();
  cache.hear([address(1, 2)], "h", 0);
  cache.hear([address(1, 0)], "h", 1500);
  assert.is(lifeOf(cache).emptyMs, 2000);
});

test("announced again within the second, a record lives on and is reported as revived", () => {
  const cache = cacheWith();
  cache.hear([pointer("a")], "h", 0);
  cache.hear([pointer("a", 0)], "h", 10_000);
  const { added, revived } = cache.hear([pointer("a")], "h", 10_875);
  assert.equal([added.length, revived.length], [0, 1]);
  assert.is(lifeOf(cache).emptyMs, 10_875 + 4_500_000);
});

test("a cache flush gives the older rest of the set one second", () => {
  const cache = cacheWith();
  cache.hear([address(1), address(2)], "h", 0);
  cache.hear([address(2), address(3)], "h", 5000);
  assert.equal(addresses(cache), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  cache.wake(5999);
  assert.equal(addresses(cache), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  const { changes } = cache.wake(6000);
  assert.equal(
    changes.removed.map(({ data }) => data),
    [address(1).data],
  );
  assert.equal(addresses(cache), ["10.0.0.2", "10.0.0.3"]);
});

test("a set that comes in several packets within a second stays whole", () => {
  const cache = cacheWith();
  cache.hear([address(1)], "h", 0);
  cache.hear([address(2)], "h", 1000);
  cache.wake(10_000);
  assert.equal(addresses(cache), ["10.0.0.1", "10.0.0.2"]);
});

test("the flush bit on PTR records is ignored: nobody owns such a set", () => {
  const cache = cacheWith();
  cache.hear([pointer("a")], "h", 0);
  cache.hear([pointer("b", 4500, true)], "g", 5000);
  cache.wake(10_000);
  assert.is(cache.size, 2);
});

test("a flush with a goodbye beside a live record of the set", () => {
  const cache = cacheWith();
  cache.hear([address(1), address(2)], "h", 0);
  cache.hear([address(1, 0), address(2)], "h", 5000);
  cache.wake(6000);
  assert.equal(addresses(cache), ["10.0.0.2"]);
});

test("a set that comes in two packets, heard before and stated again, stays whole though each flushes the other", () => {
  const cache = cacheWith();
  for (const beginMs of [0, 60_000, 120_000]) {
    cache.hear([address(1)], "h", beginMs);
    assert.equal(cache.wake(beginMs + 900).changes.removed, []);
    cache.hear([address(2)], "h", beginMs + 900);
  }
  cache.wake(130_000);
  assert.equal(addresses(cache), ["10.0.0.1", "10.0.0.2"]);
});

test("two hosts that state different sets with the flush bit, again and again, leave one of them, not none", () => {
  const cache = cacheWith();
  for (let ms = 0; ms < 60_000; ms += 1500) {
    cache.hear([address(ms % 3000 === 0 ? 1 : 2)], "h", ms);
    cache.wake(ms);
    assert.ok(addresses(cache).length >= 1);
  }
});

test("in doubt: asked for at once and a second later, gone after ten seconds", () => {
  const cache = cacheWith();
  cache.hear([address(1, 4500)], "h", 0);
  cache.doubt(cache.of("A", "a.local")[0], 5000);
  cache.doubt(cache.of("A", "a.local")[0], 5000); // a second hint changes nothing
  assert.equal(lifeOf(cache), { refreshesMs: [5000, 6000], emptyMs: 15_000 });
});

test("in doubt and heard again: all is as before", () => {
  const cache = cacheWith();
  cache.hear([address(1)], "h", 0);
  cache.doubt(cache.of("A", "a.local")[0], 5000);
  cache.wake(5000);
  cache.hear([address(1)], "h", 5100);
  assert.is(lifeOf(cache).emptyMs, 125_100);
});

test("a doubt does not prolong a life that ends sooner", () => {
  const cache = cacheWith();
  cache.hear([address(1)], "h", 0);
  cache.doubt(cache.of("A", "a.local")[0], 115_000);
  assert.is(lifeOf(cache).emptyMs, 120_000);
});

test("limits: per source, in all, per set; what is refused is counted", () => {
  const named = (i: number): HeardRecord => ({ ...address(1), name: `h${i}.local` });
  const perSource = cacheWith({ limits: { ...LIMITS, recordsPerSource: 3 } });
  for (let i = 0; i < 5; i++) perSource.hear([named(i)], "h", 0);
  perSource.hear([named(9)], "other", 0);
  assert.equal([perSource.size, perSource.refusedOfOne], [4, 2]);

  const inAll = cacheWith({ limits: { ...LIMITS, records: 3 } });
  for (let i = 0; i < 5; i++) inAll.hear([named(i)], `h${i}`, 0);
  assert.equal([inAll.size, inAll.refusedFull], [3, 2]);

  const perSet = cacheWith();
  for (let i = 0; i < 40; i++) perSet.hear([address(i, 120, false)], "h", 0);
  assert.equal([perSet.size, perSet.refusedOfOne], [32, 8]);
});

test("a source may store again what it has lost", () => {
  const cache = cacheWith({ limits: { ...LIMITS, recordsPerSource: 1 } });
  cache.hear([address(1)], "h", 0);
  cache.wake(120_000);
  cache.hear([address(2)], "h", 120_001);
  assert.equal(addresses(cache), ["10.0.0.2"]);
});

test("when it is full, what nobody needs makes room", () => {
  const limits = { ...LIMITS, records: 2 };
  const cache = cacheWith({ limits, isNeeded: ({ name }) => name === "needed.local" });
  cache.hear(
    [
      { ...address(1), name: "needed.local" },
      { ...address(2), name: "junk.local" },
    ],
    "h",
    0,
  );
  const { added, removed } = cache.hear([address(3)], "h", 1000);
  assert.equal([added.length, removed.map(({ name }) => name)], [1, ["junk.local"]]);
  assert.ok(cache.has("A", "needed.local"));
});

test("10.1: a goodbye ends what it names, and no other of the set, whatever its flush bit", () => {
  const cache = cacheWith();
  cache.hear([address(1), address(2)], "h", 0);
  cache.hear([address(1, 0)], "h", 10_000);
  cache.wake(11_000);
  assert.equal(addresses(cache), ["10.0.0.2"]);
  cache.hear([address(2, 0), address(3)], "h", 20_000);
  cache.wake(21_000);
  assert.equal(addresses(cache), ["10.0.0.3"]);
});

test.run();
