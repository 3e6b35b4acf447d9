/** Homie 4 (and 3): a device is a shower of retained attributes, complete when its state says `ready`. */

import { macInName } from "../../hardware-address.js";
import type { ConventionContext } from "./convention.js";
import { DeviceConvention } from "./device-convention.js";
import { presenceOfState } from "./homie5.js";
import { payloadText } from "./json.js";
import { SHOWN } from "./life.js";
import { LIMITS } from "./limits.js";
import { refuse } from "./refuse.js";
import { type Sighting, SightingCollector } from "./sighting.js";
import { Sightings } from "./sightings.js";

const DEVICE_ATTRIBUTES = ["$state", "$homie", "$name", "$nodes", "$implementation", "$mac", "$localip"];
const FIRMWARE_ATTRIBUTES = ["$fw/name", "$fw/version"];
const NODE_ATTRIBUTES = ["$name", "$type", "$properties"];

interface Homie4Device {
  state: string | undefined;
  /** By what follows the device's topic. */
  readonly attributes: Map<string, string>;
}

export class Homie4 extends DeviceConvention {
  readonly name = "homie4";
  protected readonly fixed: readonly string[];
  protected readonly sightings: Sightings;
  /** By id. */
  private readonly devices = new Map<string, Homie4Device>();
  /** Of all their attributes. */
  private characters = 0;

  constructor(
    context: ConventionContext,
    /** The first levels of the topics. */
    private readonly root = "homie",
  ) {
    super(context);
    // attributes only: the values of properties, which change all the time, are not subscribed to
    this.fixed = [
      ...[...DEVICE_ATTRIBUTES, ...FIRMWARE_ATTRIBUTES].map((name) => `${root}/+/${name}`),
      ...NODE_ATTRIBUTES.map((name) => `${root}/+/+/${name}`),
      `${root}/+/+/+/$datatype`,
    ];
    this.sightings = new Sightings(this.name, context, { away: () => this.forgetAll() });
  }

  protected take(topic: string, payload: Uint8Array, retained: boolean): void {
    const match = topic.startsWith(`${this.root}/`)
      ? /^([a-z0-9-]{1,64})\/((?:[a-z0-9-]{1,64}\/){0,2}\$[a-z]{1,20}(?:\/[a-z]{1,20})?)$/.exec(
          topic.slice(this.root.length + 1),
        )
      : undefined;
    if (!match) {
      refuse(this.context, topic, "not a Homie topic");
      return;
    }
    const [, id, attribute] = match;
    const text = payload.length <= LIMITS.textBytes ? payloadText(payload) : undefined;
    if (text === undefined) {
      refuse(this.context, topic, payload.length > LIMITS.textBytes ? "payload too large" : "not UTF-8");
      return;
    }
    const device = this.admit(id);
    if (!device) return;
    if (attribute === "$state") this.state(id, device, text, retained);
    else this.attribute(id, device, attribute, text, retained);
    if (device.state === undefined && device.attributes.size === 0) this.devices.delete(id);
  }

  override stop(): void {
    super.stop();
    this.forgetAll();
  }

  private forgetAll(): void {
    this.devices.clear();
    this.characters = 0;
  }

  private admit(id: string): Homie4Device | undefined {
    const present = this.devices.get(id);
    if (present) return present;
    if (this.devices.size >= LIMITS.devices && !this.makeRoom(id)) {
      this.context.dropped.add("too many announcements");
      return undefined;
    }
    const device: Homie4Device = { state: undefined, attributes: new Map() };
    this.devices.set(id, device);
    return device;
  }

  /** Drops the oldest device that is not shown and is another one. False: there is none. */
  private makeRoom(id: string): boolean {
    for (const [other, { attributes }] of this.devices) {
      if (other === id || SHOWN.has(this.sightings.phase(other))) continue;
      this.devices.delete(other);
      for (const [name, text] of attributes) this.characters -= name.length + text.length;
      this.sightings.cleared(other);
      return true;
    }
    return false;
  }

  private state(id: string, device: Homie4Device, state: string, retained: boolean): void {
    if (state === "") {
      device.state = undefined;
      this.sightings.cleared(id);
      return;
    }
    const before = device.state;
    device.state = state;
    if (state === "init") return; // what was there before stays until it is ready
    this.sightings.presence(id, presenceOfState(state), retained);
    if (before !== state) this.announce(id, device, retained);
  }

  private attribute(id: string, device: Homie4Device, name: string, text: string, retained: boolean): void {
    const before = device.attributes.get(name);
    if ((before ?? "") === text) return;
    const lengthOf = (value: string | undefined) => (value ? name.length + value.length : 0);
    const more = lengthOf(text) - lengthOf(before);
    const isFull = before === undefined && device.attributes.size >= LIMITS.attributes;
    const isTooLong = () => more > 0 && this.characters + more > LIMITS.announcedCharacters;
    while (!isFull && isTooLong() && this.makeRoom(id));
    if (isFull || isTooLong()) {
      this.context.dropped.add("too many attributes");
      return;
    }
    this.characters += more;
    if (text === "") device.attributes.delete(name);
    else device.attributes.set(name, text);
    // each part of the shower changes the announcement; the devices wait until it is quiet
    if (device.state !== undefined && device.state !== "init") this.announce(id, device, retained);
  }

  private announce(id: string, device: Homie4Device, retained: boolean): void {
    const version = device.attributes.get("$homie");
    if (version === undefined || !/^[34]\./.test(version)) return;
    const sighting = sightingOf(`${this.root}/${id}`, id, device.attributes);
    if (sighting) this.sightings.announced(id, sighting, retained);
  }
}

function sightingOf(base: string, id: string, attributes: ReadonlyMap<string, string>): Sighting | undefined {
  const collector = new SightingCollector().key("base", base).mac(attributes.get("$mac") ?? macInName(id));
  collector
    .add("name", attributes.get("$name") ?? id)
    .add("mqtt.base", base)
    .add("addr", attributes.get("$localip"))
    .add("model", attributes.get("$fw/name") ?? attributes.get("$implementation"))
    .add("sw", attributes.get("$fw/version"));
  const nodes = idsIn(attributes.get("$nodes"));
  collector.add("homie.node", ...nodes);
  for (const node of nodes) {
    collector.add("kind", ...(collector.first("kind") === undefined ? [attributes.get(`${node}/$type`)] : []));
    for (const property of idsIn(attributes.get(`${node}/$properties`))) {
      const datatype = attributes.get(`${node}/${property}/$datatype`);
      collector.add("homie.prop", `${node}/${property}${datatype === undefined ? "" : `:${datatype}`}`);
    }
  }
  return collector.sighting();
}

/** The ids of a list like `light,info,rooms[]`. */
function idsIn(list: string | undefined): readonly string[] {
  const ids = (list ?? "").split(",").map((id) => id.trim().replace(/\[\]$/, ""));
  return ids.filter((id) => /^[a-z0-9-]{1,64}$/.test(id)).slice(0, LIMITS.valuesOfProperty);
}
