/** The service by which a gateway tells how it is doing: what is in it, and when it changes. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { GatewayStatus, statusId, statusProperties } from "../../src/daemon/gateway-status.js";
import type { Gateway, GatewayState } from "../../src/gateway/gateway.js";
import { RecordingDirectory } from "../gateway/recording-directory.js";
import { FakeClock } from "../support/fake-clock.js";

const answered = () => new Promise(setImmediate);

function fixture() {
  const clock = new FakeClock();
  const directory = new RecordingDirectory();
  const now = { state: { state: "starting", counts: { services: 0 }, dropped: {} } as GatewayState };
  const gateway: Gateway = { name: "mqtt hub:1883", start() {}, async stop() {}, state: () => now.state };
  const options = { gateway, type: "mqtt", host: "attic", index: 0, directory, clock, timers: clock };
  const status = new GatewayStatus(options);
  const shown = () => Object.fromEntries(directory.services.get(statusId(options))?.properties ?? []);
  return { clock, directory, now, status, shown, options };
}

test("everything it tells is in the service, cut to size", () => {
  const { options } = fixture();
  // The wall clock has fractions; properties have not.
  const lastError = { text: "x".repeat(300), unixSeconds: 1_700_000_000.934 };
  const state: GatewayState = { state: "waiting", counts: { devices: 3 }, dropped: { "not understood": 2 }, lastError };
  assert.equal(Object.fromEntries(statusProperties(options, state, 1_700_000_009.5)), {
    name: ["mqtt hub:1883"],
    gateway: ["mqtt"],
    host: ["attic"],
    state: ["waiting"],
    time: [1_700_000_009n],
    "count.devices": [3n],
    "dropped.not understood": [2n],
    error: ["x".repeat(256)],
    "error.time": [1_700_000_000n],
    src: ["gateway:attic"],
  });
});

test("a change of state, a new error or the first of anything shows within ten seconds, mere numbers within a minute", async () => {
  const { clock, directory, now, status, shown } = fixture();
  status.start();
  clock.advanceMs(1000);
  await answered();
  assert.equal(shown().state, ["starting"]);
  now.state = { ...now.state, state: "running" };
  clock.advanceMs(10_000);
  await answered();
  assert.equal(shown().state, ["running"]);
  now.state = { ...now.state, counts: { services: 3 } };
  clock.advanceMs(10_000);
  await answered();
  assert.equal(shown()["count.services"], [3n], "the first of anything is news");
  now.state = { ...now.state, counts: { services: 7 } };
  clock.advanceMs(50_000);
  await answered();
  assert.equal(shown()["count.services"], [3n]);
  clock.advanceMs(10_000);
  await answered();
  assert.equal(shown()["count.services"], [7n]);
  const { length } = directory.calls;
  clock.advanceMs(600_000);
  await answered();
  assert.is(directory.calls.length, length, "nothing has changed, nothing is told");
  now.state = { ...now.state, lastError: { text: "refused", unixSeconds: 5 } };
  clock.advanceMs(10_000);
  await answered();
  assert.equal(shown().error, ["refused"]);
});

test("the time is that of the look whose news were told; passing time is no news", async () => {
  const { clock, directory, now, status, shown } = fixture();
  const begin = 1_700_000_000n;
  status.start();
  clock.advanceMs(1000);
  await answered();
  assert.equal(shown().time, [begin + 1n]);
  const { length } = directory.calls;
  clock.advanceMs(600_000);
  await answered();
  assert.equal([shown().time, directory.calls.length], [[begin + 1n], length]);
  now.state = { ...now.state, counts: { services: 7 } };
  clock.advanceMs(60_000);
  await answered();
  const [told] = shown().time as bigint[];
  assert.ok(told > begin + 601n && told <= begin + 661n, String(told));
  assert.is(shown()["count.services"]?.[0], 7n);
});

test("when the gateway ends, the service does, and no timer is left", async () => {
  const { clock, directory, status } = fixture();
  status.start();
  clock.advanceMs(1000);
  await answered();
  status.stop();
  await answered();
  assert.is(directory.services.size, 0);
  assert.equal(clock.timers(), []);
});

test("ids differ by host, gateway and place in the configuration, and stay the same", () => {
  const { options } = fixture();
  const ids = [options, { ...options, host: "cellar" }, { ...options, index: 1 }].map(statusId);
  assert.is(new Set(ids).size, 3);
  assert.is(statusId({ ...options }), ids[0]);
});

test.run();
