/** The MQTT gateway: devices that announce themselves to a broker (parts D.1 to D.5) appear in the directory. */

import { hostname } from "node:os";
import { type Logger, logStack } from "../../core/log.js";
import type { Properties, PropertyValue } from "../../core/properties.js";
import type { Gateway, GatewayContext, GatewayState } from "../gateway.js";
import { Publications } from "../publications.js";
import { type Announcement, AnnouncementError, show } from "./announced.js";
import { parseAnnouncement } from "./announcement.js";
import { Complaints } from "./complaints.js";
import { BrokerConnection, type BrokerTls } from "./connection.js";
import { type DeviceState, Devices, type OnLoss } from "./devices.js";
import { checkedSite, serviceId, type Topics, type Tree, topicsBelow } from "./topics.js";

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
  private readonly site: string;
  private readonly publications: Publications;
  private readonly devices: Devices;
  private readonly connection: BrokerConnection;
  private readonly complaints: Complaints;
  private readonly topics: Topics;
  private readonly log: Logger;

  constructor(options: MqttGatewayOptions, context: GatewayContext) {
    const { clock, timers, random, log } = context;
    this.site = checkedSite(options.site ?? "local");
    this.log = log;
    this.topics = topicsBelow(options.root ?? "sd1");
    this.complaints = new Complaints(clock, log);
    const limit = options.maxDevices ?? 10_000;
    this.publications = new Publications({ directory: context.directory, clock, log, limit });
    const lossOfKind = new Map(Object.entries(options.onLossOfKind ?? {}));
    const id = (device: string) => serviceId(this.site, device);
    this.devices = new Devices({
      sink: {
        publish: (device, announcement) => {
          const shown = serviceProperties(this.site, device, announcement);
          this.publications.publish(id(device), BigInt(announcement.ttlSeconds), shown);
        },
        withdraw: (device) => this.publications.withdraw(id(device)),
        orphan: (device) => this.publications.orphan(id(device)),
        clearRetained: (device) => {
          log.info(() => `MQTT: clearing what the broker keeps of ${device}, which is long gone.`);
          this.connection.clearRetained(this.topics.of("a", device));
          this.connection.clearRetained(this.topics.of("s", device));
        },
      },
      ...{ clock, timers, random, log, limit },
      onLoss: (kind) => lossOfKind.get(kind) ?? options.onLoss ?? "withdraw",
      clearStale: options.clearStale ?? false,
    });
    this.connection = new BrokerConnection(
      {
        ...options,
        clientId: options.clientId ?? `pathfinder-edge-${this.site}-${hostname()}`,
        keepaliveSeconds: Math.max(5, options.keepaliveSeconds ?? 60),
      },
      this.topics.filters,
      {
        up: () => this.devices.brokerBack(),
        down: () => this.devices.brokerLost(),
        message: (topic, payload, retained, userProperties) =>
          this.heard(topic, payload, retained, userProperties.includes("sdid")),
      },
      { clock, timers, random, log },
    );
    this.name = `mqtt ${this.connection.address.host}:${this.connection.address.port}`;
  }

  start(): void {
    this.connection.start();
  }

  /** Placeholder until the MQTT part of issue 5 is merged. */
  state(): GatewayState {
    return { state: "running", counts: { services: this.publications.size }, dropped: {} };
  }

  async stop(): Promise<void> {
    await this.connection.stop();
    this.devices.stop();
  }

  private heard(topic: string, payload: Uint8Array, retained: boolean, marked: boolean): void {
    try {
      const parsed = this.topics.parse(topic);
      if ("reason" in parsed) throw new AnnouncementError(parsed.reason);
      if (!this.dispatch(parsed.tree, parsed.device, payload, retained, marked)) {
        throw new AnnouncementError("the limit of devices is reached");
      }
    } catch (error) {
      if (error instanceof AnnouncementError) {
        this.complaints.add(() => `MQTT topic ${show(topic)} ignored: ${error.message}.`);
      } else {
        // our bug; it shall cost this message and nothing else
        logStack(this.log, `MQTT topic ${show(topic)}`, error);
      }
    }
  }

  /** False: there are too many devices. */
  private dispatch(tree: Tree, device: string, payload: Uint8Array, retained: boolean, marked: boolean): boolean {
    if (tree === "s") {
      if (payload.length === 0) return true; // the announcement's withdrawal says it all
      return this.devices.stated(device, parseState(payload), retained);
    }
    if (payload.length === 0) {
      this.devices.cleared(device);
      return true;
    }
    const announcement = parseAnnouncement(payload);
    if (marked || announcement.mirrored) return true; // a gateway made it from what a directory holds (D.6)
    for (const key of announcement.refusedKeys) {
      this.complaints.add(() => `MQTT device ${device}: property ${show(key)} left out, the name is reserved.`);
    }
    return this.devices.announced(device, announcement, retained);
  }
}

/** Reads `1`, `0` or `z<seconds>`; longer sleeps than a day count as a day. */
export function parseState(payload: Uint8Array): DeviceState {
  const text = Buffer.from(payload.subarray(0, 12)).toString("latin1");
  if (text === "1") return "up";
  if (text === "0") return "down";
  const seconds = payload.length <= 11 ? /^z([0-9]{1,10})$/.exec(text)?.[1] : undefined;
  if (seconds === undefined || Number(seconds) === 0) {
    throw new AnnouncementError(`state ${show(text)}: expected 1, 0, or z and a number of seconds`);
  }
  return { sleepSeconds: Math.min(Number(seconds), 86_400) };
}

/** The properties under which a device is shown. */
export function serviceProperties(site: string, device: string, announcement: Announcement): Properties {
  const shown = new Map<string, readonly PropertyValue[]>(announcement.properties);
  if (!shown.has("name")) shown.set("name", [device]);
  shown.set("kind", [announcement.kind]);
  shown.set("mqtt.device", [device]);
  shown.set("src", [`mqtt:${site}`]);
  return shown;
}
