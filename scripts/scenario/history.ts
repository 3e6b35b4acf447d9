/** What was done in a scenario, and what consumers were told: the evidence that the oracle judges. */

import type { Filter } from "./contents.js";

export interface Version {
  readonly version: number;
  readonly ttlSeconds: number;
  readonly at: number;
}

export interface Life {
  readonly key: string;
  readonly serviceId: string;
  readonly producer: string;
  /** Of the producer. */
  readonly host: string;
  readonly versions: Version[];
  end?: { readonly at: number; readonly how: "withdrawn" | "abandoned" };
}

/** What one subscription was told of one service. */
export interface Told {
  readonly at: number;
  readonly type: "appeared" | "modified" | "disappeared";
  readonly serviceId: string;
  /** As textOf (contents.ts) has it; absent with `disappeared`. */
  readonly text?: string;
  readonly version?: number;
}

export interface Subscription {
  /** With the number of the subscription. */
  readonly consumer: string;
  /** As its links are reported. */
  readonly client: string;
  readonly host: string;
  readonly filter: Filter;
  readonly from: number;
  to: number;
  readonly told: Told[];
}

/** A stretch of time in which a service matched a filter. */
export interface Segment {
  readonly from: number;
  /** `Infinity` while it lasts. */
  readonly to: number;
  readonly ended: "withdrawn" | "abandoned" | "unmatched" | undefined;
  readonly versions: readonly Version[];
}

export function segmentsOf(life: Life, filter: Filter): Segment[] {
  const segments: Segment[] = [];
  let versions: Version[] = [];
  const close = (to: number, ended: Segment["ended"]) => {
    if (versions.length > 0) segments.push({ from: versions[0]!.at, to, ended, versions });
    versions = [];
  };
  for (const one of life.versions) {
    if (filter.matches(life.key, one.version)) versions.push(one);
    else close(one.at, "unmatched");
  }
  close(life.end?.at ?? Number.POSITIVE_INFINITY, life.end?.how);
  return segments;
}

/** What a subscription shows for one service: from `from` until `to`, `version` or nothing. */
export interface Shown {
  readonly from: number;
  readonly to: number;
  readonly version: number | undefined;
}

export function shownOf(told: readonly Told[], { from, to }: { from: number; to: number }): Shown[] {
  const shown: Shown[] = [];
  let since = from;
  let version: number | undefined;
  for (const one of told) {
    shown.push({ from: since, to: one.at, version });
    since = one.at;
    version = one.type === "disappeared" ? undefined : one.version;
  }
  shown.push({ from: since, to, version });
  return shown;
}
