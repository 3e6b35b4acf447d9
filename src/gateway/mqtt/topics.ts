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

/** The topics that a gateway writes, or reads queries and the other gateways' words from. */
export interface OutboundTopics {
  /** Filters: all mirrors, all queries, all gateways. */
  readonly mirrors: string;
  readonly queries: string;
  readonly gateways: string;
  /** `id`: 16 lower-case hexadecimal digits. */
  mirror(kind: string, id: string): string;
  reply(device: string): string;
  gateway(name: string): string;
  /** The parts of a topic of that tree; `undefined` if it is none. */
  parseMirror(topic: string): { readonly kind: string; readonly id: string } | undefined;
  parseQuery(topic: string): string | undefined;
  parseGateway(topic: string): string | undefined;
  /** Whether a device may have its answer there: below `<root>/r/`, or gateways would write into foreign trees. */
  isReplyTopic(topic: string): boolean;
}

const MAX_REPLY_TOPIC_BYTES = 128;

export function outboundTopicsBelow(root: string): OutboundTopics {
  const prefix = `${checkedRoot(root)}/`;
  const nameBelow = (tree: string) => (topic: string) => {
    const name = topic.startsWith(`${prefix}${tree}/`) ? topic.slice(prefix.length + tree.length + 1) : "";
    return NAME_PATTERN.test(name) ? name : undefined;
  };
  return {
    mirrors: `${prefix}m/+/+`,
    queries: `${prefix}q/+`,
    gateways: `${prefix}g/+`,
    mirror: (kind, id) => `${prefix}m/${kind}/${id}`,
    reply: (device) => `${prefix}r/${device}`,
    gateway: (name) => `${prefix}g/${name}`,
    parseMirror(topic) {
      if (!topic.startsWith(`${prefix}m/`)) return undefined;
      const [kind, id, more] = topic.slice(prefix.length + 2).split("/", 3);
      const legal = more === undefined && NAME_PATTERN.test(kind) && /^[0-9a-f]{16}$/.test(id ?? "");
      return legal ? { kind, id } : undefined;
    },
    parseQuery: nameBelow("q"),
    parseGateway: nameBelow("g"),
    isReplyTopic: (topic) =>
      topic.startsWith(`${prefix}r/`) &&
      topic.length > prefix.length + 2 &&
      Buffer.byteLength(topic) <= MAX_REPLY_TOPIC_BYTES + prefix.length &&
      !/[+#\u0000-\u001f\u007f]/.test(topic),
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
