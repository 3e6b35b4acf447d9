/** Zigbee2MQTT: one list of all devices, the state of the bridge, and the availability of each device. */

import type { ConventionContext } from "./convention.js";
import { DeviceConvention } from "./device-convention.js";
import { ieeeOf } from "./device-keys.js";
import { type Json, listOf, member, payloadText, readJson } from "./json.js";
import { LIMITS } from "./limits.js";
import { PresenceTopics } from "./presence-topics.js";
import { refuse } from "./refuse.js";
import { type Sighting, SightingCollector } from "./sighting.js";
import { type Presence, Sightings } from "./sightings.js";
import { cleanText } from "./texts.js";

export class Zigbee2Mqtt extends DeviceConvention {
  readonly name = "zigbee2mqtt";
  protected readonly fixed: readonly string[];
  protected readonly sightings: Sightings;
  protected override readonly topics: PresenceTopics;
  /** The devices of the last list: by base topic and address, their availability topics. */
  private readonly devices = new Map<string, string>();
  private bridge: Presence = "unknown";

  constructor(
    context: ConventionContext,
    private readonly base = "zigbee2mqtt",
  ) {
    super(context);
    this.fixed = [`${base}/bridge/state`, `${base}/+/availability`, `${base}/bridge/devices`];
    this.sightings = new Sightings(this.name, context, {
      away: () => {
        for (const subject of this.devices.keys()) this.topics.watch(subject, []);
        this.devices.clear();
        this.bridge = "unknown";
      },
      settling: (subject) => this.tell(subject, true, true),
    });
    // names with a slash have availability topics that the fixed filter does not match
    this.topics = new PresenceTopics([`${base}/+/availability`], context.dropped, context.budget, (added, removed) =>
      context.onFiltersChanged(this, added, removed),
    );
  }

  protected take(topic: string, payload: Uint8Array, retained: boolean): void {
    if (topic === `${this.base}/bridge/devices`) this.list(topic, payload, retained);
    else if (topic === `${this.base}/bridge/state`) {
      this.bridge = stateOf(payload.length <= LIMITS.textBytes ? payloadText(payload) : undefined);
      for (const subject of this.devices.keys()) this.tell(subject, retained);
    } else {
      const text = payload.length <= LIMITS.textBytes ? payloadText(payload) : undefined;
      for (const subject of this.topics.heard(topic, text)) this.tell(subject, retained);
    }
  }

  override stop(): void {
    super.stop();
    this.devices.clear();
  }

  /** A list replaces the one before it; an empty message is the list of none. */
  private list(topic: string, payload: Uint8Array, retained: boolean): void {
    const read = payload.length === 0 ? { json: [] } : readJson(payload, LIMITS.listBytes);
    if ("refusal" in read) {
      refuse(this.context, topic, read.refusal);
      return;
    }
    if (!Array.isArray(read.json)) {
      refuse(this.context, topic, "not an announcement");
      return;
    }
    const listed = read.json as readonly Json[];
    if (listed.length > LIMITS.listedDevices) refuse(this.context, topic, "too many announcements");
    const left = new Set(this.devices.keys());
    for (const entry of listed.slice(0, LIMITS.listedDevices)) {
      const ieee = ieeeOf(cleanText(member(entry, "ieee_address")));
      if (ieee === undefined || !isUsable(entry)) continue;
      const name = cleanText(member(entry, "friendly_name")) ?? ieee;
      const subject = `${this.base}/${ieee}`;
      left.delete(subject);
      const availability = `${this.base}/${name}/availability`;
      this.devices.set(subject, availability);
      const expectsPresence = this.topics.last(availability) === undefined;
      if (!expectsPresence || this.bridge === "down") this.tell(subject, retained);
      this.sightings.announced(subject, sightingOf(this.base, ieee, name, entry), retained, expectsPresence);
      this.topics.watch(subject, [availability]);
    }
    for (const gone of left) {
      this.devices.delete(gone);
      this.topics.watch(gone, []);
      this.sightings.cleared(gone);
    }
  }

  /** A device is down with its bridge. Availability is told only if it is configured there, which shows when `settled`. */
  private tell(subject: string, retained: boolean, settled = false): void {
    const availability = stateOf(this.topics.last(this.devices.get(subject) ?? ""));
    const presence = this.bridge === "down" ? "down" : availability === "unknown" ? this.bridge : availability;
    if (availability === "unknown" && presence === "up" && !settled && this.sightings.isUnsettled(subject)) return;
    if (presence !== "unknown") this.sightings.presence(subject, presence, retained);
  }
}

/** `online`, or `{"state":"online"}` */
function stateOf(text: string | undefined): Presence {
  if (text === undefined) return "unknown";
  const read = text.startsWith("{") ? readJson(Buffer.from(text)) : undefined;
  const word = read && "json" in read ? member(read.json, "state") : text.trim();
  return word === "online" ? "up" : word === "offline" ? "down" : "unknown";
}

/** The coordinator is the bridge itself; what was not interviewed cannot be used, nor what is disabled. */
function isUsable(entry: Json): boolean {
  if (member(entry, "type") === "Coordinator" || member(entry, "disabled") === true) return false;
  const interviewed = member(entry, "interview_completed");
  if (interviewed !== undefined) return interviewed === true;
  const state = member(entry, "interview_state"); // since 2.1; the other one is to go
  return state === undefined || state === "SUCCESSFUL";
}

/** What may stand in `exposes` as a type with features of its own; it says what the device is. */
const KINDS: readonly string[] = ["climate", "lock", "cover", "fan", "light", "switch"];

function sightingOf(base: string, ieee: string, name: string, entry: Json): Sighting {
  const definition = member(entry, "definition");
  const exposes = listOf(member(definition, "exposes")).slice(0, LIMITS.valuesOfProperty);
  const types = exposes.map((exposed) => cleanText(member(exposed, "type")));
  const collector = new SightingCollector().ieee(ieee);
  collector
    .add("name", name)
    .add("kind", KINDS.find((kind) => types.includes(kind)) ?? "sensor")
    .add("manufacturer", member(definition, "vendor") ?? member(entry, "manufacturer"))
    .add("model", member(definition, "model") ?? member(entry, "model_id"))
    .add("sw", member(entry, "software_build_id"))
    .add("power", member(entry, "power_source"))
    .add("mqtt.base", `${base}/${name}`)
    .add("mqtt.topic", `${base}/${name}`, `${base}/${name}/set`);
  for (const exposed of exposes) {
    const type = cleanText(member(exposed, "type"));
    const features = member(exposed, "features");
    const named = member(exposed, "property") ?? member(exposed, "name");
    const parts = features === undefined ? [named] : listOf(features).map((feature) => member(feature, "name"));
    if (type === undefined) continue;
    for (const part of parts) if (cleanText(part) !== undefined) collector.add("cap", `${type}:${cleanText(part)}`);
  }
  return collector.sighting()!; // the address is a key
}
