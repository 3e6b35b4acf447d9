/** Several gateways at one broker: who publishes what. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { properties } from "../../../../src/core/properties.js";
import { Dropped } from "../../../../src/gateway/dropped.js";
import { OwnedServices } from "../../../../src/gateway/mqtt/conventions/owned-services.js";
import { TIMES } from "../../../../src/gateway/mqtt/times.js";
import { FakeClock } from "../../../support/fake-clock.js";

function fixture() {
  const clock = new FakeClock();
  const told: string[] = [];
  const mine = new Set<string>();
  const room = { left: 10 };
  const dropped = new Dropped();
  const services = new OwnedServices({
    target: {
      publish: (id) => {
        if (room.left <= 0) return false;
        room.left--;
        told.push(`publish ${id}`);
        return true;
      },
      withdraw: (id) => {
        room.left++;
        told.push(`withdraw ${id}`);
      },
      withdrawForeign: (id) => told.push(`withdraw foreign ${id}`),
      release: (id) => told.push(`release ${id}`),
    },
    publishes: (name) => mine.has(name),
    clock,
    timers: clock,
    dropped,
  });
  return { clock, told, mine, services, room, dropped };
}

const [ONE, TWO] = ["0000000000000001", "0000000000000002"];
const SHOWN = properties({ name: "x" });

test("only what is ours is published, and withdrawn", () => {
  const { services, told, mine } = fixture();
  mine.add(ONE);
  services.publish(1n, 600n, SHOWN);
  services.publish(2n, 600n, SHOWN);
  services.withdraw(1n);
  services.withdraw(2n);
  assert.equal(told, ["publish 1", "withdraw 1"]);
});

test("taking over publishes at once; giving up waits until the other one has had time", () => {
  const { services, told, mine, clock } = fixture();
  mine.add(ONE);
  services.publish(1n, 600n, SHOWN);
  services.publish(2n, 600n, SHOWN);
  mine.delete(ONE);
  mine.add(TWO);
  services.ownersChanged();
  assert.equal(told, ["publish 1", "publish 2"]);
  services.publish(1n, 601n, SHOWN); // still ours until it is handed over
  assert.is(services.size, 2);
  clock.advanceMs(TIMES.handOverMs);
  assert.equal(told, ["publish 1", "publish 2", "publish 1", "release 1"]);
  services.publish(1n, 602n, SHOWN);
  assert.is(services.size, 1);
  services.stop();
  assert.equal(clock.timers(), []);
});

test("for what there is no room is published when there is, one for one, the first first", () => {
  const { services, told, mine, room, dropped } = fixture();
  const name = (id: number) => id.toString(16).padStart(16, "0");
  for (let id = 1; id <= 6; id++) mine.add(name(id));
  room.left = 2;
  for (let id = 1n; id <= 6n; id++) services.publish(id, 600n, SHOWN);
  services.publish(6n, 601n, SHOWN); // refused again, and counted once
  assert.is(services.size, 2);
  assert.equal(dropped.counts, { "too many devices": 4 });
  services.withdraw(3n); // no longer there: it gets no room
  mine.delete(name(4)); // nor does what is another's
  services.withdraw(1n);
  services.roomForOne();
  assert.equal(told, ["publish 1", "publish 2", "withdraw 1", "publish 5"]);
  services.roomForOne(); // taken by somebody else meanwhile
  assert.is(services.size, 2);
  services.withdraw(2n);
  services.roomForOne();
  assert.equal(told.slice(4), ["withdraw 2", "publish 6"]);
});

test("what left while another was to withdraw it, and died before it did, is withdrawn by the next", () => {
  const { services, told, mine, clock } = fixture();
  for (const id of [1n, 2n, 3n]) services.publish(id, 600n, SHOWN);
  services.withdraw(2n);
  clock.advanceMs(121_000);
  services.withdraw(1n);
  services.withdraw(3n);
  services.publish(3n, 600n, SHOWN);
  assert.equal(told, []);
  mine.add(ONE).add(TWO);
  services.ownersChanged();
  assert.equal(told, ["withdraw foreign 1"], "2 left too long ago, 3 is back");
  services.ownersChanged();
  assert.is(told.length, 1);
});

test.run();
