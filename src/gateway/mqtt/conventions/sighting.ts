/** What one announcement of one convention says of a device. */

import { type Properties, type PropertyValue, sameProperties } from "../../../core/properties.js";
import { macOf } from "../../hardware-address.js";
import { type DeviceKey, ieeeOf } from "./device-keys.js";
import { LIMITS } from "./limits.js";
import { cleanText } from "./texts.js";

export interface Sighting {
  /** The best one need not come first. There is at least one. */
  readonly keys: readonly DeviceKey[];
  readonly properties: Properties;
  /** What it takes to remember this: characters, roughly. */
  readonly size: number;
  /**
   * How long the device may be silent. `undefined`: for ever while its presence says so, else for a day; for 600 s if all
   * that is known of it was kept by the broker.
   */
  readonly silentSeconds?: number;
  /** It sleeps: its presence says nothing. */
  readonly sleeps?: boolean;
  /** The broker does not keep this: its keys do not decide the id if there are others, which a restart would learn. */
  readonly passing?: boolean;
}

export type SightingTraits = Omit<Sighting, "keys" | "properties" | "size">;

/** Properties that only the gateway itself sets. */
export function isReserved(name: string): boolean {
  return name === "src" || name === "gw" || name === "sdid" || name === "sdgw" || name === "mqtt.conv";
}

/** Takes keys and properties, and holds them to the limits; whatever is beyond them is left out. */
export class SightingCollector {
  private readonly keys = new Set<DeviceKey>();
  private readonly collected = new Map<string, PropertyValue[]>();
  private values = 0;
  private size = 0;

  /** Without effect if `text` is no usable text. */
  key(type: "ha" | "base" | "own", text: unknown): this {
    const clean = cleanText(text);
    if (clean !== undefined) this.addKey(`${type}:${clean}`);
    return this;
  }

  /** A hardware address in any notation: a key, and the property `mac`. */
  mac(text: unknown): this {
    const mac = macOf(cleanText(text));
    if (mac === undefined) return this;
    this.addKey(`mac:${mac}`);
    return this.add("mac", mac);
  }

  /** A Zigbee address: a key, and the property `ieee`. */
  ieee(text: unknown): this {
    const ieee = ieeeOf(cleanText(text));
    if (ieee === undefined) return this;
    this.addKey(`ieee:${ieee}`);
    return this.add("ieee", ieee);
  }

  /** Adds values; those that are no usable text or integer, and those there are already, are left out. */
  add(name: string, ...values: readonly unknown[]): this {
    for (const value of values) {
      const clean = typeof value === "bigint" ? value : cleanText(value);
      if (clean === undefined) continue;
      const present = this.collected.get(name);
      if (present?.includes(clean)) continue;
      if (this.values >= LIMITS.values || (present && present.length >= LIMITS.valuesOfProperty)) continue;
      this.values++;
      this.weigh(name, String(clean));
      if (present) present.push(clean);
      else this.collected.set(name, [clean]);
    }
    return this;
  }

  /** These are remembered with it. */
  weigh(...texts: readonly string[]): this {
    for (const text of texts) this.size += text.length;
    return this;
  }

  /** The first value of a property so far. */
  first(name: string): PropertyValue | undefined {
    return this.collected.get(name)?.[0];
  }

  /** `undefined` if there is no key: nobody could tell which device it is. */
  sighting(traits: SightingTraits = {}): Sighting | undefined {
    if (this.keys.size === 0) return undefined;
    return { keys: [...this.keys], properties: this.collected, size: this.size, ...traits };
  }

  private addKey(key: DeviceKey): void {
    if (this.keys.size >= LIMITS.keys) return;
    this.keys.add(key);
    this.weigh(key);
  }
}

export function sameKeys(a: readonly DeviceKey[], b: readonly DeviceKey[]): boolean {
  return a.length === b.length && a.every((key) => b.includes(key));
}

export function sameSighting(a: Sighting, b: Sighting): boolean {
  return sameTraits(a, b) && sameKeys(a.keys, b.keys) && sameProperties(a.properties, b.properties);
}

function sameTraits(a: SightingTraits, b: SightingTraits): boolean {
  return a.silentSeconds === b.silentSeconds && a.sleeps === b.sleeps && a.passing === b.passing;
}
