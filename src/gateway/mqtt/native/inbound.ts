/** The native convention, inbound (parts D.1 to D.5): what devices say in `sd1/a` and `sd1/s` becomes services. */

import { type Logger, logStack } from "../../../core/log.js";
import type { Properties, PropertyValue } from "../../../core/properties.js";
import type { Complaints } from "../../complaints.js";
import type { Dropped } from "../../dropped.js";
import { type Announcement, AnnouncementError, show } from "../announced.js";
import { parseAnnouncement } from "../announcement.js";
import type { DeviceState, Devices } from "../devices.js";
import type { Received } from "../mqtt-client.js";
import type { TopicHandler } from "../router.js";
import type { Topics, Tree } from "../topics.js";

export interface NativeInboundOptions {
  readonly topics: Topics;
  readonly devices: Devices;
  readonly complaints: Complaints;
  readonly log: Logger;
  readonly dropped: Dropped;
  /** A device just said something, which the broker keeps if the device wants that. */
  readonly onSaid: (topic: string) => void;
}

export class NativeInbound implements TopicHandler {
  readonly name = "native";
  readonly filters: readonly string[];

  constructor(private readonly options: NativeInboundOptions) {
    this.filters = options.topics.filters;
  }

  heard(topic: string, payload: Uint8Array, retained: boolean, { userProperties }: Received): void {
    const { topics, complaints, dropped, log, onSaid } = this.options;
    if (!retained && payload.length > 0) onSaid(topic);
    try {
      const parsed = topics.parse(topic);
      if ("reason" in parsed) throw new AnnouncementError(parsed.reason);
      const marked = Object.hasOwn(userProperties, "sdid");
      if (!this.dispatch(parsed.tree, parsed.device, payload, retained, marked)) {
        dropped.add("too-many-devices");
        complaints.add(() => `MQTT topic ${show(topic)} ignored: the limit of devices is reached.`);
      }
    } catch (error) {
      if (error instanceof AnnouncementError) {
        dropped.add("announcement-malformed");
        complaints.add(() => `MQTT topic ${show(topic)} ignored: ${error.message}.`);
      } else {
        // our bug; it shall cost this message and nothing else
        logStack(log, `MQTT topic ${show(topic)}`, error);
      }
    }
  }

  brokerBack(): void {
    this.options.devices.brokerBack();
  }

  brokerLost(): void {
    this.options.devices.brokerLost();
  }

  stop(): void {
    this.options.devices.stop();
  }

  /** False: there are too many devices. */
  private dispatch(tree: Tree, device: string, payload: Uint8Array, retained: boolean, marked: boolean): boolean {
    const { devices, complaints, dropped } = this.options;
    if (tree === "s") {
      if (payload.length === 0) return true; // the announcement's withdrawal says it all
      return devices.stated(device, parseState(payload), retained);
    }
    if (payload.length === 0) {
      devices.cleared(device);
      return true;
    }
    const announcement = parseAnnouncement(payload);
    if (marked || announcement.mirrored) {
      dropped.add("marked"); // a gateway made it from what a directory holds (D.6)
      return true;
    }
    for (const key of announcement.refusedKeys) {
      complaints.add(() => `MQTT device ${device}: property ${show(key)} left out, the name is reserved.`);
    }
    return devices.announced(device, announcement, retained);
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
