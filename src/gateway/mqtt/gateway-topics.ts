/**
 * What gateways write to a broker out of a directory: no convention may take it in again (part D.6), or each import would
 * be told anew under another topic, and that be imported, without end. Mappings could match any topic.
 */

import { checkedRoot } from "./topics.js";

/** A mirror below whatever root, and the begin of what stands there: generation and TTL. */
const MIRROR = /\/m\/[A-Za-z0-9_-]{1,20}\/[0-9a-f]{16}$/;
const MIRRORED = /^[0-9]{1,19};[0-9]{1,19}(?:;|$)/;

/** What a board of a federation tells, whatever its root and name. */
const FEDERATED_SERVICE = /\/s\/[A-Za-z0-9._-]{1,64}\/[0-7][0-9a-f]{15}$/;
const FEDERATED = /^\{"generation":[0-9]/;

const MOST_BEGIN_BYTES = 48;

/**
 * Whether a message is of that kind: by its topic below the root of this gateway, where `devicesToo` adds the
 * announcements that its native convention reads; by topic and payload below the roots of others.
 */
export function gatewayTopics(root: string, devicesToo: boolean): (topic: string, payload: Uint8Array) => boolean {
  const prefix = `${checkedRoot(root)}/`;
  const trees = new Set(["m", "q", "r", "g", ...(devicesToo ? ["a", "s"] : [])]);
  return (topic, payload) => {
    if (topic.startsWith(prefix) && trees.has(topic.slice(prefix.length).split("/", 1)[0])) return true;
    const begin = () => Buffer.from(payload.subarray(0, MOST_BEGIN_BYTES)).toString("latin1");
    if (MIRROR.test(topic)) return MIRRORED.test(begin());
    return FEDERATED_SERVICE.test(topic) && FEDERATED.test(begin());
  };
}
