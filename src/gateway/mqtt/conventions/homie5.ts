/** Homie 5: a state and one JSON description for each device. */

import { macInName } from "../../hardware-address.js";
import type { ConventionContext } from "./convention.js";
import { DeviceConvention } from "./device-convention.js";
import { isObject, type Json, member, payloadText, readJson } from "./json.js";
import { SHOWN } from "./life.js";
import { LIMITS } from "./limits.js";
import { refuse } from "./refuse.js";
import { type Sighting, SightingCollector } from "./sighting.js";
import { type Presence, Sightings } from "./sightings.js";

interface Homie5Device {
  state?: string | undefined;
  /** The device whose will counts for this one, too. */
  root?: string | undefined;
  /** Outlives an empty state: the broker keeps it, but does not say it again when there is a state. */
  described?: Sighting | undefined;
  /** Those whose state this one is part of. */
  readonly children: Set<string>;
}

export class Homie5 extends DeviceConvention {
  readonly name = "homie5";
  protected readonly fixed: readonly string[];
  protected readonly sightings: Sightings;
  /** By `<domain>/5/<id>`. Holds what has a state, a description or children. */
  private readonly devices = new Map<string, Homie5Device>();

  /** `domain`: the first level of the topics, or `+` for any. */
  constructor(context: ConventionContext, domain = "+") {
    super(context);
    // states first: a replayed description is judged by the state that came before it
    this.fixed = [`${domain}/5/+/$state`, `${domain}/5/+/$description`];
    this.sightings = new Sightings(this.name, context, {
      forgotten: (base) => this.describe(base, undefined),
      away: () => this.devices.clear(),
    });
  }

  protected take(topic: string, payload: Uint8Array, retained: boolean): void {
    const match = /^([^/]+\/5\/([a-z0-9-]{1,64}))\/\$(state|description)$/.exec(topic);
    if (!match) {
      refuse(this.context, topic, "not a Homie topic");
      return;
    }
    const [, base, id, attribute] = match;
    if (attribute === "state") this.state(base, payload, retained);
    else this.description(base, id, payload, retained);
  }

  override stop(): void {
    super.stop();
    this.devices.clear();
  }

  private state(base: string, payload: Uint8Array, retained: boolean): void {
    const described = this.devices.get(base)?.described;
    if (payload.length === 0) {
      this.sightings.cleared(base);
      this.update(base, (device) => {
        device.state = undefined;
      });
    } else {
      const state = payload.length <= 16 ? payloadText(payload) : undefined;
      // while a device is being set up, what was there before stays
      if (state === "init" && this.presence(base) === "up") return;
      this.update(base, (device) => {
        device.state = state;
      });
    }
    this.tell(base, retained);
    if (described && this.sightings.isUnannounced(base)) this.announce(base, described, retained);
    for (const child of this.devices.get(base)?.children ?? []) this.tell(child, retained);
  }

  private description(base: string, id: string, payload: Uint8Array, retained: boolean): void {
    if (payload.length === 0) {
      this.sightings.cleared(base);
      this.setRoot(base, undefined);
      return;
    }
    const read = readJson(payload);
    const refusal = "refusal" in read ? read.refusal : refusalOf(read.json);
    if (refusal !== undefined || !("json" in read)) {
      refuse(this.context, `${base}/$description`, refusal ?? "not an announcement");
      return;
    }
    const root = idOf(member(read.json, "root"));
    this.setRoot(base, root === undefined || root === id ? undefined : base.slice(0, -id.length) + root);
    this.tell(base, retained);
    const sighting = sightingOf(base, id, read.json);
    if (sighting) this.announce(base, sighting, retained);
  }

  private announce(base: string, sighting: Sighting, retained: boolean): void {
    if (this.sightings.announced(base, sighting, retained)) this.describe(base, sighting);
  }

  private describe(base: string, sighting: Sighting | undefined): void {
    if (this.devices.get(base)?.described === sighting) return;
    this.update(base, (device) => {
      device.described = sighting;
    });
  }

  private setRoot(base: string, root: string | undefined): void {
    const before = this.devices.get(base)?.root;
    if (before === root) return;
    if (before !== undefined) this.update(before, ({ children }) => children.delete(base));
    this.update(base, (device) => {
      device.root = root;
    });
    if (root !== undefined) this.update(root, ({ children }) => children.add(base));
  }

  /** Changes a device, which begins to exist or ceases to by it. */
  private update(base: string, change: (device: Homie5Device) => void): void {
    const device: Homie5Device = this.devices.get(base) ?? { children: new Set() };
    change(device);
    const { state, root, described, children } = device;
    if (state === undefined && root === undefined && described === undefined && children.size === 0) {
      this.devices.delete(base);
    } else if (this.devices.has(base) || this.devices.size < LIMITS.subjects || this.makeRoom()) {
      this.devices.set(base, device);
    } else this.context.dropped.add("too many announcements");
  }

  /** Drops the oldest device that is neither shown nor anybody's root. False: there is none. */
  private makeRoom(): boolean {
    for (const [base, { root, children }] of this.devices) {
      if (children.size > 0 || SHOWN.has(this.sightings.phase(base))) continue;
      this.devices.delete(base);
      if (root !== undefined) this.update(root, (device) => device.children.delete(base));
      this.sightings.cleared(base);
      return true;
    }
    return false;
  }

  private tell(base: string, retained: boolean): void {
    this.sightings.presence(base, this.presence(base), retained);
  }

  /** A device without a state is not there; a child is there only while its root is. */
  private presence(base: string): Presence {
    const device = this.devices.get(base);
    const own = presenceOfState(device?.state);
    if (own !== "up" || device?.root === undefined) return own;
    return presenceOfState(this.devices.get(device.root)?.state);
  }
}

/** What Homie's states mean; `alert` is of version 4. */
export function presenceOfState(state: string | undefined): Presence {
  return state === "ready" || state === "sleeping" || state === "alert" ? "up" : "down";
}

function refusalOf(json: Json): string | undefined {
  if (!isObject(json)) return "not an announcement";
  if (Object.hasOwn(json, "sdid")) return "own announcement";
  const homie = member(json, "homie");
  return typeof homie === "string" && /^5(\.|$)/.test(homie) ? undefined : "not Homie 5";
}

function idOf(value: Json | undefined): string | undefined {
  return typeof value === "string" && /^[a-z0-9-]{1,64}$/.test(value) ? value : undefined;
}

function sightingOf(base: string, id: string, json: Json): Sighting | undefined {
  const collector = new SightingCollector().key("base", base).mac(macInName(id));
  collector.add("name", member(json, "name"), ...(member(json, "name") === undefined ? [id] : []));
  collector.add("kind", member(json, "type")).add("mqtt.base", base);
  collector.add("parent", idOf(member(json, "parent")) ?? idOf(member(json, "root")));
  const nodes = member(json, "nodes");
  if (isObject(nodes)) {
    for (const [node, content] of Object.entries(nodes).slice(0, LIMITS.valuesOfProperty)) {
      collector.add("homie.node", node);
      const properties = member(content, "properties");
      if (!isObject(properties)) continue;
      for (const [property, described] of Object.entries(properties).slice(0, LIMITS.valuesOfProperty)) {
        const datatype = member(described, "datatype");
        collector.add("homie.prop", `${node}/${property}${typeof datatype === "string" ? `:${datatype}` : ""}`);
      }
    }
  }
  return collector.sighting();
}
