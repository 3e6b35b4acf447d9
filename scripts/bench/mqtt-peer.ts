/** Processes beside the gateway in the benchmark of MQTT gateways; each counts something. */

import { connect } from "mqtt";
import { eventLoopTimers, systemClock } from "../../src/client/event-loop.js";
import { LocalDirectory } from "../../src/core/local-directory.js";
import { SILENT } from "../../src/core/log.js";
import { ServiceDirectory } from "../../src/core/service-directory.js";
import { GatewayStatus } from "../../src/daemon/gateway-status.js";
import { mqttGateway } from "../../src/gateway/mqtt/gateway.js";
import { Outbox } from "../../src/transport/outbox.js";
import { CountedTimers } from "../../test/support/counted-timers.js";

export type Role =
  /** Receives what the gateway receives, and does nothing with it. */
  | { readonly role: "floor"; readonly url: string }
  /** A gateway with a directory of its own. */
  | { readonly role: "gateway"; readonly url: string };

/** What woke a gateway since it was asked last. */
export interface Wakes {
  /** Timers that fired, by name. */
  readonly timers: Readonly<Record<string, number>>;
  /** Timers that wait, by name. */
  readonly pending: Readonly<Record<string, number>>;
}

export function play({ role, url }: Role): void {
  process.on("disconnect", () => process.exit());
  if (role === "floor") {
    const client = connect(url);
    client.on("connect", () => {
      client.subscribe(["sd1/s/+", "sd1/a/+", "homeassistant/#", "bench/#"], () => void process.send!("ready"));
    });
    client.on("message", () => {});
    return;
  }
  const heap = eventLoopTimers(systemClock, new Outbox());
  const timers = new CountedTimers(heap);
  const clock = systemClock;
  const services = new ServiceDirectory({ clock, timers, random: Math.random });
  const directory = new LocalDirectory(services, "gateway", Math.random);
  const gateway = mqttGateway(
    { url, clientId: "bench-peer", site: "bench", conventions: { conventions: ["native", "homeassistant"] } },
    { directory, clock, timers, random: Math.random, log: SILENT },
  );
  const status = new GatewayStatus({ ...{ gateway, directory, clock, timers }, type: "mqtt", host: "bench", index: 0 });
  process.on("message", () => {
    const pending: Record<string, number> = {};
    for (const { name } of heap.list()) pending[name] = (pending[name] ?? 0) + 1;
    process.send!({ timers: timers.take(), pending } satisfies Wakes);
  });
  gateway.start();
  status.start();
  process.send!("ready");
}
