/** Which announcements are about one device. */

import { betterKey, type DeviceKey, isHardwareKey, isWeakKey } from "./device-keys.js";
import type { Sighting } from "./sighting.js";

interface Keyed {
  readonly sighting: Sighting;
}

/** The members in groups that have a key in common, directly or over others. */
export function connected<Member extends Keyed>(
  members: Iterable<Member>,
  counts: (key: DeviceKey) => boolean = () => true,
): Member[][] {
  const left = new Set(members);
  const byKey = new Map<DeviceKey, Member[]>();
  const keysOf = ({ sighting }: Member) => sighting.keys.filter(counts);
  for (const member of left) {
    for (const key of keysOf(member)) {
      const others = byKey.get(key);
      if (others) others.push(member);
      else byKey.set(key, [member]);
    }
  }
  const parts: Member[][] = [];
  for (const member of left) {
    left.delete(member);
    const part = [member];
    for (let at = 0; at < part.length; at++) {
      for (const key of keysOf(part[at])) {
        for (const other of byKey.get(key)!) if (left.delete(other)) part.push(other);
        byKey.set(key, []);
      }
    }
    parts.push(part);
  }
  return parts;
}

/**
 * The devices among members that are connected: one, unless a weak key joins several that have hardware addresses. Nobody
 * can tell then whom that key means, so each of them is one device, and those without an address are others.
 */
export function devicesAmong<Member extends Keyed>(members: Iterable<Member>): Member[][] {
  const all = [...members];
  const addresses = new Set(all.flatMap(({ sighting }) => sighting.keys.filter(isHardwareKey)));
  if (addresses.size < 2) return [all];
  const has = (part: readonly Member[]) => part.some(({ sighting }) => sighting.keys.some(isHardwareKey));
  const parts = connected(all, (key) => !isWeakKey(key));
  const addressed = parts.filter(has);
  if (addressed.length < 2) return [all];
  return [...addressed, ...connected(parts.filter((part) => !has(part)).flat())];
}

/**
 * There is at least one member. What passes counts only if there is nothing that the broker keeps. `isOneOfMany`: a weak key
 * is not this device's alone, and counts only if there is no other.
 */
export function bestKey(members: readonly Keyed[], isOneOfMany: boolean): DeviceKey {
  const kept = members.filter(({ sighting }) => !sighting.passing);
  const keys = (kept.length > 0 ? kept : members).flatMap(({ sighting }) => sighting.keys);
  const strong = isOneOfMany ? keys.filter((key) => !isWeakKey(key)) : [];
  return (strong.length > 0 ? strong : keys).reduce(betterKey);
}
