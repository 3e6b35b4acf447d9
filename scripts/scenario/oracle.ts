/**
 * Judges what consumers were told, from what producers did and when which server was in trouble. The rules, which follow
 * from libpaf-client.md 5, 7 and 8 (times.ts computes the times):
 *
 * A server is *settled* for two hosts if it has had no trouble that concerns clients on them for RECOVERY: then every link of
 * theirs to it is up, and it has everything their producers publish. It is *heard* if in addition to no silence on the
 * network both clients have said for PROPAGATION that they are connected to it (hearing.ts): a client whose links are up has
 * no excuse, whatever else happens. A service is *wanted* by a subscription while it is published and its latest version
 * matches the filter.
 *
 * 1. held: a wanted service is told to have disappeared only if (a) no server that is settled, or was heard within the TTL
 *    and has been connected to the consumer since, holds it: a connected source with the latest generation does (7.1); and
 *    (b) some server may have been without the producer for the TTL and could tell the consumer (7.1), or no server was
 *    settled or heard within the TTL: the consumer gives it up no earlier than a TTL after it lost the last (7.3).
 *    held.ts says which TTL.
 * 2. shown: while a server is settled or heard, every wanted service is shown at the latest PROPAGATION after it was
 *    published (5.3, 6), and so is every change. So a disappearance that rule 1 allows ends RECOVERY after the trouble of the
 *    first server, or PROPAGATION after both have it back.
 * 3. gone (gone.ts): what is no longer wanted is not shown for longer than `lingers(TTL)` (longest it had; 7.3) plus the time that
 *    servers stood still meanwhile; PROPAGATION, if all servers were settled (plus the TTL, if the producer abandoned it).
 *    What the consumer heard to be withdrawn does not come back while the library must remember it (7.4).
 * 4. true: every announcement carries exactly the properties of a version that had been published and that matches.
 * 5. forward: the version never goes back within a subscription.
 * 6. order: appeared, then modified (with other properties than before) any number of times, then disappeared, and again;
 *    nothing after the subscription was cancelled.
 *
 * That consumers converge after the last fault follows from 2 and 3, if one waits for CONVERGENCE; `differences` tells
 * whether they have.
 */

import { propertiesOf, textOf } from "./contents.js";
import { checkRisen, goneBy } from "./gone.js";
import { type Hearing, pairOf } from "./hearing.js";
import { checkHeld } from "./held.js";
import { type Life, type Segment, type Subscription, segmentsOf, shownOf, type Told } from "./history.js";
import { firstWithin } from "./intervals.js";
import { PROPAGATION } from "./times.js";

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
  hearing: Hearing,
): Violation[] {
  const violations = subscriptions.flatMap((subscription) => {
    const told = byService(subscription.told);
    return [...new Set([...lives.keys(), ...told.keys()])].flatMap((serviceId) => {
      const life = lives.get(serviceId);
      const events = told.get(serviceId) ?? [];
      if (!life) {
        return [violation("true", events[0]!, subscription, "a service that nobody published")];
      }
      return judgeService(life, subscription, events, hearing);
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

function judgeService(life: Life, of: Subscription, told: readonly Told[], hearing: Hearing): Violation[] {
  const segments = segmentsOf(life, of.filter);
  const found: Violation[] = [];
  const complain = (rule: Rule, at: number, text: string) =>
    void found.push(violation(rule, { at, serviceId: life.serviceId }, of, text));
  checkStream(life, of, told, complain);
  checkHeld(life, of, told, segments, hearing, (at, text) => complain("held", at, text));
  checkRisen(life, of, told, hearing, (at, text) => complain("gone", at, text));
  checkState(life, of, told, segments, hearing, complain);
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

/** Rules 2 and 3. */
function checkState(
  life: Life,
  of: Subscription,
  told: readonly Told[],
  segments: readonly Segment[],
  hearing: Hearing,
  complain: Complain,
): void {
  const covered = hearing.covered(pairOf(life, of));
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
        const due = goneBy(life, of, segment, hearing);
        if (shown.to > due) complain("gone", Math.max(due, shown.from), `version ${shown.version} is still shown`);
      }
    }
  }
}

/** The first version of the segment that is newer than what is shown. */
const missing = (shown: number, segment: Segment) => segment.versions.find(({ version }) => version > shown);

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
