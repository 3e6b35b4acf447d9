import { test } from "uvu";
import * as assert from "uvu/assert";
import { properties } from "../../../../src/core/properties.js";
import type { Announcement } from "../../../../src/gateway/mqtt/announced.js";
import { OwnedDevices } from "../../../../src/gateway/mqtt/native/owned-devices.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { keptLog } from "../recording-directory.js";

function announcement(room = "kitchen"): Announcement {
  return { kind: "lamp", ttlSeconds: 600, properties: properties({ room }), refusedKeys: [], mirrored: false };
}

function fixture(mine: readonly string[] = ["x"]) {
  const clock = new FakeClock();
  const calls: string[] = [];
  const owned = new Set(mine);
  const log = keptLog();
  const call = (what: string) => (device: string) => void calls.push(`${what} ${device}`);
  const devices = new OwnedDevices({
    target: {
      publish: (device, { properties: shown }, claim) =>
        void calls.push(`publish ${device} ${shown.get("room")}${claim === "fresh" ? "" : ` (${claim})`}`),
      withdraw: call("withdraw"),
      orphan: call("orphan"),
      release: call("release"),
      withdrawForeign: call("withdraw foreign"),
      clearRetained: call("clear"),
    },
    publishes: (device) => owned.has(device),
    clears: (device) => owned.has(device),
    ...{ clock, timers: clock, log },
  });
  const become = (...names: string[]) => {
    owned.clear();
    for (const name of names) owned.add(name);
    devices.ownersChanged();
  };
  return { clock, devices, become, log, took: () => calls.splice(0) };
}

test("D.7: only what is ours is published, withdrawn, orphaned and cleared", () => {
  const { devices, took } = fixture();
  for (const device of ["x", "y"]) {
    devices.publish(device, announcement(), true);
    devices.orphan(device);
    devices.publish(device, announcement(), true);
    devices.withdraw(device);
    devices.clearRetained(device);
  }
  assert.equal(took(), ["publish x kitchen", "orphan x", "publish x kitchen", "withdraw x", "clear x"]);
});

test("take-over: the state was followed all along and is published as it is now", () => {
  const { devices, become, took } = fixture([]);
  devices.publish("x", announcement(), true);
  devices.publish("x", announcement("cellar"), true);
  devices.publish("y", announcement(), true);
  devices.withdraw("y");
  devices.publish("z", announcement(), true);
  devices.orphan("z");
  assert.equal(took(), []);
  become("x", "y", "z");
  assert.equal(took(), ["publish x cellar", "orphan z", "withdraw foreign y"]);
  assert.is(devices.size, 1);
});

test("what only the broker says is hearsay, also when it becomes ours, until it is heard", () => {
  const { devices, become, took } = fixture(["x"]);
  devices.publish("x", announcement(), false);
  devices.publish("y", announcement(), false);
  become("x", "y");
  assert.equal(took(), ["publish x kitchen (hearsay)", "publish y kitchen (hearsay)"]);
  devices.publish("y", announcement(), true);
  assert.equal(took(), ["publish y kitchen"]);
});

test("hand-over: given up 10 s later, unless it comes back; until then changes are still told", () => {
  const { clock, devices, become, took } = fixture(["x", "y", "z"]);
  for (const device of ["x", "y", "z"]) devices.publish(device, announcement(), true);
  took();
  become("z");
  devices.publish("x", announcement("cellar"), true);
  devices.withdraw("y");
  assert.equal(took(), ["publish x cellar (usual)", "withdraw y"], "double ownership does no harm, a gap would");
  clock.advanceMs(9999);
  assert.equal(took(), []);
  clock.advanceMs(1);
  assert.equal(took(), ["release x"]);
  devices.publish("x", announcement("hall"), true);
  assert.equal(took(), []);
  become("x");
  assert.equal(took(), ["publish x hall"]);
  become();
  clock.advanceMs(5000);
  become("x", "z");
  clock.advanceMs(60_000);
  assert.equal(took(), [], "nothing was given up in between");
  assert.equal(clock.timers(), []);
});

test("D.6: a device that changes all the time is held; equal announcements are no changes", () => {
  const { clock, devices, took, log } = fixture();
  for (let n = 0; n < 20; n++) devices.publish("x", announcement(), true);
  assert.is(took().length, 20, "the one below knows that nothing differs");
  for (let n = 0; n < 20; n++) devices.publish("x", announcement(`r${n}`), true);
  assert.equal(took(), ["publish x r0", "publish x r1", "publish x r2", "publish x r3", "publish x r4"]);
  assert.is(log.count(/MQTT device x changes all the time; held for a minute/), 1);
  clock.advanceMs(60_000);
  assert.equal(took(), ["publish x r19"]);
});

test("what left while another was to withdraw it, and died before it did, is withdrawn by the next", () => {
  const { clock, devices, become, took } = fixture([]);
  for (const device of ["x", "y", "z"]) devices.publish(device, announcement(), true);
  devices.withdraw("y");
  clock.advanceMs(60_001);
  devices.withdraw("x");
  devices.withdraw("z");
  devices.publish("z", announcement(), true);
  clock.advanceMs(60_000);
  become("x", "y", "z");
  assert.equal(took(), ["publish z kitchen", "withdraw foreign x"], "y left too long ago");
  become("x");
  assert.equal(took(), []);
});

test("stopping tells nothing and leaves no timer", () => {
  const { clock, devices, become, took } = fixture();
  for (let n = 0; n < 9; n++) devices.publish("x", announcement(`r${n}`), true);
  become();
  took();
  devices.stop();
  clock.advanceMs(100_000);
  assert.equal(took(), []);
  assert.equal(clock.timers(), []);
});

test.run();
