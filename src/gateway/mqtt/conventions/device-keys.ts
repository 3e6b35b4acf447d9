/** By what devices are recognised in several conventions, and the ids that follow from it. */

import { createHash } from "node:crypto";

/**
 * What an announcement calls its device, the best first: the hardware address (`mac`, or `ieee` for Zigbee), what Home
 * Assistant's `identifiers` say (`ha`), the base topic (`base`), and what only the convention itself understands (`own`).
 */
const RANKS = ["mac", "ieee", "ha", "base", "own"] as const;
type KeyType = (typeof RANKS)[number];

/** `mac:a0b1c2d3e4f5`, `ha:plug-1`, … Two announcements with a key in common are about one device. */
export type DeviceKey = `${KeyType}:${string}`;

/** It says which piece of hardware this is: two that differ in it are never one because of a weak key. */
export const isHardwareKey = (key: DeviceKey): boolean => key.startsWith("mac:") || key.startsWith("ieee:");

/** It is given by people, who give it twice. */
export const isWeakKey = (key: DeviceKey): boolean => key.startsWith("base:");

/** A Zigbee address (`0x` and 16 digits), in lower case. */
export function ieeeOf(text: string | undefined): string | undefined {
  const address = text?.toLowerCase();
  return address !== undefined && /^0x[0-9a-f]{16}$/.test(address) && !/^0x(0+|f+)$/.test(address)
    ? address
    : undefined;
}

/** The better of two keys of one device: by type, then by text, so that all gateways agree. */
export function betterKey(a: DeviceKey, b: DeviceKey): DeviceKey {
  const rank = (key: DeviceKey) => RANKS.indexOf(key.slice(0, key.indexOf(":")) as KeyType);
  const difference = rank(a) - rank(b);
  return difference < 0 || (difference === 0 && a <= b) ? a : b;
}

/**
 * The id of a device's service: the first 63 bits of SHA-256 over site, `device` and the best of its keys with zero bytes
 * between them, never 0. All gateways of a site compute the same one, before and after a restart.
 */
export function deviceId(site: string, key: DeviceKey): bigint {
  const digest = createHash("sha256").update(`${site}\0device\0${key}`, "utf8").digest();
  return digest.readBigUInt64BE(0) >> 1n || 1n;
}
