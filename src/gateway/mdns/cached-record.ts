/** What the cache knows of one record. */

import type { HeapItem } from "../../core/heap.js";
import type { RecordData } from "./records.js";

export interface CachedRecord extends HeapItem {
  /** As it was first heard; case may differ from how others spell it. */
  readonly name: string;
  readonly data: RecordData;
  /** Source address of the packet that brought it first. */
  readonly source: string;
  readonly firstHeardMs: number;
  readonly set: RecordSet;
  heardMs: number;
  /** Its whole life, from `heardMs`. */
  lifeMs: number;
  /** After a goodbye or a cache flush: it has one second left, and is not refreshed. */
  dying: boolean;
  /** Refresh points already passed (80, 85, 90, 95 % of its life), and when the next thing happens. */
  refreshes: number;
  dueMs: number;
  /** In doubt: gone at this time, whatever its TTL says, unless it is heard before. Else infinity. */
  goneMs: number;
  /** Questions still to be asked because of a doubt. */
  doubts: number;
  /** Others' questions that it would have answered and has not. */
  unanswered: number;
}

/** All records of one name and type, by data. */
export class RecordSet extends Map<string, CachedRecord> {
  /** When another host asked for it and that was counted. */
  questionedMs = Number.NEGATIVE_INFINITY;

  constructor(readonly key: string) {
    super();
  }
}

/** Of a record that has just been heard. */
export const TRUSTED = { goneMs: Number.POSITIVE_INFINITY, doubts: 0, unanswered: 0 };

export function endMs({ heardMs, lifeMs, goneMs }: CachedRecord): number {
  return Math.min(heardMs + lifeMs, goneMs);
}
