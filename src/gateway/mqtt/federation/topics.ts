/** The topics by which the boards of a federation tell each other what their directories hold. */

import { checkedRoot } from "../topics.js";

/** What a federation and a board may be called: a topic level that is also fit for a broker's access list. */
export const FEDERATION_NAME = /^[A-Za-z0-9._-]{1,64}$/;

export type FederationTopic =
  | { readonly kind: "service"; readonly board: string; readonly id: bigint }
  | { readonly kind: "presence"; readonly board: string }
  | { readonly kind: "foreign"; readonly reason: string };

export interface FederationTopics {
  /** What to subscribe to, services first: the presence of a board that is replayed after them says "that is all". */
  readonly filters: readonly string[];
  parse(topic: string): FederationTopic;
  presence(board: string): string;
  service(board: string, id: bigint): string;
}

/** Throws a `RangeError` for a root that cannot be one. */
export function federationTopics(root: string, name: string): FederationTopics {
  const prefix = `${checkedRoot(root)}/${name}/`;
  return {
    filters: [`${prefix}s/+/+`, `${prefix}b/+`],
    parse(topic) {
      const [tree, board = "", id, ...more] = topic.startsWith(prefix) ? topic.slice(prefix.length).split("/") : [];
      if (more.length > 0 || (tree !== "s" && tree !== "b") || (tree === "b") !== (id === undefined)) {
        return { kind: "foreign", reason: "not a topic of the federation" };
      }
      if (!FEDERATION_NAME.test(board)) {
        return { kind: "foreign", reason: "the board's name must be 1 to 64 of A-Z a-z 0-9 . _ -" };
      }
      if (id === undefined) return { kind: "presence", board };
      if (!/^[0-7][0-9a-f]{15}$/.test(id)) {
        return { kind: "foreign", reason: "a service id must be 16 digits of 0-9 a-f, below 2^63" };
      }
      return { kind: "service", board, id: BigInt(`0x${id}`) };
    },
    presence: (board) => `${prefix}b/${board}`,
    service: (board, id) => `${prefix}s/${board}/${id.toString(16).padStart(16, "0")}`,
  };
}
