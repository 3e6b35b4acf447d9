/**
 * Rule 1 of the oracle: what makes it legitimate to say that a service has gone that is still published and matches
 * (libpaf-client.md, 7). There are two ways, and both take a TTL:
 *
 * - A server says so (7.1, disappeared): it has been without the producer for the TTL (pathfinder-protocol.md, 10.3), and
 *   the consumer hears it. Rule 3 of 7.1: it does not count while a connected source has the announced generation.
 * - The consumer gives it up (7.3): since a TTL ago, none of the sources with the announced generation has been there, each
 *   having lost the producer or been lost by the consumer.
 *
 * In either case the announced generation is one that was published a TTL ago, so that what was published since does not
 * matter. Which TTL it was nobody knows: the shortest of those in effect since the longest ago at which it can have begun.
 */

import { type Hearing, pairOf } from "./hearing.js";
import type { Life, Segment, Subscription, Told } from "./history.js";
import { contains, firstWithin, lastWithin, lengthWithin } from "./intervals.js";
import { PROPAGATION, SILENCE_NOTICED, TTL_TOLERANCE } from "./times.js";

/** Why the disappearance at `at` of a service that is wanted in `wanted` can not be; `undefined` if it can. */
function problemWith(at: number, wanted: Segment, life: Life, of: Subscription, hearing: Hearing): string | undefined {
  const pair = pairOf(life, of);
  const ttlMs = shortestTtlMs(at, life, hearing) - TTL_TOLERANCE;
  const began = Math.max(at - ttlMs, wanted.from + PROPAGATION);
  // The version that can have been announced last, and when the subscription began: nobody heard of it before.
  const latest = life.versions.filter((version) => version.at <= began).at(-1) ?? life.versions[0]!;
  const from = Math.max(began, latest.at + PROPAGATION, of.from + PROPAGATION);
  let recent: number | undefined;
  for (const server of hearing.servers) {
    const settled = hearing.settled(server, pair);
    if (contains(settled, at)) return `disappeared while server ${server} had it`;
    const lastHeard = lastWithin(hearing.heard(server, pair), from, at);
    const connectedSince = hearing.connectedSince(server, pair, at);
    if (lastHeard !== undefined && connectedSince !== undefined && connectedSince <= lastHeard) {
      return `disappeared while server ${server} was connected and had it`;
    }
    if (lastHeard !== undefined || firstWithin(settled, began, at) !== undefined) recent = server;
  }
  if (recent === undefined) return undefined;
  const bornAt = life.versions[0]!.at;
  if (hearing.servers.some((server) => hearing.canHaveDenied(server, pair, at, ttlMs, bornAt))) return undefined;
  return `disappeared although server ${recent} had it within the TTL, and no server can have said that it is gone`;
}

/** How long ago a TTL can have begun that is over now, at most: a server that stood still ends it late, and is heard late. */
function shortestTtlMs(at: number, life: Life, { troubles }: Hearing): number {
  const known = life.versions.filter((version) => version.at <= at);
  const longestMs = Math.max(...known.map(({ ttlSeconds }) => ttlSeconds)) * 1000;
  const before = at - longestMs - SILENCE_NOTICED - PROPAGATION;
  const since = before - lengthWithin(troubles.frozen(), before - LONGEST_STILL, at);
  const inEffect = known.filter((_, i) => i === known.length - 1 || known[i + 1]!.at > since);
  return Math.min(...inEffect.map(({ ttlSeconds }) => ttlSeconds)) * 1000;
}

/** Longer than servers are frozen in a plan. */
const LONGEST_STILL = 15_000;

export function checkHeld(
  life: Life,
  of: Subscription,
  told: readonly Told[],
  segments: readonly Segment[],
  hearing: Hearing,
  complain: (at: number, text: string) => void,
): void {
  for (const { type, at } of told) {
    if (type !== "disappeared") continue;
    // A segment that has just begun: the news of the end of the one before may come late.
    const wanted = segments.find((one) => one.from + PROPAGATION < at && at < one.to);
    const problem = wanted && problemWith(at, wanted, life, of, hearing);
    if (problem !== undefined) complain(at, problem);
  }
}
