/**
 * Judges what the clients on the boards were told, from what devices and publishers did and what was in trouble. A thing is
 * a device or a service; its stay is from its announcement until it leaves, dies, or sleeps for longer than it said. The
 * rules (times.ts has the bounds and where they come from):
 *
 * 1. held: while no broker is or was in trouble for BROKER_UNREST, a thing that stays does not disappear, whatever happens to
 *    boards: who publishes it changes without a gap (D.7, D.8 "gateway restart: no flap").
 * 2. shown: a thing that stays is missing on no board for longer than PROPAGATION; except while that board, its home or a
 *    broker is in trouble, and for BOARD_RECOVERY or BROKER_RECOVERY after; and a device that comes while its owner may have
 *    just died, or be frozen and nobody has noticed (OWNER_LOST). The same for its latest version; trouble of any board excuses
 *    there.
 * 3. gone: what has ended is not shown after GONE (grace, sleep), if nothing was in trouble meanwhile; else BOARD_LINGER and
 *    BROKER_LINGER after the last trouble.
 * 4. true: what is shown is a version that had been announced; and always with one id.
 *
 * The bridge is as a broker in all of this. In the end: all boards show the same, and it is right (`differences`); run.ts
 * checks what the brokers keep, and that they are idle.
 */

import { firstWithin, intersection } from "../scenario/intervals.js";
import {
  quiet,
  type Shown,
  type Stay,
  shownOf,
  staysOf,
  type Thing,
  type Told,
  type Trouble,
  type View,
} from "./history.js";
import { BOARDS, BRIDGE, BROKERS, type Part } from "./plan.js";
import {
  BOARD_LINGER,
  BOARD_RECOVERY,
  BROKER_LINGER,
  BROKER_RECOVERY,
  BROKER_UNREST,
  GONE,
  OWNER_LOST,
  PROPAGATION,
  REVIVED,
} from "./times.js";

export type Rule = "held" | "shown" | "gone" | "true";

export interface Violation {
  readonly rule: Rule;
  readonly at: number;
  readonly board: string;
  readonly key: string;
  readonly text: string;
}

const each = (parts: readonly Part[], ms: number) => Object.fromEntries(parts.map((part) => [part, ms]));
/** Without the bridge, brokers are as good as away. */
const LIKE_BROKERS: readonly Part[] = [...BROKERS, BRIDGE];
const isBroker = (part: Part): boolean => LIKE_BROKERS.includes(part);

/** All violations, in the order of time. `from`: when all boards were up and all clients attached; `to`: when they left. */
export function judge(
  things: readonly Thing[],
  views: readonly View[],
  troubles: readonly Trouble[],
  from: number,
  to: number,
): Violation[] {
  const found: Violation[] = [];
  for (const { board, told } of views) {
    for (const one of told) {
      if (!things.some(({ key }) => key === one.key)) {
        found.push({ rule: "true", at: one.at, board, key: one.key, text: "nobody announced it" });
      }
    }
    for (const thing of things) {
      const complain = (rule: Rule, at: number, text: string) => {
        if (at < to) found.push({ rule, at, board, key: thing.key, text });
      };
      const mine = told.filter(({ key }) => key === thing.key);
      const stays = staysOf(thing);
      checkTrue(thing, mine, complain);
      checkHeld(mine, stays, troubles, complain);
      checkShown(thing, board as Part, shownOf(mine, from), stays, troubles, complain);
      checkGone(shownOf(mine, from), stays, troubles, complain);
    }
  }
  return found.sort((a, b) => a.at - b.at);
}

type Complain = (rule: Rule, at: number, text: string) => void;

function checkTrue({ deeds }: Thing, told: readonly Told[], complain: Complain): void {
  for (const { at, version, serviceId } of told) {
    if (serviceId !== told[0]!.serviceId) complain("true", at, `it has the id ${serviceId} now`);
    if (version === undefined) continue;
    if (!deeds.some((deed) => deed.what === "live" && deed.version === version && deed.at <= at)) {
      complain("true", at, `shown with version ${version}, which was not announced`);
    }
  }
}

function checkHeld(
  told: readonly Told[],
  stays: readonly Stay[],
  troubles: readonly Trouble[],
  complain: Complain,
): void {
  const calm = quiet(troubles, each(LIKE_BROKERS, BROKER_UNREST));
  for (const { at, type } of told) {
    if (type !== "disappeared" || firstWithin(calm, at, at + 1) === undefined) continue;
    if (stays.some((stay) => stay.from + REVIVED < at && at < stay.to)) {
      complain("held", at, "disappeared although it is there, and both brokers are");
    }
  }
}

function checkShown(
  { home }: Thing,
  board: Part,
  shown: readonly Shown[],
  stays: readonly Stay[],
  troubles: readonly Trouble[],
  complain: Complain,
): void {
  const brokers = each(LIKE_BROKERS, BROKER_RECOVERY);
  const path = isBroker(home) ? [board] : [board, home];
  const owned = isBroker(home)
    ? troubles.filter(({ part }) => !isBroker(part) && part !== board).map(untilNoticed)
    : [];
  const there = quiet(troubles, { ...brokers, ...each(path, BOARD_RECOVERY) });
  const newlyThere = intersection(there, quiet(owned, each(BOARDS, OWNER_LOST.takeover)));
  const current = quiet(troubles, { ...brokers, ...each(BOARDS, BOARD_RECOVERY) });
  for (const stay of stays) {
    for (const { from, to, version } of shown) {
      // The first version that should be there and is not.
      const late = stay.versions.find((one) => one.version > (version ?? -1));
      if (!late) continue;
      const isComing = from <= stay.from;
      const when = version !== undefined ? current : isComing ? newlyThere : there;
      const at = firstWithin(when, Math.max(from, late.at) + PROPAGATION, Math.min(to, stay.to));
      if (at === undefined) continue;
      const what = version === undefined ? "nothing" : `version ${version}`;
      complain("shown", at, `shows ${what}, where version ${late.version} must be`);
    }
  }
}

/** Any board may be the owner of a device that comes. That one has died is noticed at once, unless it is back by then. */
function untilNoticed(trouble: Trouble): Trouble {
  const { what, from, to } = trouble;
  if (what === "freeze") return { ...trouble, to: Math.min(to, from + OWNER_LOST.noticed) };
  return { ...trouble, to: to - from < OWNER_LOST.takeover ? to : from };
}

function checkGone(
  shown: readonly Shown[],
  stays: readonly Stay[],
  troubles: readonly Trouble[],
  complain: Complain,
): void {
  for (const [i, { end, to }] of stays.entries()) {
    if (!end) continue;
    const next = stays[i + 1]?.from ?? Number.POSITIVE_INFINITY;
    const due = goneBy(to, end, troubles);
    for (const { from, to: until, version } of shown) {
      const at = Math.max(from, due);
      if (version === undefined || at >= Math.min(until, next)) continue;
      complain("gone", at, `version ${version} is shown, but it ${end} ${Math.round((at - to) / 1000)} s ago`);
    }
  }
}

/** When what ended at `at` must be gone: a trouble before that moment puts it off. */
function goneBy(at: number, end: NonNullable<Stay["end"]>, troubles: readonly Trouble[]): number {
  let due = at + GONE[end];
  for (const { part, from, to } of [...troubles].sort((a, b) => a.from - b.from)) {
    const [unrest, linger] = isBroker(part) ? [BROKER_UNREST, BROKER_LINGER] : [BOARD_RECOVERY, BOARD_LINGER];
    // What was over long before it ended has no part in it.
    if (from < due && to + unrest > at) due = Math.max(due, to + linger);
  }
  return due;
}

/** In what boards differ from what there is now, and from each other; empty if all agree. `worlds`: who hears of whom. */
export function differences(
  things: readonly Thing[],
  views: readonly View[],
  at: number,
  worlds: readonly (readonly Part[])[] = [[...BOARDS, ...BROKERS]],
): string[] {
  const wrong: string[] = [];
  const texts = new Map<string, string>();
  for (const { board, told } of views) {
    const world = worlds.find((parts) => parts.includes(board as Part));
    if (!world) continue;
    const shown = shownNow(told);
    for (const thing of things) {
      const stay = staysOf(thing).at(-1);
      const isThere = stay && stay.to > at && world.includes(thing.home);
      const wanted = isThere ? stay.versions.at(-1)?.version : undefined;
      const is = shown.get(thing.key);
      if (is?.version !== wanted) wrong.push(`${board}: ${thing.key} is shown as ${is?.version}, must be ${wanted}`);
      if (!is?.text) continue;
      const text = texts.get(thing.key);
      if (text !== undefined && text !== is.text) wrong.push(`${board}: ${thing.key} is ${is.text}, elsewhere ${text}`);
      texts.set(thing.key, is.text);
    }
  }
  return wrong;
}

/** What boards show although it is lost to them; devices where the own broker answers at least. */
export function stillShown(
  things: readonly Thing[],
  views: readonly View[],
  worlds: readonly (readonly Part[])[],
): string[] {
  return views.flatMap(({ board, told }) => {
    const world = worlds.find((parts) => parts.includes(board as Part));
    if (!world) return [];
    const shown = shownNow(told);
    return things
      .filter(({ home, key }) => !world.includes(home) && shown.has(key) && (!isBroker(home) || world.some(isBroker)))
      .map(({ key, home }) => `${board}: ${key} of ${home} is still shown`);
  });
}

/** Services that disappeared from boards which could hear of them all the time. */
export function takenAway(
  things: readonly Thing[],
  views: readonly View[],
  worlds: readonly (readonly Part[])[],
  from: number,
): string[] {
  return views.flatMap(({ board, told }) => {
    const world = worlds.find((parts) => parts.includes(board as Part));
    const gone = told.filter(({ at, type }) => type === "disappeared" && at >= from);
    return things
      .filter(({ home, key }) => world?.includes(home) && !isBroker(home) && gone.some((one) => one.key === key))
      .map(({ key, home }) => `${board}: ${key} of ${home} has disappeared`);
  });
}

function shownNow(told: readonly Told[]): Map<string, Told> {
  const shown = new Map<string, Told>();
  for (const one of told) {
    if (one.type === "disappeared") shown.delete(one.key);
    else shown.set(one.key, one);
  }
  return shown;
}
