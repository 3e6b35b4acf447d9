/** Several gateways at one broker: who publishes what. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { properties } from "../../../../src/core/properties.js";
import { OwnedServices } from "../../../../src/gateway/mqtt/conventions/owned-services.js";
import { TIMES } from "../../../../src/gateway/mqtt/times.js";
import { FakeClock } from "../../../support/fake-clock.js";

function fixture() {
  const clock = new FakeClock();
  const told: string[] = [];
  const mine = new Set<string>();
  const room = { left: 10 };
  const services = new OwnedServices({
    target: {
      publish: (id) => {
        if (room.left-- <= 0) return false;
        told.push(`publish ${id}`);
        return true;
      },
      withdraw: (id) => told.push(`withdraw ${id}`),
      release: (id) => told.push(`release ${id}`),
    },
    publishes: (name) => mine.has(name),
    timers: clock,
  });
  return { clock, told, mine, services, room };
}

const [ONE, TWO] = ["0000000000000001", "0000000000000002"];
const SHOWN = properties({ name: "x" });

test("only what is ours is published, and withdrawn", () => {
  const { services, told, mine } = fixture();
  mine.add(ONE);
  assert.ok(services.publish(1n, 600n, SHOWN));
  assert.ok(services.publish(2n, 600n, SHOWN));
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

test("what the limit refused is not ours", () => {
  const { services, mine, room } = fixture();
  mine.add(ONE);
  room.left = 0;
  assert.not.ok(services.publish(1n, 600n, SHOWN));
  assert.is(services.size, 0);
});

test.run();
