/** From a discovery payload of Home Assistant's, in either form, to what it says of its device. */

import { macInName } from "../../hardware-address.js";
import { type Availability, availabilityOf } from "./availability.js";
import { ieeeOf } from "./device-keys.js";
import { DEVICE_KEYS, ENTITY_KEYS, ORIGIN_KEYS } from "./ha-abbreviations.js";
import { isObject, type Json, type JsonObject, listOf, member } from "./json.js";
import { LIMITS } from "./limits.js";
import { type Sighting, SightingCollector } from "./sighting.js";
import { cleanText, usableTopic } from "./texts.js";

export interface HaTopic {
  /** `sensor`, …, or `device` for the form with several components. */
  readonly component: string;
  /** `<node>/<object>`, or the object alone. */
  readonly object: string;
}

export interface HaConfig {
  readonly sighting: Sighting;
  /** Those of its components that have one, each once; the device is there while one of them is. */
  readonly availabilities: readonly Availability[];
  /** Topics on which the device is expected to say something: it has no availability, or its states expire. */
  readonly signs: readonly string[];
}

/** What is in a payload that announces no device. `counted`: worth counting as dropped. */
export type HaOther = "migrating" | "removed" | "own announcement" | "not an announcement" | "no identity";

/** `<prefix>/<component>/[<node>/]<object>/config` */
export function parseHaTopic(prefix: string, topic: string): HaTopic | undefined {
  if (!topic.startsWith(`${prefix}/`) || !topic.endsWith("/config")) return undefined;
  const levels = topic.slice(prefix.length + 1, -"/config".length).split("/");
  if (levels.length < 2 || levels.length > 3 || levels.includes("")) return undefined;
  return { component: levels[0], object: levels.slice(1).join("/") };
}

export function readHaConfig({ component, object }: HaTopic, json: Json): HaConfig | HaOther {
  if (!isObject(json)) return "not an announcement";
  if (member(json, "migrate_discovery") === true) return "migrating";
  const top = spelledOut(json, ENTITY_KEYS);
  const base = member(top, "~");
  const device = spelledOut(member(top, "device"), DEVICE_KEYS);
  const origin = spelledOut(member(top, "origin"), ORIGIN_KEYS);
  if (isOurs(json) || isOurs(device) || member(origin, "name") === "pathfinder-edge") return "own announcement";
  const entities =
    component === "device"
      ? components(top)
      : [{ component, object, entity: withBase(top, base), fallback: undefined as Json | undefined }];
  if (entities.length === 0) return component === "device" ? "removed" : "not an announcement";

  const collector = new SightingCollector();
  const isDevice = identify(collector, device);
  if (!isDevice) identifyEntity(collector, entities[0].entity, object);
  collector
    .add("name", member(isDevice ? device : entities[0].entity, "name"))
    .add("manufacturer", member(device, "manufacturer"))
    .add("model", member(device, "model"))
    .add("model.id", member(device, "model_id"))
    .add("serial", member(device, "serial_number"))
    .add("sw", member(device, "sw_version"))
    .add("hw", member(device, "hw_version"))
    .add("area", member(device, "suggested_area"))
    .add("url", member(device, "configuration_url"));
  collector.add("kind", kindOf(entities.map((one) => one.component)));
  for (const one of entities) {
    const deviceClass = cleanText(member(one.entity, "device_class"));
    collector.add("cap", [one.component, one.object, ...(deviceClass === undefined ? [] : [deviceClass])].join(":"));
  }
  for (const one of entities) collector.add("mqtt.topic", ...topicsOf(one.entity));
  const presence = presenceOf(entities.map(({ entity }) => entity));
  const { silentSeconds } = presence;
  for (const { topics } of presence.availabilities) {
    for (const { topic, available, notAvailable } of topics) collector.weigh(topic, available, notAvailable);
  }
  collector.weigh(...presence.signs);
  const sighting = collector.sighting(silentSeconds === undefined ? {} : { silentSeconds });
  return sighting ? { sighting, availabilities: presence.availabilities, signs: presence.signs } : "no identity";
}

/** How the device tells that it is there: by its availability, and by its states where they expire. */
function presenceOf(entities: readonly JsonObject[]) {
  const availabilities = new Map<string, Availability>();
  const topics = new Set<string>();
  for (const entity of entities) {
    const availability = availabilityOf(entity);
    const wanted = new Set([...topics, ...availability.topics.map(({ topic }) => topic)]);
    if (availability.topics.length === 0 || wanted.size > LIMITS.availabilityTopics) continue;
    for (const topic of wanted) topics.add(topic);
    availabilities.set(JSON.stringify(availability), availability);
  }
  const states = (from: readonly JsonObject[]) =>
    new Set(from.map((entity) => member(entity, "state_topic")).filter(usableTopic));
  const expiring = entities.filter((entity) => expiresAfter(entity) !== undefined);
  const heard = states(topics.size > 0 ? expiring : entities);
  // who has one component that may be silent for ever may be so itself, and so may who has states that we do not hear
  const expires = expiring.length === entities.length && heard.size <= LIMITS.stateTopics;
  return {
    availabilities: [...availabilities.values()],
    signs: [...heard].slice(0, LIMITS.stateTopics),
    silentSeconds: expires ? Math.max(...entities.map((entity) => expiresAfter(entity)!)) : undefined,
  };
}

/** Seconds without a state after which Home Assistant takes the entity for unavailable; `undefined`: never. */
function expiresAfter(entity: JsonObject): number | undefined {
  const seconds = cleanText(member(entity, "expire_after"));
  if (!usableTopic(member(entity, "state_topic")) || !seconds || !/^[1-9][0-9]{0,7}$/.test(seconds)) return undefined;
  return Math.max(Number(seconds), LEAST_EXPIRY_SECONDS);
}

/** Nobody needs a directory in which a sensor that misses two readings comes and goes. */
const LEAST_EXPIRY_SECONDS = 60;

/** Members with their long names; the first of two spellings counts. Prototypes are out of reach. */
function spelledOut(value: Json | undefined, keys: ReadonlyMap<string, string>): JsonObject {
  const result: Record<string, Json> = Object.create(null);
  if (!isObject(value)) return result;
  for (const [name, content] of Object.entries(value)) {
    const long = keys.get(name) ?? name;
    if (!Object.hasOwn(result, long)) result[long] = content;
  }
  return result;
}

/** `~` at the begin or the end of what a key that ends in `topic` holds, also in the list of availability. */
function withBase(entity: JsonObject, base: Json | undefined): JsonObject {
  const result: Record<string, Json> = Object.create(null);
  for (const [name, content] of Object.entries(entity)) {
    if (name === "availability") {
      result[name] = listOf(content)
        .slice(0, LIMITS.availabilityTopics)
        .map((entry) => withBase(spelledOut(entry, ENTITY_KEYS), base));
    } else result[name] = name.endsWith("topic") ? replaceBase(content, base) : content;
  }
  return result;
}

function replaceBase(topic: Json, base: Json | undefined): Json {
  if (typeof topic !== "string" || typeof base !== "string") return topic;
  if (topic.startsWith("~")) return base + topic.slice(1);
  return topic.endsWith("~") ? topic.slice(0, -1) + base : topic;
}

interface Component {
  readonly component: string;
  readonly object: string;
  readonly entity: JsonObject;
}

/** What a component takes from the announcement of its device if it does not say it itself, as Home Assistant does. */
const SHARED = [
  ...["availability", "availability_topic", "availability_mode", "availability_template"],
  ...["payload_available", "payload_not_available", "state_topic", "command_topic"],
];

function inheriting(entity: JsonObject, shared: JsonObject): JsonObject {
  const result: Record<string, Json> = Object.assign(Object.create(null), entity);
  const hasOwn = Object.hasOwn(entity, "availability") || Object.hasOwn(entity, "availability_topic");
  for (const name of SHARED) {
    if (hasOwn && (name === "availability" || name === "availability_topic")) continue;
    if (!Object.hasOwn(entity, name) && Object.hasOwn(shared, name)) result[name] = shared[name];
  }
  return result;
}

/** The components of a device announcement. One with nothing but its platform has been removed. */
function components(top: JsonObject): Component[] {
  const all = member(top, "components");
  if (!isObject(all)) return [];
  const result: Component[] = [];
  const shared = withBase(top, member(top, "~"));
  for (const [object, content] of Object.entries(all).slice(0, LIMITS.components)) {
    const entity = spelledOut(content, ENTITY_KEYS);
    const component = cleanText(member(entity, "platform"));
    if (component === undefined || Object.keys(entity).length < 2) continue;
    const own = withBase(entity, member(entity, "~") ?? member(top, "~"));
    result.push({ component, object, entity: inheriting(own, shared) });
  }
  return result;
}

/** By connections and identifiers. False: there are none. */
function identify(collector: SightingCollector, device: JsonObject): boolean {
  for (const connection of listOf(member(device, "connections")).slice(0, LIMITS.keys)) {
    const [type, value] = listOf(connection);
    if (type === "mac") collector.mac(value);
    else if (type === "zigbee") collector.ieee(value);
  }
  const identifiers = listOf(member(device, "identifiers")).slice(0, LIMITS.keys);
  for (const identifier of identifiers) {
    const text = cleanText(identifier);
    collector.key("ha", text);
    if (text === undefined) continue;
    // what ESPHome, Tasmota and Zigbee2MQTT put there leads to their own announcements
    if (macInName(text) !== undefined) collector.mac(text);
    else if (ieeeOf(text.slice(-18)) !== undefined) collector.ieee(text.slice(-18));
  }
  return collector.sighting() !== undefined;
}

/** An entity without a device is one of its own. */
function identifyEntity(collector: SightingCollector, entity: JsonObject, object: string): void {
  const unique = cleanText(member(entity, "unique_id"));
  if (unique === undefined) collector.key("own", `homeassistant/${object}`);
  else collector.key("ha", `entity:${unique}`);
}

/** What a device with several components is, the first of these that it has. */
const KINDS = [
  ...["climate", "water_heater", "humidifier", "vacuum", "lawn_mower", "lock", "alarm_control_panel", "cover", "valve"],
  ...["fan", "camera", "image", "siren", "light", "switch"],
];

function kindOf(present: readonly string[]): string {
  const kind = KINDS.find((one) => present.includes(one));
  if (kind !== undefined) return kind;
  return present.some((one) => one === "sensor" || one === "binary_sensor") ? "sensor" : "device";
}

/** State and command topics first, then every other one but those of the availability. */
function topicsOf(entity: JsonObject): readonly Json[] {
  const others = Object.entries(entity).filter(
    ([name]) =>
      name.endsWith("_topic") && name !== "availability_topic" && name !== "state_topic" && name !== "command_topic",
  );
  return [member(entity, "state_topic"), member(entity, "command_topic"), ...others.map(([, topic]) => topic)].filter(
    usableTopic,
  );
}

function isOurs(object: JsonObject): boolean {
  return Object.hasOwn(object, "sdid");
}
