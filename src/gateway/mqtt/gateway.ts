/** The MQTT gateway: one connection to a broker, and those who read from it or write to it. */

import { hostname } from "node:os";
import type { Timer, Timers } from "../../core/clock.js";
import { logStack } from "../../core/log.js";
import { Complaints } from "../complaints.js";
import { Dropped } from "../dropped.js";
import type { Gateway, GatewayContext, GatewayState } from "../gateway.js";
import { Publications } from "../publications.js";
import { show } from "./announced.js";
import { BrokerConnection } from "./connection.js";
import type { Conventions } from "./conventions/conventions.js";
import { OwnedServices } from "./conventions/owned-services.js";
import { routedConventions } from "./conventions/routed.js";
import { Devices, type OnLoss } from "./devices.js";
import { ORIGIN } from "./federation/record.js";
import { defaultClientId, gatewayName, type MqttGatewayOptions } from "./gateway-options.js";
import { gatewayTopics } from "./gateway-topics.js";
import { NativeInbound, serviceProperties } from "./native/inbound.js";
import { NativeOutbound } from "./native/outbound.js";
import { type DeviceTarget, OwnedDevices } from "./native/owned-devices.js";
import { OutboundQueue } from "./outbound-queue.js";
import { Router } from "./router.js";
import { TIMES } from "./times.js";
import { checkedRoot, checkedSite, outboundTopicsBelow, serviceId, topicsBelow } from "./topics.js";

export type { MqttGatewayOptions, OnLoss };

/** Throws a `RangeError` if an option cannot be used. */
export function mqttGateway(options: MqttGatewayOptions, context: GatewayContext): Gateway {
  return new MqttGateway(options, context);
}

/** Leftovers of devices long gone that are removed in any second, two messages each. */
const CLEARED_PER_SECOND = 50;

/**
 * A bridge that is cut keeps what it is to hand on: an hour later the device may be there again, and what it has announced
 * meanwhile would be removed. (MQTT 3.1.1 knows no expiry.)
 */
const CLEARING_EXPIRES_SECONDS = 60;

class MqttGateway implements Gateway {
  readonly name: string;
  private readonly connection: BrokerConnection;
  private readonly router: Router;
  private readonly dropped = new Dropped();
  private readonly devices: Devices;
  private readonly owned: OwnedDevices;
  private readonly publications: Publications;
  private readonly outbound: NativeOutbound | undefined;
  private readonly conventions: Conventions | undefined;
  private readonly ownedServices: OwnedServices;
  /** Tried until the broker takes it. What is lost with the connection comes back as what the broker still keeps. */
  private readonly clearing: OutboundQueue;
  private reasserting: Timer | undefined;
  private phase: "waiting" | "running" | "starting" | "stopped" = "starting";

  constructor(options: MqttGatewayOptions, context: GatewayContext) {
    const { clock, timers, random, log, directory } = context;
    const site = checkedSite(options.site ?? "local");
    const root = checkedRoot(options.root ?? "sd1");
    const { presence, mirror = [], queries } = options;
    const limit = options.maxDevices ?? 10_000;
    this.publications = new Publications({
      ...{ directory, clock, timers, log, limit },
      continues: true,
      onRoom: () => this.ownedServices.roomForOne(), // native devices say again what they are, and are tried again then
      // what a federation shows of another board came from a gateway that shares this broker's devices with us
      isEcho: ({ properties }) => properties.has(ORIGIN.name),
    });
    this.clearing = new OutboundQueue({
      name: "mqtt clearing",
      publish: (topic, payload, how) => this.connection.publish(topic, payload, how),
      ...{ clock, timers, perSecond: CLEARED_PER_SECOND, limit: 2 * limit },
    });
    const shared = (presence?.directory ?? "shared") === "shared";
    this.owned = new OwnedDevices({
      target: this.target(site, root, log),
      publishes: (device) => !shared || this.isMine(device),
      clears: (device) => this.isMine(device),
      ...{ clock, timers, log },
    });
    this.ownedServices = new OwnedServices({
      target: {
        publish: (id, ttlSeconds, properties) => this.publications.publish(id, ttlSeconds, properties),
        withdraw: (id) => this.withdraw(id),
        release: (id) => this.publications.release(id),
        withdrawForeign: (id) => void this.publications.removeOrphan(id),
      },
      publishes: (name) => !shared || this.isMine(name),
      dropped: this.dropped,
      ...{ clock, timers },
    });
    const lossOfKind = new Map(Object.entries(options.onLossOfKind ?? {}));
    this.devices = new Devices({
      sink: this.owned,
      ...{ clock, timers, random, log, limit },
      onLoss: (kind) => lossOfKind.get(kind) ?? options.onLoss ?? "withdraw",
      clearStale: options.clearStale ?? false,
    });
    if (presence || mirror.length > 0 || queries) {
      this.outbound = new NativeOutbound({
        topics: outboundTopicsBelow(root),
        connection: { publish: (...message) => this.connection.publish(...message), version: () => this.version },
        presence: { name: presence?.name ?? gatewayName(hostname()), priority: presence?.priority ?? 10 },
        rules: mirror,
        ...(queries ? { queries } : {}),
        maxPacketBytes: options.maxPacketBytes ?? 256,
        isReachable: context.isDirectoryReachable ?? (() => true),
        ...{ directory, clock, timers, random, log, dropped: this.dropped },
        onOwnersChanged: () => {
          this.owned.ownersChanged();
          this.ownedServices.ownersChanged();
          this.reassertLater(timers);
        },
      });
    }
    const { outbound } = this;
    this.connection = new BrokerConnection(
      {
        ...options,
        clientId: options.clientId ?? defaultClientId(options, hostname()),
        keepaliveSeconds: Math.max(5, options.keepaliveSeconds ?? 60),
        ...(options.brokerMaxPacketBytes === undefined ? {} : { maxPacketBytes: options.brokerMaxPacketBytes }),
        ...(outbound ? { will: () => outbound.will } : {}),
      },
      [],
      {
        up: () => {
          this.phase = "running";
          this.router.brokerBack();
        },
        down: () => {
          this.clearing.clear();
          if (this.phase === "running") this.phase = "waiting";
          this.router.brokerLost();
        },
        message: (topic, payload, received) => this.router.heard(topic, payload, received),
        leftOut: () => this.dropped.add("message larger than 1 MiB"),
      },
      { clock, timers, random, log },
    );
    this.name = `mqtt ${this.connection.address.host}:${this.connection.address.port}`;
    this.router = new Router(this.connection, (topic, error) => logStack(log, `MQTT topic ${show(topic)}`, error));
    const complaints = new Complaints(clock, log);
    const { dropped } = this;
    const readsDevices = options.conventions?.conventions.includes("native") ?? true;
    if (readsDevices) {
      this.router.add(
        new NativeInbound({
          ...{ topics: topicsBelow(root), devices: this.devices, complaints, log, dropped },
          onSaid: (topic) => this.clearing.remove(topic), // to clear it now would be to clear what it just said
        }),
      );
    }
    if (options.conventions) {
      this.conventions = routedConventions(options.conventions, this.router, {
        ...{ site, clock, timers, random, log, complaints, dropped, sink: this.ownedServices },
        isOurs: gatewayTopics(root, readsDevices),
        ...(options.ask ? { ask: (topic: string, payload: string) => this.connection.publish(topic, payload) } : {}),
      });
    }
    if (outbound) this.router.add(outbound);
  }

  start(): void {
    this.outbound?.start();
    this.connection.start();
  }

  /** What others give back to us, as they do some seconds later, is nobody's until we say that it is ours. */
  private reassertLater(timers: Timers): void {
    this.reasserting?.cancel();
    this.reasserting = timers.after("mqtt reassert", TIMES.reassertMs, () => this.publications.reassert());
  }

  /**
   * While the broker is out of reach we do not know whether a silent device is gone, nor whether another gateway hears
   * it: the service is given up, and that gateway has its TTL to take it over.
   */
  private withdraw(id: bigint): void {
    if (this.phase === "running") this.publications.withdraw(id);
    else this.publications.release(id);
  }

  async stop(): Promise<void> {
    this.phase = "stopped";
    this.reasserting?.cancel();
    this.clearing.clear();
    this.publications.stop();
    this.outbound?.leave();
    await this.connection.stop();
    this.router.stop();
    this.conventions?.devices.stop();
    this.ownedServices.stop();
    this.owned.stop();
  }

  state(): GatewayState {
    const errors = [this.connection.lastError, this.outbound?.lastError].filter((error) => error !== undefined);
    const [lastError] = errors.sort((a, b) => b.unixSeconds - a.unixSeconds);
    return {
      state: this.phase === "starting" && lastError ? "waiting" : this.phase,
      counts: {
        services: this.publications.size,
        devices: this.devices.size + (this.conventions?.devices.size ?? 0),
        ...(this.outbound ? { owned: this.owned.size + this.ownedServices.size } : {}),
        ...this.outbound?.counts,
      },
      dropped: this.dropped.counts,
      ...(lastError ? { lastError } : {}),
    };
  }

  private get version(): 4 | 5 {
    return this.connection.protocolVersion ?? 5;
  }

  /** Whether it is this gateway's part to act for a device. One that does not know of others does everything. */
  private isMine(device: string): boolean {
    return this.outbound?.isMine(device) ?? true;
  }

  private target(site: string, root: string, log: GatewayContext["log"]): DeviceTarget {
    const topics = topicsBelow(root);
    const id = (device: string) => serviceId(site, device);
    return {
      publish: (device, announcement, claim) => {
        const shown = serviceProperties(site, device, announcement);
        this.publications.publish(id(device), BigInt(announcement.ttlSeconds), shown, claim);
      },
      withdraw: (device) => this.withdraw(id(device)),
      orphan: (device) => this.publications.orphan(id(device)),
      release: (device) => this.publications.release(id(device)),
      withdrawForeign: (device) => void this.publications.removeOrphan(id(device)),
      clearRetained: (device) => {
        log.info(() => `MQTT: clearing what the broker keeps of ${device}, which is long gone.`);
        for (const tree of ["a", "s"] as const) {
          const how = { retain: true, qos: 1, messageExpirySeconds: CLEARING_EXPIRES_SECONDS } as const;
          this.clearing.put(topics.of(tree, device), "", how);
        }
      },
    };
  }
}
