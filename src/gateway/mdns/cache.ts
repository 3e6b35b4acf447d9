/**
 * What was heard on one interface and is still valid: RFC 6762, sections 5.2 (refresh), 10 (TTL, goodbye, cache flush).
 *
 * Knows no socket and no timer: time comes in with each call, and `dueMs` says when `wake` should be called next.
 * Limits (see `CacheLimits`): a record beyond one of them is not stored, as if it had not been heard, and counted.
 */

import type { Random } from "../../core/clock.js";
import { nameKey } from "./names.js";
import { dataKey, type HeardRecord, type RecordData, type RecordType } from "./records.js";

export interface CacheLimits {
  /** Longer lives are cut to this. */
  readonly ttlSeconds: number;
  /** Records in all. When it is reached, records that nobody needs make room. */
  readonly records: number;
  /** Records first heard from one source address. */
  readonly recordsPerSource: number;
}

export interface CachedRecord {
  /** As it was first heard; case may differ from how others spell it. */
  readonly name: string;
  readonly data: RecordData;
  /** Source address of the packet that brought it first. */
  readonly source: string;
  readonly firstHeardMs: number;
  heardMs: number;
  /** Its whole life, from `heardMs`. */
  lifeMs: number;
  /** After a goodbye or a cache flush: it has one second left, and is not refreshed. */
  dying: boolean;
  /** Refresh points already passed (80, 85, 90, 95 % of its life), and when the next thing happens. */
  refreshes: number;
  dueMs: number;
}

/** One message's or one wake's effect. `revived` was dying and has been stated again. */
export interface CacheChanges {
  readonly added: CachedRecord[];
  readonly removed: CachedRecord[];
  readonly revived: CachedRecord[];
}

const GOODBYE_MS = 1000;
const FLUSH_AGE_MS = 1000;
const REFRESH_POINTS = [0.8, 0.85, 0.9, 0.95];
const REFRESH_JITTER = 0.02;
const REFRESH_GAP_MS = 1000;
/**
 * Refreshes of lives that are not short happen on whole seconds, up to a second late: those of many records then share
 * a wake-up and a message. 200 answering instances: 3.9 wake-ups and 3.0 messages a second become 1.0 and 1.0.
 */
const REFRESH_GRID_MS = 1000;
const REFRESH_GRID_LEAST_LIFE_MS = 60_000;
/** Records of one name and type, except PTR: more addresses or TXTs than any host has. */
const SET_LIMIT = 32;
const MAKE_ROOM_GAP_MS = 1000;

export class RecordCache {
  /** By type and name; in each, by data. */
  private readonly sets = new Map<string, Map<string, CachedRecord>>();
  private readonly perSource = new Map<string, number>();
  private madeRoomMs = Number.NEGATIVE_INFINITY;
  private due = Number.POSITIVE_INFINITY;
  size = 0;
  /** Records that were not stored because of a limit. */
  refused = 0;

  /** `isNeeded`: whether somebody still uses the record; only then it is refreshed, and kept when room is short. */
  constructor(
    private readonly limits: CacheLimits,
    private readonly random: Random,
    private readonly isNeeded: (record: CachedRecord) => boolean,
  ) {}

  /** When to call `wake` next; never later than the first thing that happens. */
  get dueMs(): number {
    return this.due;
  }

  of(type: RecordType, name: string): readonly CachedRecord[] {
    const set = this.sets.get(setKey(type, name));
    return set ? [...set.values()] : [];
  }

  has(type: RecordType, name: string): boolean {
    return this.sets.has(setKey(type, name));
  }

  /** Takes in the records of one message. */
  hear(records: readonly HeardRecord[], source: string, nowMs: number): CacheChanges {
    const changes: CacheChanges = { added: [], removed: [], revived: [] };
    for (const record of records) this.hearOne(record, source, nowMs, changes);
    for (const record of records) {
      // PTR sets are shared: nobody owns the whole of one. A record of this message has just been heard.
      if (!record.flush || record.data.type === "PTR") continue;
      const set = this.sets.get(setKey(record.data.type, record.name));
      for (const old of set?.values() ?? []) if (nowMs - old.heardMs > FLUSH_AGE_MS) this.kill(old, nowMs);
    }
    return changes;
  }

  private hearOne(record: HeardRecord, source: string, nowMs: number, changes: CacheChanges): void {
    const key = setKey(record.data.type, record.name);
    const present = this.sets.get(key)?.get(dataKey(record.data));
    if (record.ttlSeconds === 0) {
      if (present) this.kill(present, nowMs);
      return;
    }
    const lifeMs = Math.min(record.ttlSeconds, this.limits.ttlSeconds) * 1000;
    if (present) {
      if (present.dying) changes.revived.push(present);
      Object.assign(present, { heardMs: nowMs, lifeMs, dying: false, refreshes: 0 });
      this.schedule(present);
      return;
    }
    const fresh: CachedRecord = {
      name: record.name,
      data: record.data,
      source,
      firstHeardMs: nowMs,
      heardMs: nowMs,
      lifeMs,
      dying: false,
      refreshes: 0,
      dueMs: 0,
    };
    if (!this.hasRoomFor(fresh, key, nowMs, changes)) {
      this.refused++;
      return;
    }
    let set = this.sets.get(key);
    if (!set) this.sets.set(key, (set = new Map()));
    set.set(dataKey(record.data), fresh);
    this.size++;
    this.perSource.set(source, (this.perSource.get(source) ?? 0) + 1);
    this.schedule(fresh);
    changes.added.push(fresh);
  }

  private hasRoomFor(record: CachedRecord, key: string, nowMs: number, changes: CacheChanges): boolean {
    if (record.data.type !== "PTR" && (this.sets.get(key)?.size ?? 0) >= SET_LIMIT) return false;
    const isFull = () =>
      this.size >= this.limits.records || (this.perSource.get(record.source) ?? 0) >= this.limits.recordsPerSource;
    if (isFull() && nowMs - this.madeRoomMs >= MAKE_ROOM_GAP_MS) {
      this.madeRoomMs = nowMs;
      this.removeWhere((old) => old.heardMs < nowMs && !this.isNeeded(old), changes.removed);
    }
    return !isFull();
  }

  /** Removes what has expired; returns it, and the records that should be asked for again. */
  wake(nowMs: number): { readonly changes: CacheChanges; readonly refresh: CachedRecord[] } {
    const changes: CacheChanges = { added: [], removed: [], revived: [] };
    const refresh: CachedRecord[] = [];
    if (nowMs < this.due) return { changes, refresh };
    this.removeWhere((record) => nowMs >= record.heardMs + record.lifeMs, changes.removed);
    this.due = Number.POSITIVE_INFINITY;
    for (const set of this.sets.values()) {
      for (const record of set.values()) {
        if (nowMs >= record.dueMs) {
          record.refreshes++;
          if (this.isNeeded(record)) refresh.push(record);
          this.schedule(record, nowMs + REFRESH_GAP_MS);
        } else this.due = Math.min(this.due, record.dueMs);
      }
    }
    return { changes, refresh };
  }

  private kill(record: CachedRecord, nowMs: number): void {
    if (record.dying) return; // saying goodbye again does not prolong the life
    record.dying = true;
    // One second from now, unless it would have ended before.
    record.lifeMs = Math.min(record.heardMs + record.lifeMs, nowMs + GOODBYE_MS) - record.heardMs;
    this.schedule(record);
  }

  /** Sets `dueMs` to the next refresh point that is not before `notBeforeMs`, or else to the end of the record's life. */
  private schedule(record: CachedRecord, notBeforeMs = Number.NEGATIVE_INFINITY): void {
    record.dueMs = record.heardMs + record.lifeMs;
    for (; !record.dying && record.refreshes < REFRESH_POINTS.length; record.refreshes++) {
      const share = REFRESH_POINTS[record.refreshes] + this.random() * REFRESH_JITTER;
      const atMs = aligned(record.heardMs + record.lifeMs * share, record.lifeMs);
      if (atMs < notBeforeMs) continue;
      record.dueMs = atMs;
      break;
    }
    this.due = Math.min(this.due, record.dueMs);
  }

  private removeWhere(condition: (record: CachedRecord) => boolean, removed: CachedRecord[]): void {
    for (const [key, set] of this.sets) {
      for (const [data, record] of set) {
        if (!condition(record)) continue;
        set.delete(data);
        this.size--;
        removed.push(record);
        const left = this.perSource.get(record.source)! - 1;
        if (left > 0) this.perSource.set(record.source, left);
        else this.perSource.delete(record.source);
      }
      if (set.size === 0) this.sets.delete(key);
    }
  }
}

/** See `REFRESH_GRID_MS`. */
function aligned(atMs: number, lifeMs: number): number {
  return lifeMs < REFRESH_GRID_LEAST_LIFE_MS ? atMs : Math.ceil(atMs / REFRESH_GRID_MS) * REFRESH_GRID_MS;
}

function setKey(type: RecordType, name: string): string {
  return `${type} ${nameKey(name)}`;
}
