import { test } from "uvu";
import * as assert from "uvu/assert";
import { Dropped } from "../../../../src/gateway/dropped.js";
import { Presence } from "../../../../src/gateway/mqtt/native/presence.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { keptLog } from "../recording-directory.js";

/** All that an idle gateway has. */
const IDLE = ["mqtt gateways renewal"];

const DEVICES = Array.from({ length: 200 }, (_, n) => `dev/d${n}`);

function fixture(name = "attic", { priority = 10, random = 0, clock = new FakeClock(), echoes = true } = {}) {
  const said: string[] = [];
  const log = keptLog();
  const dropped = new Dropped();
  let changes = 0;
  const presence = new Presence({
    ...{ name, topic: `sd1/g/${name}`, priority, clock, timers: clock, random: () => random, log, dropped },
    announce: (payload) => {
      said.push(payload);
      if (echoes) presence.heard(name, Buffer.from(payload), false);
    },
    onChange: () => changes++,
  });
  const hear = (gateway: string, payload: string) => presence.heard(gateway, Buffer.from(payload), false);
  const replay = (gateway: string, payload: string) => presence.heard(gateway, Buffer.from(payload), true);
  const mine = () => DEVICES.filter((device) => presence.isMine(device));
  return { clock, presence, said, log, dropped, hear, replay, mine, changes: () => changes };
}

test("D.7: 3 s after the first subscription, not before", () => {
  const { clock, presence, said, mine } = fixture();
  clock.advanceMs(10_000);
  assert.is(mine().length, 0);
  presence.brokerBack();
  assert.equal(said, ["1;10;1700000000"]);
  clock.advanceMs(2999);
  assert.is(mine().length, 0);
  clock.advanceMs(1);
  assert.is(mine().length, DEVICES.length);
  assert.equal(clock.timers(), IDLE);
});

test("three gateways share all devices, each has one owner, and all agree", () => {
  const names = ["attic", "cellar", "hall"];
  const gateways = names.map((name) => fixture(name));
  for (const { presence, hear } of gateways) {
    presence.brokerBack();
    for (const name of names) hear(name, "1;10;1700000000");
  }
  for (const { clock } of gateways) clock.advanceMs(3000);
  const shares = gateways.map(({ mine }) => mine());
  assert.equal(shares.flat().sort(), [...DEVICES].sort(), "each exactly once");
  for (const share of shares) assert.ok(share.length > 30, `${share.length}`);
  // one dies: its devices move, the others stay where they are
  for (const { hear } of gateways.slice(1)) hear("attic", "0");
  for (const { clock } of gateways) clock.advanceMs(5000);
  for (const [at, { mine }] of gateways.entries()) {
    if (at > 0) assert.ok(shares[at].every((device) => mine().includes(device)));
  }
  assert.equal(
    gateways
      .slice(1)
      .flatMap(({ mine }) => mine())
      .sort(),
    [...DEVICES].sort(),
  );
});

for (const [random, waitMs] of [
  [0, 2000],
  [0.5, 3500],
  [0.999_999, 5000],
] as const) {
  test(`D.7: a change of members takes effect after ${waitMs} ms`, () => {
    const { clock, presence, hear, mine, changes } = fixture("attic", { random });
    presence.brokerBack();
    clock.advanceMs(3000);
    hear("cellar", "1;10;5");
    clock.advanceMs(waitMs - 1);
    assert.is(mine().length, DEVICES.length);
    clock.advanceMs(1);
    assert.ok(mine().length < DEVICES.length);
    assert.is(changes(), 2);
  });
}

test("who comes and goes within the wait changes nothing, and the wait is not prolonged", () => {
  const { clock, presence, hear, mine } = fixture();
  presence.brokerBack();
  clock.advanceMs(3000);
  hear("cellar", "1;10;5");
  clock.advanceMs(1500);
  hear("cellar", "0");
  clock.advanceMs(500);
  assert.is(mine().length, DEVICES.length);
  assert.equal(clock.timers(), IDLE);
});

test("only the highest priority acts; the others stand by and take over", () => {
  const { clock, presence, hear, mine } = fixture("attic", { priority: 5 });
  presence.brokerBack();
  hear("cellar", "1;18;1795325967");
  clock.advanceMs(3000);
  assert.is(mine().length, 0);
  hear("cellar", "0");
  clock.advanceMs(5000);
  assert.is(mine().length, DEVICES.length);
  hear("cellar", "1;4;1795325968");
  clock.advanceMs(5000);
  assert.is(mine().length, DEVICES.length);
});

test("while the broker is away everything stays; who does not return in 30 s is replaced", () => {
  const { clock, presence, said, hear, mine } = fixture();
  presence.brokerBack();
  hear("cellar", "1;10;5");
  hear("hall", "1;10;5");
  clock.advanceMs(3000);
  const before = mine();
  presence.brokerLost();
  clock.advanceMs(3_600_000);
  assert.equal(mine(), before);
  presence.brokerBack();
  assert.is(said.length, 2, "said again");
  hear("cellar", "0"); // its will, fired by the broker that went down
  hear("hall", "0");
  clock.advanceMs(10_000);
  hear("cellar", "1;10;6");
  clock.advanceMs(19_999);
  assert.equal(mine(), before);
  clock.advanceMs(1);
  assert.ok(mine().length > before.length && mine().length < DEVICES.length, "hall is missing");
});

test("lost again before it settled", () => {
  const { clock, presence, mine } = fixture();
  presence.brokerBack();
  clock.advanceMs(2000);
  presence.brokerLost();
  assert.equal(clock.timers(), IDLE);
  clock.advanceMs(10_000);
  assert.is(mine().length, 0);
  presence.brokerBack();
  clock.advanceMs(3000);
  assert.is(mine().length, DEVICES.length);
});

test("what a bridge brings back of its former life is replaced, and is no namesake", () => {
  const { clock, presence, said, hear, log } = fixture();
  presence.brokerBack();
  clock.advanceMs(50_000);
  hear("attic", "1;10;1600000000");
  clock.advanceMs(9_000);
  assert.equal(said, ["1;10;1700000000", "1;10;1700000000"]);
  assert.is(log.count(/another gateway is called/), 0);
});

test("an old will of our own is contradicted, once a second at most; a namesake is told of", () => {
  const { clock, presence, said, hear, log } = fixture();
  presence.brokerBack();
  for (let n = 0; n < 100; n++) hear("attic", "0");
  clock.advanceMs(1000);
  assert.equal(said, ["1;10;1700000000", "1;10;1700000000"]);
  hear("attic", "1;10;1700000000");
  clock.advanceMs(30_000);
  assert.is(said.length, 2);
  hear("attic", "1;10;1700000099");
  hear("attic", "1;10;1700000098");
  clock.advanceMs(20_000);
  assert.is(said.length, 2);
  assert.is(log.count(/another gateway is called "attic"/), 1);
});

test("hostile presence: malformed is counted, and there are 32 others at most", () => {
  const { clock, presence, hear, dropped } = fixture();
  presence.brokerBack();
  for (const payload of ["2;1", "1", "1;", "1;-1", "1;9999;1", "\0", "{}"]) hear("x", payload);
  assert.is(presence.size, 1);
  assert.is(dropped.counts["gateway-malformed"], 7);
  for (let n = 0; n < 100; n++) hear(`g${n}`, `1;10;${n}`);
  assert.is(presence.size, 33);
  assert.is(dropped.counts["too-many-gateways"], 68);
  hear("g1", "");
  assert.is(presence.size, 32);
  clock.advanceMs(3000);
  presence.leave();
  presence.stop();
  assert.equal(clock.timers(), []);
});

test("leaving is said if the broker is there", () => {
  const { presence, said } = fixture();
  presence.leave();
  presence.brokerBack();
  presence.leave();
  assert.equal(said, ["1;10;1700000000", "0"]);
});

test("what never comes back from the broker is told of once after 30 s, and stays the last error", () => {
  const { clock, presence, said, hear, log } = fixture("attic", { echoes: false });
  const told = () => log.count(/what this gateway writes to sd1\/g\/attic does not come back/);
  presence.brokerBack();
  clock.advanceMs(10_000);
  hear("attic", said[0]);
  presence.brokerLost();
  presence.brokerBack();
  clock.advanceMs(29_000);
  hear("attic", "0"); // somebody else may write
  clock.stallMs(60_000);
  clock.advanceMs(29_000);
  assert.is(told(), 0, "it stood still, and reads what had waited");
  assert.is(presence.lastError, undefined);
  clock.advanceMs(1000);
  assert.is(told(), 1);
  assert.match(presence.lastError?.text ?? "", /is it allowed to write there, and to read\?$/);
  presence.brokerLost();
  presence.brokerBack();
  clock.advanceMs(60_000);
  assert.is(told(), 1);
  assert.is(presence.lastError?.unixSeconds, 1_700_000_159, "the latest");
});

test("renewed once a minute while the broker is there, and that is the only wake-up", () => {
  const { clock, presence, said } = fixture();
  presence.brokerBack();
  clock.advanceMs(3000);
  clock.advanceMs(3_600_000);
  assert.is(said.length, 61);
  assert.equal([...new Set(said)], ["1;10;1700000000"]);
  presence.brokerLost();
  clock.advanceMs(3_600_000);
  assert.is(said.length, 61);
  presence.brokerBack();
  clock.advanceMs(60_000);
  assert.is(said.length, 63, "said when it is back, and renewed");
  presence.stop();
  assert.equal(clock.timers(), []);
});

test("whom only the broker remembers counts for three minutes, is told of once, and not believed again", () => {
  const { clock, presence, replay, hear, mine, log } = fixture("attic", { random: 0.999_999 });
  presence.brokerBack();
  replay("ghost", "1;255;1795000000");
  clock.advanceMs(120_000);
  assert.is(mine().length, 0, "it is believed at first");
  clock.advanceMs(65_000);
  assert.is(mine().length, DEVICES.length);
  for (let n = 0; n < 3; n++) {
    presence.brokerLost();
    presence.brokerBack();
    replay("ghost", "1;255;1795000000");
    clock.advanceMs(60_000);
    assert.is(mine().length, DEVICES.length);
  }
  assert.is(log.count(/gateway "ghost" is not there/), 1);
  hear("ghost", "1;255;1795000000");
  clock.advanceMs(5000);
  assert.is(mine().length, 0, "it lives");
  clock.advanceMs(5000);
  presence.brokerLost();
  presence.brokerBack();
  replay("ghost", "1;255;1795000001");
  assert.is(presence.size, 2, "another life of it");
});

test("whom only the broker remembers is not kept alive by a connection that flaps", () => {
  const { clock, presence, replay } = fixture();
  for (let n = 0; n < 10; n++) {
    presence.brokerBack();
    replay("ghost", "1;255;1795000000");
    clock.advanceMs(25_000);
    presence.brokerLost();
    clock.advanceMs(4000);
  }
  assert.is(presence.size, 1);
});

test("who falls silent without a will is replaced; one word in two minutes is enough", () => {
  const { clock, presence, hear, mine, log } = fixture("attic", { random: 0.999_999 });
  presence.brokerBack();
  hear("cellar", "1;10;5");
  clock.advanceMs(3000);
  const before = mine();
  for (let minute = 0; minute < 10; minute++) {
    clock.advanceMs(119_000);
    hear("cellar", "1;10;5");
    assert.equal(mine(), before);
  }
  clock.advanceMs(119_000);
  assert.equal(mine(), before);
  clock.advanceMs(66_000);
  assert.is(mine().length, DEVICES.length);
  assert.is(log.count(/gateway "cellar" has fallen silent/), 1);
});

test("while this process stood still nobody was silent, nor while the broker was away", () => {
  const { clock, presence, hear, replay } = fixture();
  presence.brokerBack();
  hear("cellar", "1;10;5");
  clock.advanceMs(125_000);
  clock.stallMs(3_600_000);
  assert.is(presence.size, 2);
  hear("cellar", "1;10;5"); // what had waited is read
  clock.advanceMs(125_000);
  assert.is(presence.size, 2);
  presence.brokerLost();
  clock.advanceMs(3_600_000);
  presence.brokerBack();
  replay("cellar", "1;10;5");
  clock.advanceMs(119_000);
  assert.is(presence.size, 2);
});

test.run();
