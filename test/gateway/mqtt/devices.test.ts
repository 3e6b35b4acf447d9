import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Logger } from "../../../src/core/log.js";
import { properties } from "../../../src/core/properties.js";
import type { Announcement } from "../../../src/gateway/mqtt/announced.js";
import { DEVICE, type Input, type Phase } from "../../../src/gateway/mqtt/device-states.js";
import { type DeviceState, Devices, type OnLoss } from "../../../src/gateway/mqtt/devices.js";
import { FakeClock } from "../../support/fake-clock.js";

const S = 1000;

function announcement(of: { kind?: string; ttlSeconds?: number; room?: string } = {}): Announcement {
  const { kind = "lamp", ttlSeconds = 600, room = "kitchen" } = of;
  return { kind, ttlSeconds, properties: properties({ room }), refusedKeys: [], mirrored: false };
}

function fixture(options: { limit?: number; clearStale?: boolean; onLoss?: Record<string, OnLoss> } = {}) {
  const clock = new FakeClock();
  /** What the directory would show: `published`, `orphan`; and every call, in order. */
  const shown = new Map<string, string>();
  const calls: string[] = [];
  const errors: string[] = [];
  const log: Logger = { debug() {}, info() {}, warning() {}, error: (text) => errors.push(text()) };
  const call = (what: string, device: string, now?: string) => {
    calls.push(`${what} ${device}`);
    if (now) shown.set(device, now);
    else if (what !== "clear") shown.delete(device);
  };
  const devices = new Devices({
    sink: {
      publish: (device, { properties: shownProperties }) =>
        call("publish", device, String(shownProperties.get("room"))),
      withdraw: (device) => call("withdraw", device),
      orphan: (device) => call("orphan", device, "orphan"),
      clearRetained: (device) => call("clear", device),
    },
    clock,
    timers: clock,
    random: () => 0,
    log,
    limit: options.limit ?? 10_000,
    onLoss: (kind) => options.onLoss?.[kind] ?? "withdraw",
    clearStale: options.clearStale ?? false,
  });
  const live = (name = "x", of = {}) => devices.announced(name, announcement(of), false);
  const replayed = (name = "x", of = {}) => devices.announced(name, announcement(of), true);
  const state = (to: DeviceState, name = "x") => devices.stated(name, to, false);
  const stateReplayed = (to: DeviceState, name = "x") => devices.stated(name, to, true);
  /** Asserts that the device is shown now and `afterMs` - 1 from now, and not at `afterMs`. */
  const shownFor = (afterMs: number, name = "x") => {
    assert.ok(shown.has(name), `${name} is not shown`);
    clock.advanceMs(afterMs - 1);
    assert.ok(shown.has(name), `${name} went before ${afterMs} ms: ${calls.join(", ")}`);
    clock.advanceMs(1);
    assert.not.ok(shown.has(name), `${name} is still shown after ${afterMs} ms`);
  };
  return { clock, devices, shown, calls, errors, live, replayed, state, stateReplayed, shownFor };
}

test("D.5: a live announcement is shown for its TTL after the last one", () => {
  const { live, clock, shownFor } = fixture();
  live();
  clock.advanceMs(599 * S);
  live();
  shownFor(600 * S);
});

test("D.5: a changed announcement is published again, an equal one does no harm", () => {
  const { live, shown, devices } = fixture();
  live();
  live();
  assert.is(shown.get("x"), "kitchen");
  live("x", { room: "cellar" });
  assert.is(shown.get("x"), "cellar");
  assert.is(devices.phase("x"), "present");
});

for (const [ttlSeconds, boundSeconds] of [
  [60, 60],
  [600, 600],
  [86_400, 600],
] as const) {
  test(`D.5: replayed with TTL ${ttlSeconds}, state missing: provisional for ${boundSeconds} s`, () => {
    const { replayed, shownFor, devices } = fixture();
    replayed("x", { ttlSeconds });
    assert.is(devices.phase("x"), "provisional");
    shownFor(boundSeconds * S);
  });
}

test("D.5: replayed with state 1 is provisional; the next live announcement confirms it", () => {
  const { replayed, stateReplayed, live, shownFor, clock, devices } = fixture();
  stateReplayed("up");
  replayed("x", { ttlSeconds: 3600 });
  assert.is(devices.phase("x"), "provisional");
  clock.advanceMs(599 * S);
  live("x", { ttlSeconds: 3600 });
  shownFor(3600 * S);
});

test("D.5: replayed with state 0 is remembered, not published; state 1 then publishes it", () => {
  const { replayed, stateReplayed, state, shown, shownFor } = fixture();
  stateReplayed("down");
  replayed();
  assert.is(shown.size, 0);
  state("up");
  assert.is(shown.get("x"), "kitchen");
  shownFor(600 * S);
});

test("D.5: replayed announcement before its state 0: gone after the grace", () => {
  const { replayed, stateReplayed, shownFor } = fixture();
  replayed();
  stateReplayed("down");
  shownFor(10 * S);
});

test("D.5: the will starts a grace of 10 s, then the service is withdrawn", () => {
  const { live, state, shownFor, calls, devices } = fixture();
  live();
  state("down");
  shownFor(10 * S);
  assert.equal(calls, ["publish x", "withdraw x"]);
  assert.is(devices.phase("x"), "gone");
});

test("D.5: a second will does not lengthen the grace", () => {
  const { live, state, clock, shownFor } = fixture();
  live();
  state("down");
  clock.advanceMs(9 * S);
  state("down");
  shownFor(1 * S);
});

for (const back of ["state 1", "announcement", "sleep"] as const) {
  test(`D.5: a take-over gives 0, then ${back}: nothing disappears`, () => {
    const { live, state, clock, shown, calls, shownFor } = fixture();
    live();
    state("down");
    clock.advanceMs(9_999);
    if (back === "announcement") live();
    else state(back === "sleep" ? { sleepSeconds: 400 } : "up");
    clock.advanceMs(60 * S);
    assert.ok(shown.has("x"));
    assert.not.ok(calls.includes("withdraw x"));
    shownFor(540 * S);
  });
}

test("D.5: per kind, the directory's TTL runs instead; whoever returns is published again", () => {
  const { live, state, clock, calls, shown, devices } = fixture({ onLoss: { valve: "orphan" } });
  live("v", { kind: "valve" });
  live("l", { kind: "lamp" });
  state("down", "v");
  state("down", "l");
  clock.advanceMs(10 * S);
  assert.equal(calls.slice(2), ["orphan v", "withdraw l"]);
  assert.is(devices.phase("v"), "orphaned");
  state("up", "v");
  assert.is(shown.get("v"), "kitchen");
  state("down", "v");
  clock.advanceMs(10 * S);
  clock.advanceMs(600 * S);
  assert.is(calls.at(-1), "withdraw v"); // the directory has dropped it by itself; this frees our memory of it
});

test("D.5: z n gives 1.5 n, less or more than the TTL", () => {
  for (const sleepSeconds of [100, 3600]) {
    const { live, state, shownFor } = fixture();
    live();
    state({ sleepSeconds });
    shownFor(sleepSeconds * 1.5 * S);
  }
});

test("D.5: who wakes up is present again, for a TTL", () => {
  const { live, state, clock, shownFor, devices } = fixture();
  live();
  state({ sleepSeconds: 3600 });
  clock.advanceMs(3600 * S);
  state("up");
  assert.is(devices.phase("x"), "present");
  shownFor(600 * S);
});

test("D.5: a replayed sleeper is given 1.5 times its sleep", () => {
  const { replayed, stateReplayed, shownFor } = fixture();
  stateReplayed({ sleepSeconds: 3600 });
  replayed("x", { ttlSeconds: 9000 });
  shownFor(5400 * S);
});

test("D.5: an empty announcement withdraws at once, in every phase, and forgets the device", () => {
  const phases: [Phase, (on: ReturnType<typeof fixture>) => void][] = [
    ["present", ({ live }) => live()],
    ["provisional", ({ replayed }) => replayed()],
    ["asleep", ({ live, state }) => [live(), state({ sleepSeconds: 60 })]],
    ["grace", ({ live, state }) => [live(), state("down")]],
    ["orphaned", ({ live, state, clock }) => [live("x", { kind: "valve" }), state("down"), clock.advanceMs(10 * S)]],
    ["gone", ({ live, state, clock }) => [live(), state("down"), clock.advanceMs(10 * S)]],
    ["expired", ({ live, clock }) => [live(), clock.advanceMs(600 * S)]],
  ];
  for (const [phase, reach] of phases) {
    const on = fixture({ onLoss: { valve: "orphan" } });
    reach(on);
    assert.is(on.devices.phase("x"), phase);
    on.devices.cleared("x");
    assert.is(on.shown.size, 0, phase);
    assert.is(on.devices.size, 0, phase);
    assert.equal(on.clock.timers(), [], phase);
  }
});

test("D.5: clearing nothing is nothing", () => {
  const { devices, calls } = fixture();
  devices.cleared("x");
  assert.equal([devices.size, calls.length], [0, 0]);
});

for (const [ttlSeconds, afterSeconds] of [
  [60, 3600],
  [600, 3600],
  [3600, 14_400],
] as const) {
  test(`D.5: with clear_stale, leftovers of TTL ${ttlSeconds} are cleared ${afterSeconds} s after the end`, () => {
    const { live, clock, calls, devices } = fixture({ clearStale: true });
    live("x", { ttlSeconds });
    clock.advanceMs(ttlSeconds * S + afterSeconds * S - 1);
    assert.not.ok(calls.includes("clear x"));
    clock.advanceMs(1);
    assert.is(calls.at(-1), "clear x");
    assert.is(devices.size, 0);
  });
}

test("without clear_stale nothing is ever cleared, and no timer runs for who is gone", () => {
  const { live, clock, calls, devices } = fixture();
  live();
  clock.advanceMs(600 * S);
  assert.equal(clock.timers(), []);
  clock.advanceMs(1_000_000 * S);
  assert.equal(calls, ["publish x", "withdraw x"]);
  assert.is(devices.size, 1);
});

test("clearing waits for the broker", () => {
  const { live, clock, calls, devices } = fixture({ clearStale: true });
  live();
  clock.advanceMs(601 * S);
  devices.brokerLost();
  clock.advanceMs(10_000 * S);
  assert.not.ok(calls.includes("clear x"));
  devices.brokerBack();
  clock.advanceMs(1);
  assert.is(calls.at(-1), "clear x");
});

test("D.5: while the broker is away nobody is withdrawn for silence, for a TTL at most", () => {
  const { live, clock, devices, shownFor } = fixture();
  live();
  clock.advanceMs(500 * S);
  devices.brokerLost();
  shownFor(700 * S); // what was left, and one TTL
});

test("D.5: when it is back each deadline has moved by the time it was away", () => {
  const { live, clock, devices, shownFor } = fixture();
  live();
  clock.advanceMs(300 * S);
  devices.brokerLost();
  clock.advanceMs(200 * S);
  devices.brokerBack();
  shownFor(300 * S);
});

test("D.5: nobody goes within 30 s after the broker is back", () => {
  const { live, clock, devices, shownFor } = fixture();
  live();
  clock.advanceMs(599 * S);
  devices.brokerLost();
  clock.advanceMs(100 * S);
  devices.brokerBack();
  shownFor(30 * S);
});

test("D.5: a grace waits for the broker, too, and for the settling", () => {
  const { live, state, clock, devices, shownFor, stateReplayed } = fixture();
  live();
  state("down");
  clock.advanceMs(1 * S);
  devices.brokerLost();
  clock.advanceMs(120 * S);
  devices.brokerBack();
  stateReplayed("down");
  shownFor(30 * S);
});

test("D.5: a will that is heard while all settle is given the rest of the 30 s", () => {
  const { live, state, clock, devices, shownFor } = fixture();
  live();
  devices.brokerLost();
  clock.advanceMs(1 * S);
  devices.brokerBack();
  clock.advanceMs(5 * S);
  state("down");
  shownFor(25 * S);
});

test("a sleeper's state, replayed after a reconnect: the same says nothing new, another was said meanwhile", () => {
  for (const [sleepSeconds, laterSeconds] of [
    [1000, 500],
    [2000, 3000],
  ] as const) {
    const { live, state, stateReplayed, clock, devices, shownFor } = fixture();
    live("x", { ttlSeconds: 9000 });
    state({ sleepSeconds: 1000 });
    clock.advanceMs(1000 * S);
    devices.brokerLost();
    devices.brokerBack();
    stateReplayed({ sleepSeconds });
    shownFor(laterSeconds * S);
  }
});

test("a sleeper that woke up while the broker could not be heard is provisional", () => {
  const { live, state, stateReplayed, devices, shownFor } = fixture();
  live("x", { ttlSeconds: 9000 });
  state({ sleepSeconds: 3600 });
  devices.brokerLost();
  devices.brokerBack();
  stateReplayed("up");
  assert.is(devices.phase("x"), "provisional");
  shownFor(600 * S);
});

test("a connection that comes and goes does not keep the dead alive", () => {
  const { live, clock, devices, shown, replayed, stateReplayed } = fixture();
  live();
  let seconds = 0;
  for (; shown.has("x") && seconds < 10_000; seconds += 20) {
    devices.brokerLost();
    clock.advanceMs(1 * S);
    devices.brokerBack();
    stateReplayed("up");
    replayed();
    clock.advanceMs(19 * S);
  }
  assert.ok(seconds >= 600 && seconds <= 1240, `gone after ${seconds} s`);
});

test("D.8: battery dies while the broker is down: what it kept lies for 600 s at most", () => {
  const { replayed, stateReplayed, shownFor } = fixture();
  stateReplayed("up");
  replayed("x", { ttlSeconds: 86_400 });
  shownFor(600 * S);
});

test("D.8: the broker restarts without persistence; 1,000 devices return within 30 s: no change at all", () => {
  const { live, state, clock, devices, calls, shown } = fixture();
  const names = Array.from({ length: 1000 }, (_, n) => `d${n}`);
  for (const name of names) live(name, { ttlSeconds: 60 });
  clock.advanceMs(55 * S);
  devices.brokerLost();
  clock.advanceMs(20 * S);
  devices.brokerBack();
  names.forEach((name) => {
    clock.advanceMs(29);
    state("up", name);
    live(name, { ttlSeconds: 60 });
  });
  clock.advanceMs(30 * S);
  assert.is(shown.size, 1000);
  assert.not.ok(calls.some((call) => call.startsWith("withdraw")));
});

test("D.8: the broker is stopped by SIGTERM: wills, loss, replayed 0; then 1 again: no change at all", () => {
  const { live, state, stateReplayed, replayed, clock, devices, calls, shown } = fixture();
  live();
  state("down");
  devices.brokerLost();
  clock.advanceMs(45 * S);
  devices.brokerBack();
  stateReplayed("down");
  replayed();
  clock.advanceMs(29 * S);
  state("up");
  live();
  clock.advanceMs(60 * S);
  assert.ok(shown.has("x"));
  assert.not.ok(calls.includes("withdraw x"));
});

test("what changed while the broker could not be heard is shown at once, as provisional", () => {
  const { live, replayed, clock, devices, shown, shownFor } = fixture();
  live("x", { ttlSeconds: 3600 });
  devices.brokerLost();
  clock.advanceMs(5 * S);
  devices.brokerBack();
  replayed("x", { ttlSeconds: 3600, room: "cellar" });
  assert.is(shown.get("x"), "cellar");
  shownFor(600 * S);
});

test("who expired is not adopted again from an unchanged replay, but from a changed one or a live state", () => {
  const { live, replayed, stateReplayed, state, clock, devices, shown } = fixture();
  live();
  clock.advanceMs(600 * S);
  devices.brokerLost();
  devices.brokerBack();
  stateReplayed("up");
  replayed();
  assert.is(shown.size, 0);
  replayed("x", { room: "cellar" });
  assert.is(shown.get("x"), "cellar");
  clock.advanceMs(601 * S);
  assert.is(shown.size, 0);
  state("up");
  assert.is(shown.get("x"), "cellar");
});

test("after this process stood still, devices are given 30 s to be heard", () => {
  const { live, clock, shown, shownFor } = fixture();
  live("x");
  live("y");
  clock.stallMs(2000 * S);
  assert.is(shown.size, 2);
  clock.advanceMs(10 * S);
  live("y");
  shownFor(20 * S, "x");
  assert.ok(shown.has("y"));
});

test("a state whose announcement never comes is forgotten after an hour", () => {
  const { state, clock, devices, calls } = fixture();
  state("up", "a");
  state("down", "b");
  state({ sleepSeconds: 5 }, "c");
  assert.is(devices.size, 3);
  clock.advanceMs(3600 * S);
  assert.equal([devices.size, calls.length, clock.timers().length], [0, 0, 0]);
});

test("at the limit a newcomer takes the place of one that is gone, else it is refused", () => {
  const { live, state, clock, devices, shown } = fixture({ limit: 2 });
  assert.ok(live("a"));
  assert.ok(live("b"));
  assert.is(live("c"), false);
  assert.is(state("up", "c"), false);
  assert.ok(live("a"), "known ones are still heard");
  state("down", "b");
  clock.advanceMs(10 * S);
  assert.ok(live("c"));
  assert.equal([...shown.keys()].sort(), ["a", "c"]);
  assert.is(devices.size, 2);
});

test("stopping leaves no timer and withdraws nobody", () => {
  const { live, state, devices, clock, calls } = fixture();
  live("a");
  live("b");
  state("down", "b");
  devices.stop();
  assert.equal(clock.timers(), []);
  assert.equal(calls, ["publish a", "publish b"]);
});

test("whatever happens in whatever order: nothing unforeseen, and the dead are gone in the end", () => {
  let seed = 7;
  const pick = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (seed >>> 8) % below;
  };
  const visited = new Set<string>();
  for (let round = 0; round < 3000; round++) {
    const on = fixture({ onLoss: { valve: "orphan" }, clearStale: pick(2) === 0 });
    const kind = pick(2) === 0 ? "valve" : "lamp";
    for (let step = 0; step < 12; step++) {
      const before = on.devices.phase("x");
      const replay = pick(2) === 0;
      const states: DeviceState[] = ["up", "down", { sleepSeconds: 1 + pick(2000) }];
      const actions = [
        () => on.devices.announced("x", announcement({ kind, room: `r${pick(2)}` }), replay),
        () => on.devices.stated("x", states[pick(3)], replay),
        () => on.devices.cleared("x"),
        () => on.clock.advanceMs([1, 10 * S, 61 * S, 700 * S, 4000 * S][pick(5)]),
        () => on.devices.brokerLost(),
        () => on.devices.brokerBack(),
      ];
      actions[[0, 0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 5][pick(12)]]();
      visited.add(`${before} → ${on.devices.phase("x")}`);
      const published = ["present", "provisional", "asleep", "grace"].includes(on.devices.phase("x"));
      assert.is(on.shown.has("x") && on.shown.get("x") !== "orphan", published);
    }
    on.devices.brokerBack();
    on.clock.advanceMs(86_400 * S);
    assert.is(on.shown.size, 0);
    assert.equal(on.errors, []);
  }
  assert.ok(visited.size > 40, `only ${visited.size} different steps`);
});

test("every phase answers to everything that can reach it", () => {
  const inputs: Input[] = [
    "announced",
    "replayed-changed",
    "cleared",
    "up",
    "up-replayed",
    "down",
    "down-replayed",
    "asleep",
    "asleep-replayed",
    "deadline",
  ];
  for (const [phase, transitions] of Object.entries(DEVICE)) {
    for (const input of inputs) assert.ok(transitions[input], `${phase}/${input}`);
  }
});

test.run();
