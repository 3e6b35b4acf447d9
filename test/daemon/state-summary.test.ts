import { test } from "uvu";
import * as assert from "uvu/assert";
import { TimerHeap } from "../../src/core/timer-heap.js";
import { systemClock } from "../../src/daemon/event-loop-time.js";
import { domainLine, gatewayLine, processLine, processState } from "../../src/daemon/state-summary.js";

const PROCESS = { uptimeSeconds: 12, residentBytes: 33_488_896, heapBytes: 5_242_880, descriptors: 14, timers: 3 };

test("the line of the process", () => {
  const line = "State: up 12 s; memory 33488896 bytes resident, 5242880 heap; 14 descriptors; 3 timers.";
  assert.is(processLine(PROCESS), line);
  assert.is(processLine({ ...PROCESS, descriptors: undefined }), line.replace("14 descriptors", "descriptors unknown"));
});

test("the line of a domain", () => {
  const counts = { connections: 3, clients: 2, services: 1, orphans: 0, subscriptions: 4, queuedMessages: 0 };
  const line =
    "State: 3 connections (2 clients); 1 services (0 orphans); 4 subscriptions; 0 messages, 0 bytes queued; listening on ";
  const addresses = ["ux:foo", "tcp:127.0.0.1:4711"];
  assert.is(domainLine({ ...counts, queuedBytes: 0, addresses }), `${line}ux:foo, tcp:127.0.0.1:4711.`);
  assert.is(domainLine({ ...counts, queuedBytes: 0, addresses: [] }), `${line}nothing.`);
});

test("the line of a gateway", () => {
  assert.is(gatewayLine("mqtt localhost:1883", 7), "State: gateway mqtt localhost:1883; 7 services.");
});

test("the process is seen as it is", () => {
  const timers = new TimerHeap(systemClock, () => {});
  const timer = timers.after("test", 1000, () => {});
  assert.is(processState(timers).timers, 1);
  timer.cancel();
  const state = processState(timers);
  assert.is(state.timers, 0);
  assert.ok(state.residentBytes > state.heapBytes && state.heapBytes > 1_000_000);
  assert.ok((state.descriptors ?? 0) >= 3);
});

test.run();
