import { test } from "uvu";
import * as assert from "uvu/assert";
import { TimerHeap } from "../../src/core/timer-heap.js";
import { systemClock } from "../../src/daemon/event-loop-time.js";
import {
  domainLine,
  gatewayLine,
  processLine,
  processState,
  remoteDomainLine,
} from "../../src/daemon/state-summary.js";

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
  const state = { state: "waiting", counts: { devices: 5 }, dropped: { "not understood": 2 } } as const;
  const lastError = { text: "connection lost", unixSeconds: 1_700_000_000 };
  const line = "State: gateway mqtt localhost:1883 waiting; 7 services; 5 devices; dropped 2 (not understood)";
  assert.is(gatewayLine("mqtt localhost:1883", 7, state), `${line}.`);
  assert.is(
    gatewayLine("mqtt localhost:1883", 7, { ...state, lastError }),
    `${line}; last error at 2023-11-14T22:13:20.000Z: connection lost.`,
  );
  assert.is(
    gatewayLine("mdns", 0, { state: "running", counts: {}, dropped: {} }),
    "State: gateway mdns running; 0 services.",
  );
});

test("the line of a remote domain", () => {
  const links = [
    { address: "tcp:a:1", state: "operational", lastError: "once" },
    { address: "tcp:b:1", state: "waiting", lastError: "refused" },
  ] as const;
  assert.is(remoteDomainLine(links), "State: remote domain; servers: tcp:a:1 operational, tcp:b:1 waiting (refused).");
  assert.is(remoteDomainLine([]), "State: remote domain; servers: none known.");
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
