/** Which announcements are about one device. */

import type { DeviceKey } from "./device-keys.js";
import type { Sighting } from "./sighting.js";

interface Keyed {
  readonly sighting: Sighting;
}

/** The members in groups that have a key in common, directly or over others. */
export function connected<Member extends Keyed>(members: ReadonlySet<Member>): Member[][] {
  const byKey = new Map<DeviceKey, Member[]>();
  for (const member of members) {
    for (const key of member.sighting.keys) {
      const others = byKey.get(key);
      if (others) others.push(member);
      else byKey.set(key, [member]);
    }
  }
  const left = new Set(members);
  const parts: Member[][] = [];
  for (const member of members) {
    if (!left.delete(member)) continue;
    const part = [member];
    for (let at = 0; at < part.length; at++) {
      for (const key of part[at].sighting.keys) {
        for (const other of byKey.get(key)!) if (left.delete(other)) part.push(other);
        byKey.set(key, []);
      }
    }
    parts.push(part);
  }
  return parts;
}
