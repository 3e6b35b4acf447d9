/** Which of the things that several interfaces show under one name are the same thing. */

import type { InstanceView } from "./instance-view.js";
import { nameKey } from "./names.js";
import { txtProperties } from "./translation.js";

/** TXT keys whose value says which device this is, whatever else differs; the field's common ones. */
const UNIQUE_ID_KEYS = ["uuid", "deviceid", "id", "mac", "serial"];
/** Shorter values are counters ("1") rather than unique ids. */
const UNIQUE_ID_LEAST_LENGTH = 6;

export interface Agreement {
  /** The views of one thing, the one that decides where they differ first. */
  readonly views: readonly [InstanceView, ...InstanceView[]];
  /** Another interface shows something else under the same name. */
  readonly isContested: boolean;
}

/**
 * Names are unique on one link only, so two links may show two things of one name. Views show the same thing if host,
 * port and TXT are equal; or if the port is and a unique id in the TXT is: hosts with two legs may give each leg a host
 * name and a TXT of its own. Of two different things one is taken: that on an interface that was `preferred` before, or
 * else on the first by name. (The id of a service depends on scope and name alone, so that all gateways compute the same:
 * links that shall show different things under one name need a gateway each, with a scope of its own.)
 */
export function agreeing(views: readonly InstanceView[], preferred: readonly string[]): Agreement | undefined {
  const sorted = [...views].sort((a, b) => (a.interfaceName < b.interfaceName ? -1 : 1));
  const leader = sorted.find(({ interfaceName }) => preferred.includes(interfaceName)) ?? sorted[0];
  if (!leader) return undefined;
  const same = sorted.filter((view) => view !== leader && isSame(view, leader));
  return { views: [leader, ...same], isContested: same.length + 1 < sorted.length };
}

function isSame(a: InstanceView, b: InstanceView): boolean {
  if (a.port !== b.port) return false;
  if (nameKey(a.host) === nameKey(b.host) && txtKey(a) === txtKey(b)) return true;
  const [ofA, ofB] = [txtProperties(a.txt), txtProperties(b.txt)];
  return UNIQUE_ID_KEYS.some((key) => {
    const id = ofA.get(`txt.${key}`);
    return typeof id === "string" && id.length >= UNIQUE_ID_LEAST_LENGTH && id === ofB.get(`txt.${key}`);
  });
}

/** What it states, in whatever order (RFC 6763, 6.4). */
const txtKey = ({ txt }: InstanceView) => JSON.stringify([...txtProperties(txt)].map((pair) => pair.join("=")).sort());
