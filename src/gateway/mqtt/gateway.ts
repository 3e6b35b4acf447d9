/** The MQTT gateway: one connection to a broker, and those who read from it or write to it. */

import { hostname } from "node:os";
import { logStack } from "../../core/log.js";
import type { Gateway, GatewayContext } from "../gateway.js";
import { Publications } from "../publications.js";
import { show } from "./announced.js";
import { Complaints } from "./complaints.js";
import { BrokerConnection, type BrokerTls } from "./connection.js";
import { Devices, type OnLoss } from "./devices.js";
import { NativeInbound, serviceProperties } from "./native/inbound.js";
import { Router } from "./router.js";
import { checkedSite, serviceId, topicsBelow } from "./topics.js";

export type { BrokerTls, OnLoss };

/** What the configuration says of one broker. Only `url` is needed. */
export interface MqttGatewayOptions {
  /** `mqtt://host[:1883]` or `mqtts://host[:8883]`. */
  readonly url: string;
  readonly user?: string;
  /** One of both at most. `passwordFile`: its first line, read at each attempt to connect. */
  readonly password?: string;
  readonly passwordFile?: string;
  readonly tls?: BrokerTls;
  /** Default: `pathfinder-edge-<site>-<host name>`. Two clients with the same one throw each other out. */
  readonly clientId?: string;
  /** A hung broker is noticed within 1.5 times this. Default: 60, 5 at least. */
  readonly keepaliveSeconds?: number;
  /** The topic below which devices announce themselves. Default: `sd1`. */
  readonly root?: string;
  /** Gateways of one site give a device the same id. Default: `local`. */
  readonly site?: string;
  /** For kinds not named in `onLossOfKind`. Default: `withdraw`. */
  readonly onLoss?: OnLoss;
  readonly onLossOfKind?: Readonly<Record<string, OnLoss>>;
  /** Remove what the broker keeps of devices long gone: this writes to the broker. Default: false. */
  readonly clearStale?: boolean;
  /** Default: 10,000. */
  readonly maxDevices?: number;
}

/** Throws a `RangeError` if an option cannot be used. */
export function mqttGateway(options: MqttGatewayOptions, context: GatewayContext): Gateway {
  return new MqttGateway(options, context);
}

class MqttGateway implements Gateway {
  readonly name: string;
  private readonly connection: BrokerConnection;
  private readonly router: Router;

  constructor(options: MqttGatewayOptions, context: GatewayContext) {
    const { clock, timers, random, log } = context;
    const site = checkedSite(options.site ?? "local");
    this.connection = new BrokerConnection(
      {
        ...options,
        clientId: options.clientId ?? `pathfinder-edge-${site}-${hostname()}`,
        keepaliveSeconds: Math.max(5, options.keepaliveSeconds ?? 60),
      },
      [],
      {
        up: () => this.router.brokerBack(),
        down: () => this.router.brokerLost(),
        message: (topic, payload, received) => this.router.heard(topic, payload, received),
      },
      { clock, timers, random, log },
    );
    this.name = `mqtt ${this.connection.address.host}:${this.connection.address.port}`;
    this.router = new Router(this.connection, (topic, error) => logStack(log, `MQTT topic ${show(topic)}`, error));
    this.router.add(this.nativeInbound(site, options, context));
  }

  start(): void {
    this.connection.start();
  }

  async stop(): Promise<void> {
    await this.connection.stop();
    this.router.stop();
  }

  private nativeInbound(site: string, options: MqttGatewayOptions, context: GatewayContext): NativeInbound {
    const { clock, timers, random, log, directory } = context;
    const topics = topicsBelow(options.root ?? "sd1");
    const limit = options.maxDevices ?? 10_000;
    const publications = new Publications({ directory, clock, log, limit });
    const lossOfKind = new Map(Object.entries(options.onLossOfKind ?? {}));
    const id = (device: string) => serviceId(site, device);
    const clearing = { retain: true } as const;
    const devices = new Devices({
      sink: {
        publish: (device, announcement) => {
          const shown = serviceProperties(site, device, announcement);
          publications.publish(id(device), BigInt(announcement.ttlSeconds), shown);
        },
        withdraw: (device) => publications.withdraw(id(device)),
        orphan: (device) => publications.orphan(id(device)),
        clearRetained: (device) => {
          log.info(() => `MQTT: clearing what the broker keeps of ${device}, which is long gone.`);
          this.connection.publish(topics.of("a", device), "", clearing);
          this.connection.publish(topics.of("s", device), "", clearing);
        },
      },
      ...{ clock, timers, random, log, limit },
      onLoss: (kind) => lossOfKind.get(kind) ?? options.onLoss ?? "withdraw",
      clearStale: options.clearStale ?? false,
    });
    return new NativeInbound({ topics, devices, complaints: new Complaints(clock, log), log });
  }
}
