/** One service as several servers report it for one subscription (libpaf-client.md, 7). */

import type { Timer } from "../core/clock.js";
import type { Properties } from "../core/properties.js";
import type { MatchClaim } from "./match-claims.js";

export interface Source {
  /** The last one it reported. */
  generation: bigint;
  /** It says that the service is there; else it said `disappeared`, or its connection was lost. */
  connected: boolean;
  /** Seconds since the UNIX epoch; `undefined`: not an orphan. */
  orphanSince: number | undefined;
  /** Its link will not come back. */
  removed: boolean;
  /** What it makes us hold; nothing once it has said `disappeared`, or the service is gone anyway. */
  claim: MatchClaim | undefined;
}

export interface Merged {
  readonly serviceId: bigint;
  readonly sources: Map<number, Source>;
  state: "initial" | "announced" | "unpublished" | "orphaned-out";
  /** As announced last. */
  generation: bigint;
  properties: Properties;
  ttlSeconds: bigint;
  /** Announced: the end of the TTL of an unconnected orphan. Gone: the end of its record. */
  timer: Timer | undefined;
}

/** Those that have the generation that was announced. */
export const currentSources = ({ sources, generation }: Merged): readonly Source[] =>
  [...sources.values()].filter((source) => source.generation === generation);

/**
 * When the service became an orphan that no connected server knows: the latest orphan time of the sources that have its
 * generation; `undefined` if one of them is connected. Those with an older generation have no part in it, nor has one
 * that said `disappeared`: in libpaf that one would hold the service for ever once the others are lost.
 */
export function unconnectedOrphanSince({ sources, generation }: Merged): number | undefined {
  let latest: number | undefined;
  for (const source of sources.values()) {
    if (source.generation !== generation) continue;
    if (source.connected) return undefined;
    if (source.orphanSince !== undefined) latest = Math.max(latest ?? source.orphanSince, source.orphanSince);
  }
  return latest;
}

/**
 * A service that no connected source has any more: `unpublished` if one of them said so. Also when another one, whose
 * connection was lost, held it until its TTL was over: what that server says when it is back is old news (7.4).
 */
export function howGone(service: Merged): "unpublished" | "orphaned-out" {
  return currentSources(service).every(({ orphanSince }) => orphanSince !== undefined) ? "orphaned-out" : "unpublished";
}
