/**
 * A process with an mDNS gateway that publishes, for tests: argument 1 is its options as JSON. What its directory shows
 * is steered by lines of JSON from the standard input: `{"id":"1f","properties":{…}}`, without properties to withdraw.
 * Its log, and its state once a second if that changed, go to descriptor 3, one JSON object a line.
 */

import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Directory, Match } from "../../src/core/directory-access.js";
import { properties } from "../../src/core/properties.js";
import { mdnsGateway } from "../../src/gateway/mdns/gateway.js";
import { watchNetwork } from "../../src/transport/network-watch.js";

const [options, name] = process.argv.slice(2);
const tell = (event: object) => writeSync(3, `${JSON.stringify({ from: name, ...event })}\n`);
const services = new Map<bigint, Match>();
const subscribers = new Set<(match: Match) => void>();

const directory: Directory = {
  clientId: 1n,
  publish: async () => "ok",
  unpublish: async () => "ok",
  orphan: async () => {},
  find: async () => undefined,
  subscribe(_filter, onMatch) {
    subscribers.add(onMatch);
    for (const match of services.values()) onMatch(match);
    return { cancel: () => subscribers.delete(onMatch) };
  },
};

const log = (text: () => string) => tell({ event: "log", text: text() });
const gateway = mdnsGateway(
  JSON.parse(options),
  {
    directory,
    clock: { monotonicMs: () => performance.now(), unixSeconds: () => Date.now() / 1000 },
    timers: {
      after(_name, delayMs, fire) {
        const timer = setTimeout(fire, delayMs);
        return { cancel: () => clearTimeout(timer) };
      },
    },
    random: Math.random,
    log: { debug() {}, info: log, warning: log, error: log },
  },
  { watchInterfaces: watchNetwork },
);
gateway.start();
tell({ event: "started" });

const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const { id, properties: shown } = JSON.parse(line);
  const serviceId = BigInt(`0x${id}`);
  const service = { id: serviceId, generation: 1n, ttlSeconds: 60n, owner: 1n, properties: properties(shown ?? {}) };
  const match: Match = shown
    ? { type: services.has(serviceId) ? "modified" : "appeared", service }
    : { type: "disappeared", serviceId };
  if (shown) services.set(serviceId, { type: "appeared", service });
  else services.delete(serviceId);
  for (const onMatch of subscribers) onMatch(match);
});

let before = "";
const reports = setInterval(() => {
  const state = gateway.state();
  if (JSON.stringify(state) !== before) tell({ event: "state", ...state });
  before = JSON.stringify(state);
}, 200);

process.once("SIGTERM", () => {
  clearInterval(reports);
  input.close();
  process.stdin.destroy();
  void gateway.stop().then(() => tell({ event: "stopped" }));
});
