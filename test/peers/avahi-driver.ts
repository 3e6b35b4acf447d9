/**
 * A process with nothing but the mDNS gateway, for tests: argument 1 is its options as JSON. What reaches its directory
 * is written to descriptor 3, one JSON object a line; its log goes to the standard error if MDNS_LOG is set. SIGUSR2 makes
 * it tell which timers fired since the last time.
 */

import { writeSync } from "node:fs";
import type { Directory, ServiceState } from "../../src/core/directory-access.js";
import { mdnsGateway } from "../../src/gateway/mdns/gateway.js";
import { watchNetwork } from "../../src/transport/network-watch.js";
import { CountedTimers } from "../support/counted-timers.js";

const services = new Map<bigint, ServiceState>();
const tell = (event: object) => writeSync(3, `${JSON.stringify(event)}\n`);

const directory: Directory = {
  clientId: 1n,
  async publish(service) {
    const { id, generation, properties } = service;
    services.set(id, { ...service, owner: 1n });
    const shown = Object.fromEntries(
      [...properties].map(([name, values]) => [
        name,
        values.map((value) => (typeof value === "bigint" ? Number(value) : value)),
      ]),
    );
    tell({
      event: "publish",
      id: id.toString(16),
      generation: Number(generation),
      ttl: Number(service.ttlSeconds),
      properties: shown,
    });
    return "ok";
  },
  async unpublish(id) {
    services.delete(id);
    tell({ event: "unpublish", id: id.toString(16) });
    return "ok";
  },
  async orphan() {},
  async find(id) {
    return services.get(id);
  },
  subscribe() {
    return { cancel() {} };
  },
};

const log = (text: () => string) => {
  if (process.env.MDNS_LOG) process.stderr.write(`${text()}\n`);
};

const timers = new CountedTimers({
  after(_name, delayMs, fire) {
    const timer = setTimeout(fire, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
});

const gateway = mdnsGateway(
  JSON.parse(process.argv[2]),
  {
    directory,
    clock: { monotonicMs: () => performance.now(), unixSeconds: () => Date.now() / 1000 },
    timers,
    random: Math.random,
    log: { debug: log, info: log, warning: log, error: log },
  },
  { watchInterfaces: watchNetwork },
);
gateway.start();
tell({ event: "started" });
process.on("SIGUSR2", () => tell({ event: "woken", timers: timers.take() }));
// No exit: the process must end by itself, since the gateway left nothing behind.
process.once("SIGTERM", () => void gateway.stop().then(() => tell({ event: "stopped" })));
