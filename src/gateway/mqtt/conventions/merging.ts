/** Which convention's value wins when several describe one device. The table is in docs/conventions/README.md. */

import type { Properties, PropertyValue } from "../../../core/properties.js";
import { LIMITS } from "./limits.js";
import type { Sighting } from "./sighting.js";

/** One live announcement. */
export interface Described {
  readonly convention: string;
  readonly subject: string;
  readonly sighting: Sighting;
}

/**
 * What a device says of itself counts more than what is said for Home Assistant; what the administrator's own mappings say
 * (any other name) counts most.
 */
const PRECEDENCE = ["zigbee2mqtt", "homie5", "homie4", "tasmota", "esphome", "shelly", "homeassistant"];

/** Where another order holds: Home Assistant is the one that knows of rooms. */
const FIRST_FOR: ReadonlyMap<string, string> = new Map([["area", "homeassistant"]]);

/** Of these the values of all are shown; of any other property those of the winner. */
const UNITED: ReadonlySet<string> = new Set(["addr", "cap", "mqtt.topic", "mqtt.base", "homie.node", "homie.prop"]);

/** Kinds that say little: any other wins over them, whoever says it; the later of these wins over the earlier. */
const VAGUE_KINDS: readonly (PropertyValue | undefined)[] = ["device", "sensor"];

/** The lower the better. */
type Rank = (convention: string, property: string) => number;

const usualRank: Rank = (convention, property) =>
  FIRST_FOR.get(property) === convention ? -2 : PRECEDENCE.indexOf(convention); // -1: a mapping

/** `first`: conventions that the administrator wants to count more than any other, the best first. */
function rankWith(first: readonly string[]): Rank {
  const named = new Map(first.map((convention, at) => [convention, at - first.length - 2]));
  return (convention, property) => named.get(convention) ?? usualRank(convention, property);
}

/** A kind that says more wins; among equals the order of conventions decides. */
function vagueness(sighting: Sighting): number {
  const index = VAGUE_KINDS.indexOf(sighting.properties.get("kind")?.[0]);
  return index < 0 ? 0 : VAGUE_KINDS.length - index;
}

/** The properties of a device, from at least one live announcement; the order of `described` does not matter. */
export function mergedProperties(
  site: string,
  fallbackName: string,
  described: readonly Described[],
  first: readonly string[] = [],
): Properties {
  const rank = rankWith(first);
  const winner = (property: string) => winnerOf(ordered, property, rank);
  const ordered = [...described].sort(
    (a, b) =>
      rank(a.convention, "") - rank(b.convention, "") ||
      (a.convention === b.convention ? compare(a.subject, b.subject) : compare(a.convention, b.convention)),
  );
  const merged = new Merged();
  merged.add("name", [winner("name")?.sighting.properties.get("name")?.[0] ?? fallbackName]);
  merged.add("kind", [kindOf(ordered)]);
  merged.add("mqtt.conv", [...new Set(ordered.map(({ convention }) => convention))].sort());
  merged.add("src", [`mqtt:${site}`]);
  const names = new Set(ordered.flatMap(({ sighting }) => [...sighting.properties.keys()]));
  for (const name of ["name", "kind"]) names.delete(name);
  for (const name of [...names].sort()) {
    const from = UNITED.has(name) ? ordered : [winner(name)];
    for (const one of from) merged.add(name, one?.sighting.properties.get(name) ?? []);
  }
  return merged.properties;
}

function winnerOf(ordered: readonly Described[], property: string, rank: Rank): Described | undefined {
  let best: Described | undefined;
  for (const one of ordered) {
    if (!one.sighting.properties.has(property)) continue;
    if (!best || rank(one.convention, property) < rank(best.convention, property)) best = one;
  }
  return best;
}

function kindOf(ordered: readonly Described[]): PropertyValue {
  let best: Sighting | undefined;
  for (const { sighting } of ordered) {
    if (sighting.properties.has("kind") && (!best || vagueness(sighting) < vagueness(best))) best = sighting;
  }
  return best?.properties.get("kind")?.[0] ?? "device";
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Properties within the limits of one device. What no longer fits is left out. */
class Merged {
  readonly properties = new Map<string, PropertyValue[]>();
  private values = 0;
  private bytes = 0;

  add(name: string, values: readonly PropertyValue[]): void {
    for (const value of values) {
      const present = this.properties.get(name);
      if (present?.includes(value)) continue;
      const bytes = Buffer.byteLength(name) + Buffer.byteLength(String(value));
      if (this.values >= LIMITS.values || this.bytes + bytes > LIMITS.deviceBytes) return;
      if (present && present.length >= LIMITS.valuesOfProperty) return;
      this.values++;
      this.bytes += bytes;
      if (present) present.push(value);
      else this.properties.set(name, [value]);
    }
  }
}
