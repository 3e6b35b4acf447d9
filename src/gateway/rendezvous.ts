/** Rendezvous hashing: all who know the same candidates agree, without talking, on who of them is to do something. */

import { createHash } from "node:crypto";

/** The candidate that is to care for `key`; `undefined` if there is none. When one leaves, only its keys move. */
export function responsible(candidates: Iterable<string>, key: string): string | undefined {
  let first: string | undefined;
  let highest = -1n;
  for (const candidate of candidates) {
    const weight = createHash("sha256").update(`${candidate}\0${key}`, "utf8").digest().readBigUInt64BE();
    if (weight > highest || (weight === highest && candidate < first!)) {
      first = candidate;
      highest = weight;
    }
  }
  return first;
}
