/** Rule 3 of the oracle: how long what is no longer wanted may be shown, and that it does not come back. */

import { type Hearing, pairOf } from "./hearing.js";
import type { Life, Segment, Subscription, Told } from "./history.js";
import { lengthWithin } from "./intervals.js";
import { lingers, PROPAGATION, REMEMBERED, TTL_TOLERANCE } from "./times.js";

/** When a service that was wanted in this segment may no longer be shown. */
export function goneBy(life: Life, of: Subscription, segment: Segment, { troubles }: Hearing): number {
  if (segment.ended === undefined) return Number.POSITIVE_INFINITY;
  const ttl = Math.max(...life.versions.map(({ ttlSeconds }) => ttlSeconds));
  const quick = segment.to + PROPAGATION + (segment.ended === "abandoned" ? ttl * 1000 : 0);
  const settled = (server: number) =>
    troubles.settled(server, [of.host, life.host]).some(({ from, to }) => from <= segment.to && to >= quick);
  if (Array.from({ length: troubles.servers }, (_, server) => server).every(settled)) return quick;
  // Time that a server stands still comes on top, and further time that one does so meanwhile.
  for (let due = segment.to + lingers(ttl); ; ) {
    const later = segment.to + lingers(ttl) + lengthWithin(troubles.frozen(), segment.to, due);
    if (later === due) return due;
    due = later;
  }
}

/**
 * That the old news of another server do not bring back what was withdrawn (7.4). It is certain that the consumer knows it for
 * withdrawn, not for an orphan whose time was over, if a server that it heard all the time told it so.
 */
export function checkRisen(
  life: Life,
  of: Subscription,
  told: readonly Told[],
  hearing: Hearing,
  complain: (at: number, text: string) => void,
): void {
  const { end } = life;
  if (end?.how !== "withdrawn") return;
  const gone = told.find(({ type, at }) => type === "disappeared" && at >= end.at);
  if (!gone || Math.max(life.versions.at(-1)!.at, of.from) + PROPAGATION > end.at) return;
  const pair = pairOf(life, of);
  const isKnown = hearing.servers.some((server) =>
    hearing.heard(server, pair).some(({ from, to }) => from <= end.at && gone.at <= to),
  );
  if (!isKnown) return;
  const remembered = told.filter(({ at }, i) => i > told.indexOf(gone) && at < gone.at + REMEMBERED - TTL_TOLERANCE);
  const back = remembered.find(({ type }) => type === "appeared");
  if (back) complain(back.at, "appeared after it had been withdrawn, and the consumer knew");
}
