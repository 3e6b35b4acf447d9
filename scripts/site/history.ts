/** What devices and publishers did, what was in trouble, and what the clients on the boards were told of it. */

import { complement, type Interval } from "../scenario/intervals.js";
import { type Fault, type Part, SLEEP_SECONDS } from "./plan.js";
import { SLEEP_FACTOR } from "./times.js";

/** What a device (or the publisher of a service) did. */
export type Deed = {
  readonly at: number;
} /** It is there, with this version: announced, or published. Said again when it was away. */ & (
  | { readonly what: "live"; readonly version: number }
  | { readonly what: "asleep"; readonly seconds: number }
  | { readonly what: "died" | "left" }
);

/** A device or a service. */
export interface Thing {
  /** Its property `name`. */
  readonly key: string;
  /** The broker of a device; the board of a service. */
  readonly home: Part;
  readonly deeds: readonly Deed[];
}

export interface Told {
  readonly at: number;
  readonly type: "appeared" | "modified" | "disappeared";
  readonly serviceId: string;
  readonly key: string;
  /** Absent when it disappeared. */
  readonly version?: number;
  /** All properties but those of its way here, which differ from board to board. */
  readonly text?: string;
}

/** All that the client on a board was told. */
export interface View {
  readonly board: string;
  readonly told: readonly Told[];
}

/** From when to when something has to be shown, and in which versions. */
export interface Stay {
  readonly from: number;
  readonly to: number;
  /** Absent: it is still there. */
  readonly end?: "died" | "left" | "overslept";
  readonly versions: readonly { readonly at: number; readonly version: number }[];
}

export function staysOf({ deeds }: Thing): Stay[] {
  const stays: Stay[] = [];
  let open: { from: number; versions: { at: number; version: number }[]; asleepUntil: number } | undefined;
  const close = (to: number, end?: Stay["end"]) => {
    if (open) stays.push({ from: open.from, to, versions: open.versions, ...(end ? { end } : {}) });
    open = undefined;
  };
  for (const deed of deeds) {
    if (open && deed.at > open.asleepUntil) close(open.asleepUntil, "overslept");
    if (deed.what === "live") {
      open ??= { from: deed.at, versions: [], asleepUntil: Number.POSITIVE_INFINITY };
      open.asleepUntil = Number.POSITIVE_INFINITY;
      if (open.versions.at(-1)?.version !== deed.version) open.versions.push({ at: deed.at, version: deed.version });
    } else if (deed.what === "asleep") {
      if (open) open.asleepUntil = deed.at + deed.seconds * SLEEP_FACTOR * 1000;
    } else close(deed.at, deed.what);
  }
  if (open && open.asleepUntil < Number.POSITIVE_INFINITY) close(open.asleepUntil, "overslept");
  close(Number.POSITIVE_INFINITY);
  return stays;
}

/** Nothing that sleeps in the end is still shown after this. */
export const LONGEST_SLEEP = SLEEP_SECONDS.max * SLEEP_FACTOR * 1000;

export interface Shown {
  readonly from: number;
  readonly to: number;
  /** Absent: it is not shown. */
  readonly version?: number;
}

/** What a board shows of one thing when, from `from` on. */
export function shownOf(told: readonly Told[], from: number): Shown[] {
  const result: Shown[] = [];
  let current: { from: number; version?: number } = { from };
  for (const { at, version } of told) {
    result.push({ ...current, to: at });
    current = { from: at, ...(version === undefined ? {} : { version }) };
  }
  result.push({ ...current, to: Number.POSITIVE_INFINITY });
  return result;
}

export interface Trouble {
  readonly part: Part;
  readonly what: Fault["kind"];
  readonly from: number;
  /** When what it is was there again, and answered. */
  to: number;
}

/** When none of `parts` was in trouble, nor had been for its time. */
export function quiet(troubles: readonly Trouble[], after: Partial<Record<Part, number>>): readonly Interval[] {
  return complement(
    troubles.flatMap(({ part, from, to }) => {
      const ms = after[part];
      return ms === undefined ? [] : [{ from, to: to + ms }];
    }),
  );
}
