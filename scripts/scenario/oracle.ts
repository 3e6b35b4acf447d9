/**
 * Judges what consumers were told, from what producers did and when which server was in trouble. The rules, which follow
 * from libpaf-client.md 5, 7 and 8 (times.ts computes the times):
 *
 * A server is *settled* for two hosts if it has had no trouble that concerns clients on them for RECOVERY: then every link of
 * theirs to it is up, and it has everything their producers publish. A service is *wanted* by a subscription while it is
 * published and its latest version matches the filter.
 *
 * 1. held: a wanted service is told to have disappeared only if (a) no server is settled for producer and consumer: a
 *    connected source with the latest generation holds it (7.1); and (b) some server was not settled during the whole
 *    TTL before: a server tells it no earlier than a TTL after it lost the producer, the consumer gives it up no earlier
 *    than a TTL after it lost the server (7.3). Of TTLs that the service had, the shortest counts.
 * 2. shown: while a server is settled, every wanted service is shown at the latest PROPAGATION after it was published, and
 *    so is every change. So a disappearance that rule 1 allows ends RECOVERY after the trouble of the first server.
 * 3. gone: what is no longer wanted is not shown for longer than `lingers(TTL)` (longest it had) plus the time that servers
 *    stood still; PROPAGATION, if all servers were settled (plus the TTL, if the producer abandoned it).
 * 4. true: every announcement carries exactly the properties of a version that had been published and that matches.
 * 5. forward: the version never goes back within a subscription.
 * 6. order: appeared, then modified (with other properties than before) any number of times, then disappeared, and again;
 *    nothing after the subscription was cancelled.
 *
 * That consumers converge after the last fault follows from 2 and 3, if one waits for CONVERGENCE; `differences` tells
 * whether they have.
 */

import { propertiesOf, textOf } from "./contents.js";
import { type Life, type Segment, type Subscription, segmentsOf, shownOf, type Told } from "./history.js";
import { contains, firstWithin, lengthWithin } from "./intervals.js";
import { lingers, PROPAGATION, TTL_TOLERANCE } from "./times.js";
import type { Troubles } from "./troubles.js";

export type Rule = "held" | "shown" | "gone" | "true" | "forward" | "order";

export interface Violation {
  readonly rule: Rule;
  readonly at: number;
  readonly consumer: string;
  readonly serviceId: string;
  readonly text: string;
}

/** All violations in all subscriptions, in the order of time. `lives` by service id. */
export function judge(
  lives: ReadonlyMap<string, Life>,
  subscriptions: readonly Subscription[],
  troubles: Troubles,
): Violation[] {
  const violations = subscriptions.flatMap((subscription) => {
    const told = byService(subscription.told);
    return [...new Set([...lives.keys(), ...told.keys()])].flatMap((serviceId) => {
      const life = lives.get(serviceId);
      const events = told.get(serviceId) ?? [];
      if (!life) {
        return [violation("true", events[0]!, subscription, "a service that nobody published")];
      }
      return judgeService(life, subscription, events, troubles);
    });
  });
  return violations.sort((a, b) => a.at - b.at);
}

const violation = (rule: Rule, { at, serviceId }: Pick<Told, "at" | "serviceId">, of: Subscription, text: string) => ({
  rule,
  at,
  serviceId,
  consumer: of.consumer,
  text,
});

function byService(told: readonly Told[]): Map<string, Told[]> {
  const result = new Map<string, Told[]>();
  for (const one of told) {
    const known = result.get(one.serviceId);
    if (known) known.push(one);
    else result.set(one.serviceId, [one]);
  }
  return result;
}

function judgeService(life: Life, of: Subscription, told: readonly Told[], troubles: Troubles): Violation[] {
  const segments = segmentsOf(life, of.filter);
  const found: Violation[] = [];
  const complain = (rule: Rule, at: number, text: string) =>
    void found.push(violation(rule, { at, serviceId: life.serviceId }, of, text));
  checkStream(life, of, told, complain);
  checkHeld(life, of, told, segments, troubles, complain);
  checkState(life, of, told, segments, troubles, complain);
  return found;
}

type Complain = (rule: Rule, at: number, text: string) => void;

/** Rules 4, 5 and 6. */
function checkStream(life: Life, of: Subscription, told: readonly Told[], complain: Complain): void {
  let shown: Told | undefined;
  let highest = -1;
  for (const one of told) {
    if (one.at > of.to) complain("order", one.at, `${one.type} after the subscription was cancelled`);
    if ((one.type === "appeared") === (shown !== undefined)) {
      complain("order", one.at, `${one.type} while it was ${shown ? `shown (version ${shown.version})` : "not shown"}`);
    }
    if (one.type === "disappeared") {
      shown = undefined;
      continue;
    }
    const version = one.version ?? -1;
    const published = life.versions.find((known) => known.version === version);
    if (!published || published.at > one.at) {
      complain("true", one.at, `${one.type} with version ${version}, which had not been published`);
    } else if (one.text !== textOf(propertiesOf(life.key, version))) {
      complain("true", one.at, `${one.type} with properties that version ${version} does not have: ${one.text}`);
    } else if (!of.filter.matches(life.key, version)) {
      complain("true", one.at, `${one.type} with version ${version}, which ${of.filter.text} does not match`);
    }
    if (version < highest) complain("forward", one.at, `${one.type} with version ${version} after version ${highest}`);
    if (one.type === "modified" && shown?.text === one.text) {
      complain("order", one.at, `modified, but the properties are those of before (version ${version})`);
    }
    highest = Math.max(highest, version);
    shown = one;
  }
}

/** Rule 1. */
function checkHeld(
  life: Life,
  of: Subscription,
  told: readonly Told[],
  segments: readonly Segment[],
  troubles: Troubles,
  complain: Complain,
): void {
  const hosts = [of.host, life.host];
  for (const { type, at } of told) {
    // A segment that has just begun: the news of the end of the one before may come late.
    const wanted = segments.find((one) => one.from + PROPAGATION < at && at < one.to);
    if (type !== "disappeared" || !wanted) continue;
    const ttls = life.versions.filter((version) => version.at <= at).map(({ ttlSeconds }) => ttlSeconds);
    const since = Math.max(at - Math.min(...ttls) * 1000 + TTL_TOLERANCE, wanted.from + PROPAGATION);
    let longLost = false;
    for (let server = 0; server < troubles.servers; server++) {
      const settled = troubles.settled(server, hosts);
      if (contains(settled, at)) {
        complain("held", at, `disappeared while server ${server} had it`);
        return;
      }
      if (firstWithin(settled, since, at) === undefined) longLost = true;
    }
    if (!longLost && since < at) {
      complain("held", at, `disappeared although no server had been lost for the TTL (${Math.min(...ttls)} s)`);
    }
  }
}

/** Rules 2 and 3. */
function checkState(
  life: Life,
  of: Subscription,
  told: readonly Told[],
  segments: readonly Segment[],
  troubles: Troubles,
  complain: Complain,
): void {
  const covered = troubles.covered([of.host, life.host]);
  for (const shown of shownOf(told, of)) {
    for (const segment of segments) {
      const late = shown.version === undefined ? missing(-1, segment) : missing(shown.version, segment);
      if (late) {
        const at = firstWithin(
          covered,
          Math.max(shown.from, late.at + PROPAGATION, of.from + PROPAGATION),
          Math.min(shown.to, segment.to),
        );
        if (at !== undefined) {
          const what = shown.version === undefined ? "nothing" : `version ${shown.version}`;
          complain("shown", at, `shows ${what}, where version ${late.version} must be`);
        }
      }
      if (shown.version !== undefined && segment.versions.some(({ version }) => version === shown.version)) {
        const due = goneBy(life, of, segment, troubles);
        if (shown.to > due) complain("gone", Math.max(due, shown.from), `version ${shown.version} is still shown`);
      }
    }
  }
}

/** The first version of the segment that is newer than what is shown. */
const missing = (shown: number, segment: Segment) => segment.versions.find(({ version }) => version > shown);

/** When a service that was wanted in this segment may no longer be shown. */
function goneBy(life: Life, of: Subscription, segment: Segment, troubles: Troubles): number {
  if (segment.ended === undefined) return Number.POSITIVE_INFINITY;
  const ttl = Math.max(...life.versions.map(({ ttlSeconds }) => ttlSeconds));
  const quick = segment.to + PROPAGATION + (segment.ended === "abandoned" ? ttl * 1000 : 0);
  const settled = (server: number) =>
    troubles.settled(server, [of.host, life.host]).some(({ from, to }) => from <= segment.to && to >= quick);
  if (Array.from({ length: troubles.servers }, (_, server) => server).every(settled)) return quick;
  const frozen = lengthWithin(troubles.frozen(), segment.to, Number.POSITIVE_INFINITY);
  return segment.to + lingers(ttl) + frozen;
}

/** In what the last word of each subscription differs from what is published; empty if all have converged. */
export function differences(lives: ReadonlyMap<string, Life>, subscriptions: readonly Subscription[]): string[] {
  return subscriptions
    .filter(({ to }) => to === Number.POSITIVE_INFINITY)
    .flatMap(({ consumer, filter, told }) => {
      const shown = new Map<string, Told>();
      for (const one of told) {
        if (one.type === "disappeared") shown.delete(one.serviceId);
        else shown.set(one.serviceId, one);
      }
      const wrong: string[] = [];
      for (const [serviceId, life] of lives) {
        const latest = life.versions.at(-1)!.version;
        const wanted = life.end === undefined && filter.matches(life.key, latest) ? latest : undefined;
        const is = shown.get(serviceId)?.version;
        if (is !== wanted) wrong.push(`${consumer}: ${life.key} (${serviceId}) is shown as ${is}, must be ${wanted}`);
        shown.delete(serviceId);
      }
      for (const serviceId of shown.keys()) wrong.push(`${consumer}: ${serviceId} is shown, nobody published it`);
      return wrong;
    });
}
