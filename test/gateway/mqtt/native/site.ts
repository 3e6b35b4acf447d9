/** A site for tests: a real directory, gateways in front of a real mosquitto, devices, and somebody who sees everything. */

import type { Directory, Match } from "../../../../src/core/directory-access.js";
import { LocalDirectory } from "../../../../src/core/local-directory.js";
import { ServiceDirectory } from "../../../../src/core/service-directory.js";
import type { Gateway, GatewayState } from "../../../../src/gateway/gateway.js";
import { type MqttGatewayOptions, mqttGateway } from "../../../../src/gateway/mqtt/gateway.js";
import { MicroClient, type MicroOptions } from "../../../peers/micro-client.js";
import type { Mosquitto } from "../../../peers/mosquitto.js";
import { Watch } from "../../../support/transport-peers.js";
import { FastClock, type KeptLog, keptLog } from "../recording-directory.js";

/** The gateways' clock runs so many times as fast as ours. */
const SPEED = 20;

export interface SiteGateway {
  readonly gateway: Gateway & { state(): GatewayState };
  readonly log: KeptLog;
  logged(pattern: RegExp, count?: number): Promise<void>;
  stop(): Promise<void>;
  /** As if its process were killed: the socket ends, its services become orphans. */
  crash(): void;
}

export class Site {
  readonly clock = new FastClock(SPEED);
  readonly inner = new ServiceDirectory({ clock: this.clock, timers: this.clock, random: Math.random });
  /** `appeared <device or name>`, `modified …`, `disappeared <id>`. */
  readonly history: string[] = [];
  /** Generations by id, as the directory shows them. */
  readonly generations = new Map<string, bigint>();
  readonly names = new Map<string, string>();
  private readonly watch = new Watch();
  private readonly open: (() => Promise<void> | void)[] = [];

  constructor() {
    this.directory("observer").subscribe(undefined, (match) => this.heard(match));
  }

  directory(user = "gateway"): LocalDirectory {
    return new LocalDirectory(this.inner, user, Math.random);
  }

  /** `directory`: default: one more access to that of the site. */
  gateway(
    options: MqttGatewayOptions,
    { version = 5 as 4 | 5, directory = this.directory() as Directory & { close(): void } } = {},
  ): SiteGateway {
    const log = keptLog(() => this.watch.happened());
    const context = { directory, clock: this.clock, timers: this.clock, random: Math.random, log };
    const gateway = mqttGateway(options, context) as SiteGateway["gateway"];
    const inside = (gateway as unknown as { connection: Inside }).connection;
    if (version === 4) {
      Object.assign(inside.protocol, { current: 4, fiveRefused: true });
    }
    gateway.start();
    let ended = false;
    const stop = async () => {
      if (ended) return;
      ended = true;
      await gateway.stop();
      directory.close();
    };
    this.open.push(stop);
    return {
      ...{ gateway, log, stop },
      logged: (pattern, count = 1) =>
        this.watch.until(
          () => log.count(pattern) >= count,
          () => `log line ${pattern}, ${count} times; ${log.lines.slice(-10).join(" | ")}; ${this.latest()}`,
        ),
      crash: () => {
        ended = true;
        inside.stopped = true; // it shall not come back
        inside.client?.stream.destroy();
        directory.close();
        (gateway as unknown as { router: { stop(): void }; owned: { stop(): void } }).router.stop();
        (gateway as unknown as { owned: { stop(): void } }).owned.stop();
      },
    };
  }

  async device(
    mosquitto: Mosquitto,
    options: Partial<MicroOptions> & { readonly device: string },
  ): Promise<MicroClient> {
    const device = await MicroClient.connect({ host: mosquitto.host, port: mosquitto.port, ...options });
    this.open.push(() => device.die());
    return device;
  }

  /** Sees every message, and what the broker keeps. */
  async observer(mosquitto: Mosquitto, options: Partial<MicroOptions> = {}, filter = "#"): Promise<Observer> {
    const device = `o${Math.floor(Math.random() * 1e9)}`;
    const client = await this.device(mosquitto, { device, bufferBytes: 1_000_000, ...options });
    await client.subscribe(filter);
    return new Observer(client);
  }

  async end(): Promise<void> {
    for (const end of this.open.splice(0).reverse()) await end();
  }

  /** So much time of the gateways goes by: for a course of events, and for what must not happen. */
  passes(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.after("test", ms, resolve));
  }

  /** Waits until `condition` holds, which is looked at once a second of the gateways. */
  async passing(what: string, condition: () => boolean, limitMs = 400_000): Promise<void> {
    for (let ms = 0; !condition(); ms += 1000) {
      if (ms > limitMs) throw new Error(`not within ${limitMs} ms: ${what}`);
      await this.passes(1000);
    }
  }

  /** Waits until `condition` holds; it is looked at after each match and log line. */
  until(what: string, condition: () => boolean): Promise<void> {
    return this.watch.until(condition, () => `${what}; ${this.latest()}`);
  }

  private latest(): string {
    return this.history.slice(-20).join(", ");
  }

  private heard(match: Match): void {
    const id = (match.type === "disappeared" ? match.serviceId : match.service.id).toString(16).padStart(16, "0");
    if (match.type === "disappeared") {
      this.history.push(`disappeared ${this.names.get(id)}`);
      this.generations.delete(id);
    } else {
      const { properties, generation } = match.service;
      const name = String(properties.get("mqtt.device")?.[0] ?? properties.get("name")?.[0] ?? id);
      this.names.set(id, name);
      this.generations.set(id, generation);
      this.history.push(`${match.type} ${name}`);
    }
    this.watch.happened();
  }
}

interface Inside {
  readonly protocol: object;
  stopped: boolean;
  client?: { stream: { destroy(): void } };
}

export class Observer {
  constructor(readonly client: MicroClient) {}

  /** What the broker keeps below `prefix`, by topic. */
  kept(prefix: string): Map<string, string> {
    const kept = new Map<string, string>();
    for (const { topic, payload } of this.client.received) {
      if (!topic.startsWith(prefix)) continue;
      if (payload === "") kept.delete(topic);
      else kept.set(topic, payload);
    }
    return kept;
  }

  until(what: string, condition: () => boolean, limitMs?: number): Promise<void> {
    return this.client.until(what, condition, limitMs);
  }
}
