/** The topics of the native convention (part D.1) and the ids of the services that are announced there. */

import { createHash } from "node:crypto";

/** What a device, a kind of service and a JSON or text property may be called. */
export const NAME_PATTERN = /^[A-Za-z0-9_-]{1,20}$/;

/** An announcement tree: `a` for announcements, `s` for states. Mirrors, queries and replies (`m`, `q`, `r`, `g`) are not read. */
export type Tree = "a" | "s";

export interface DeviceTopic {
  readonly tree: Tree;
  readonly device: string;
}

export interface Topics {
  /** What to subscribe to, states first: a replayed announcement is judged by the state that came before it. */
  readonly filters: readonly string[];
  /** The tree and device of a topic, or why it is none of ours. */
  parse(topic: string): DeviceTopic | { readonly reason: string };
  of(tree: Tree, device: string): string;
}

/** The topics below `root`, e.g. `sd1` or `plant/sd1`. Throws a `RangeError` if `root` cannot be one. */
export function topicsBelow(root: string): Topics {
  const prefix = `${checkedRoot(root)}/`;
  return {
    filters: [`${root}/s/+`, `${root}/a/+`],
    parse(topic) {
      if (!topic.startsWith(prefix)) return { reason: `not below ${root}` };
      const tree = topic.slice(prefix.length, prefix.length + 2);
      if (tree !== "a/" && tree !== "s/") return { reason: `not an announcement or a state below ${root}` };
      const device = topic.slice(prefix.length + 2);
      if (!NAME_PATTERN.test(device)) {
        return { reason: "the device name must be 1 to 20 of A-Z a-z 0-9 _ -" };
      }
      return { tree: tree === "a/" ? "a" : "s", device };
    },
    of: (tree, device) => `${prefix}${tree}/${device}`,
  };
}

/** The root again. Throws a `RangeError` unless it is one or more topic levels without wildcards, at most 100 bytes. */
export function checkedRoot(root: string): string {
  const legal = /^[^/+#\u0000-\u001f\u007f$][^+#\u0000-\u001f\u007f]*$/.test(root) && !root.endsWith("/");
  if (!legal || Buffer.byteLength(root) > 100) {
    throw new RangeError(
      `MQTT root topic ${JSON.stringify(root.slice(0, 120))}: expected 1 to 100 bytes of topic levels, ` +
        "without + and #, not beginning with $ or /, not ending in /",
    );
  }
  return root;
}

/** The site again. Throws a `RangeError` unless it is 1 to 64 characters, none of them a control character. */
export function checkedSite(site: string): string {
  if (!/^[^\u0000-\u001f\u007f]{1,64}$/.test(site)) {
    throw new RangeError(
      `MQTT site ${JSON.stringify(site.slice(0, 80))}: expected 1 to 64 characters, no control characters`,
    );
  }
  return site;
}

/**
 * The id of a device's service: the first 63 bits of SHA-256 over site, `sd1` and device with zero bytes between
 * them, never 0. All gateways of a site compute the same one, before and after a restart, whatever the root topic is.
 */
export function serviceId(site: string, device: string): bigint {
  const digest = createHash("sha256").update(`${site}\0sd1\0${device}`, "utf8").digest();
  return digest.readBigUInt64BE(0) >> 1n || 1n;
}
