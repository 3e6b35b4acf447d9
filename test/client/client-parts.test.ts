/** The small parts of the client library: back-off, queue, lowest TTL, properties, wall-clock timers, deliveries. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { onAbort } from "../../src/client/abort-listeners.js";
import { BackOff } from "../../src/client/back-off.js";
import { Delivery } from "../../src/client/delivery.js";
import { KeyedQueue } from "../../src/client/keyed-queue.js";
import { toTtl } from "../../src/client/published-service.js";
import { SERVER_LIMITS, serverLimits } from "../../src/client/server-limits.js";
import { settingsKey, toServers } from "../../src/client/server-list.js";
import { propertiesSize, ServiceTooLargeError, toServiceProperties } from "../../src/client/service-properties.js";
import { traceLog } from "../../src/client/trace-log.js";
import { TtlCounts } from "../../src/client/ttl-counts.js";
import { wallClockTimers } from "../../src/client/wall-clock-timers.js";
import type { Clock } from "../../src/core/clock.js";
import { FakeClock } from "../support/fake-clock.js";
import { uncaught } from "../support/transport-peers.js";
import { countListeners } from "./live-domain.js";

const delays = (random: number, minSeconds = 0.01, maxSeconds = 5, count = 12) => {
  const backOff = new BackOff(
    () => ({ minSeconds, maxSeconds }),
    () => random,
  );
  return Array.from({ length: count }, () => backOff.next());
};

test("back-off: min to twice min, doubled, up to the limit, from which a random part is taken off", () => {
  assert.equal(delays(0).slice(0, 10), [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000]);
  const longest = delays(0.999);
  assert.equal(longest.slice(0, 3).map(Math.round), [20, 40, 80]);
  assert.ok(longest.every((delay) => delay <= 5000));
  assert.ok(longest[11]! >= 3750 && longest[11]! < 3760, String(longest[11]));
  assert.equal(delays(0.5, 0.1, 0.1, 3), [87.5, 87.5, 87.5]);
});

test("back-off: after reset the next delay is the first; limits are followed as they change", () => {
  let minSeconds = 0.01;
  const backOff = new BackOff(
    () => ({ minSeconds, maxSeconds: 5 }),
    () => 0,
  );
  assert.equal([backOff.next(), backOff.next()], [10, 20]);
  backOff.reset();
  assert.is(backOff.next(), 10);
  minSeconds = 1;
  assert.is(backOff.next(), 1000);
});

test("keyed queue: order, replacement in place, deletion anywhere", () => {
  const queue = new KeyedQueue<string, number>();
  for (const [index, key] of [..."abcdef"].entries()) queue.set(key, index);
  queue.set("b", 10);
  for (const key of ["a", "d", "f", "nobody"]) queue.delete(key);
  queue.set("d", 30);
  assert.equal([queue.size, queue.get("b"), queue.get("a")], [4, 10, undefined]);
  assert.equal([queue.shift(), queue.shift(), queue.shift(), queue.shift(), queue.shift()], [10, 2, 4, 30, undefined]);
  queue.set("g", 1);
  queue.clear();
  assert.equal([queue.shift(), queue.size], [undefined, 0]);
});

test("lowest TTL", () => {
  const ttls = new TtlCounts();
  assert.is(ttls.lowest(), Number.POSITIVE_INFINITY);
  for (const ttl of [5n, 3n, 3n, 9n]) ttls.add(ttl);
  assert.is(ttls.lowest(), 3);
  ttls.remove(3n);
  assert.is(ttls.lowest(), 3);
  ttls.remove(3n);
  assert.is(ttls.lowest(), 5);
  ttls.remove(5n);
  ttls.add(7n); // while it is not known
  assert.is(ttls.lowest(), 7);
  ttls.remove(9n);
  ttls.remove(7n);
  assert.is(ttls.lowest(), Number.POSITIVE_INFINITY);
});

test("properties: from objects and maps, copied, numbers exact, duplicates once, names without values dropped", () => {
  const mutable = new Map([["a", [1n, 1n, "1"]]]);
  const from = toServiceProperties(mutable);
  mutable.get("a")!.push("later");
  assert.equal([...from], [["a", [1n, "1"]]]);
  assert.equal(
    [...toServiceProperties({ n: 1, s: "x", many: [1, 2n, "y"], none: [] })],
    [
      ["n", [1n]],
      ["s", ["x"]],
      ["many", [1n, 2n, "y"]],
    ],
  );
  assert.equal([...toServiceProperties({})], []);
});

test("properties that are refused name what is wrong", () => {
  for (const [input, type, text] of [
    [{ a: 1.5 }, RangeError, /property "a": 1.5 is not a safe integer/],
    [{ a: 2 ** 53 }, RangeError, /use a bigint/],
    [{ a: 2n ** 63n }, RangeError, /-2\^63 to 2\^63-1/],
    [{ a: [true] }, TypeError, /property "a": a boolean/],
    [{ a: undefined }, TypeError, /property "a": a undefined/],
    [{ a: "x".repeat(32_768) }, ServiceTooLargeError, /at most 32768/],
  ] as const) {
    assert.throws(
      () => toServiceProperties(input as never),
      (error: unknown) => error instanceof type && text.test(error.message),
      String(text),
    );
  }
});

test("properties: the largest size is accepted, in libpaf's measure", () => {
  assert.is(propertiesSize(new Map([["å", ["x", 5n]]])), 2 + 5 + 1 + 5 + (2 + 5 + 25));
  assert.is(propertiesSize(toServiceProperties({ a: "x".repeat(32_768 - 11) })), 32_768);
});

test("TTLs: whole numbers of 63 bits", () => {
  assert.equal([toTtl(0), toTtl(2n ** 63n - 1n)], [0n, 2n ** 63n - 1n]);
  for (const ttl of [-1, 1.5, Number.NaN, 2 ** 53, -1n, 2n ** 63n]) assert.throws(() => toTtl(ttl), /no whole number/);
});

test("servers: what is equal and what is not valid", () => {
  const tls = { cert: "c", key: "k" };
  assert.is(
    settingsKey({ address: "tls:h:1", tls, maxIdleSeconds: 3 }),
    settingsKey({ maxIdleSeconds: 3, tls: { key: "k", cert: "c" }, address: "tls:h:1" }),
  );
  const keys = [
    {},
    { localAddress: "tcp:1.2.3.4:0" },
    { networkNamespace: "n" },
    { tls },
    { tls: { cert: "k", key: "c" } },
    { minProtocolVersion: 3 },
    { maxProtocolVersion: 3 },
    { minIdleSeconds: 3 },
    { maxIdleSeconds: 3 },
  ].map((settings) => settingsKey({ address: "tls:h:1", ...settings }));
  assert.is(new Set(keys).size, keys.length);
  for (const [servers, text] of [
    [[{ address: "nonsense" }], /nonsense/],
    [[{ address: "ux:a" }, { address: "ux:a" }], /servers\[1\] \(ux:a\): the same address twice/],
    [[{ address: "tcp:h:1", tls }], /TLS files/],
    [[{ address: "tcp:h:1", minProtocolVersion: 3, maxProtocolVersion: 2 }], /minProtocolVersion 3 is above/],
    [[{ address: "tcp:h:1", minIdleSeconds: Number.NaN }], /minIdleSeconds is NaN \(a number of seconds/],
    [[{ address: "tcp:h:1", maxIdleSeconds: -1 }], /servers\[0\] \(tcp:h:1\): maxIdleSeconds is -1/],
    [[{ address: "tcp:h:1", minProtocolVersion: 2.5 }], /minProtocolVersion is 2.5 \(a whole number/],
    [[{ address: "tcp:h:1", minIdleSeconds: 3, maxIdleSeconds: 2 }], /minIdleSeconds 3 is above/],
  ] as const) {
    assert.throws(() => toServers(servers), text);
  }
  toServers([
    { address: "utls:h:1", tls },
    { address: "ux:a", minIdleSeconds: 3, maxIdleSeconds: 3 },
  ]);
});

test("wall-clock timers fire when the clock on the wall says so, also after it was put forward or back", () => {
  const clock = new FakeClock();
  let stepSeconds = 0;
  const wall: Clock = {
    monotonicMs: () => clock.monotonicMs(),
    unixSeconds: () => clock.unixSeconds() + stepSeconds,
  };
  const timers = wallClockTimers(wall, clock);
  const fired: string[] = [];
  timers.after("a", 100_000, () => fired.push("a"));
  timers.after("b", 200_000, () => fired.push("b"));
  clock.advanceMs(99_000);
  assert.equal(fired, []);
  stepSeconds = -50;
  clock.advanceMs(50_000);
  assert.equal(fired, []);
  clock.advanceMs(1_001);
  assert.equal(fired, ["a"]);
  stepSeconds = 86_400;
  clock.advanceMs(10_000);
  assert.equal(fired, ["a", "b"]);
  assert.equal(clock.timers(), []);
});

test("deliveries: later, in order, and what one throws harms none of the others", async () => {
  const told: number[] = [];
  const delivery = new Delivery<number>();
  const bug = new Error("bug in the application");
  const errors = await uncaught(async () => {
    delivery.add(1, (value) => told.push(value));
    delivery.add(2, () => {
      throw bug;
    });
    delivery.add(3, (value) => {
      told.push(value);
      delivery.add(4, (later) => told.push(later));
    });
    assert.equal(told, []);
    await new Promise((resolve) => setImmediate(resolve));
  });
  assert.equal(told, [1, 3, 4]);
  assert.equal(errors, [bug]);
});

test("abort listeners: one per signal; those that were taken back are not called", () => {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = countListeners(signal);
  const called: string[] = [];
  const forgets = Array.from({ length: 100 }, (_, i) => onAbort(signal, () => called.push(`early ${i}`)));
  assert.is(listeners(), 1);
  for (const forget of [...forgets, ...forgets]) forget();
  assert.is(listeners(), 0);
  const takeBack: (() => void)[] = [];
  onAbort(signal, () => {
    called.push("first");
    for (const forget of takeBack) forget();
  });
  takeBack.push(onAbort(signal, () => called.push("taken back meanwhile")));
  onAbort(signal, () => called.push("last"));
  assert.is(listeners(), 1);
  controller.abort();
  assert.equal(called, ["first", "last"]);
});

test("limits: defaults, and what is no limit", () => {
  assert.equal(serverLimits({ matchedServices: 5 }), { ...SERVER_LIMITS, matchedServices: 5 });
  for (const bad of [0, -1, Number.NaN]) {
    assert.throws(() => serverLimits({ listedBytes: bad }), new RegExp(`limit listedBytes is ${bad}`));
  }
});

test("the trace cannot be forged", () => {
  const lines: string[] = [];
  const log = traceLog(0x1fn, "evil\ndomain", (line) => lines.push(line));
  log.warning(() => "refused\n<client: 0x1> info: all is well");
  assert.equal(lines, ["<client: 0x1f domain: evil\\ndomain> warning: refused\\n<client: 0x1> info: all is well\n"]);
});

test.run();
