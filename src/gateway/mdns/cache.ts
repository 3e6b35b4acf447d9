/**
 * What was heard on one interface and is still valid: RFC 6762, sections 5.2 (refresh) and 10 (TTL, goodbye, cache flush,
 * failures that a user of a record reports, failures that are observed).
 *
 * Knows no socket and no timer: time comes in with each call, and `dueMs` says when `wake` should be called next.
 * Limits (see `CacheLimits`): a record beyond one of them is not stored, as if it had not been heard, and counted.
 */

import { isIPv6 } from "node:net";
import type { Random } from "../../core/clock.js";
import { Heap } from "../../core/heap.js";
import { type CachedRecord, endMs, RecordSet, TRUSTED } from "./cached-record.js";
import { nameKey } from "./names.js";
import { dataKey, type HeardRecord, type RecordType } from "./records.js";

export interface CacheLimits {
  /** Longer lives are cut to this. */
  readonly ttlSeconds: number;
  /** Records in all. When it is reached, records that nobody needs make room. */
  readonly records: number;
  /** Records first heard from one source address. */
  readonly recordsPerSource: number;
}

/** One message's or one wake's effect. `revived` was dying and has been stated again. */
export interface CacheChanges {
  readonly added: CachedRecord[];
  readonly removed: CachedRecord[];
  readonly revived: CachedRecord[];
}

/** Another host's question, as far as records that we hold might answer it. */
export interface ForeignQuestion {
  readonly type: string;
  readonly name: string;
  /** Of the question: a host that was heard over the other family alone may not have got it. */
  readonly isIPv6: boolean;
  /** Whether the asker told that it knows the record, so that nobody answers. */
  readonly isKnown: (record: CachedRecord) => boolean;
}

const GOODBYE_MS = 1000;
const FLUSH_AGE_MS = 1000;
const REFRESH_POINTS = [0.8, 0.85, 0.9, 0.95];
/** Each refresh is later than its point by up to this share of the life. */
const REFRESH_JITTER = 0.02;
const REFRESH_GAP_MS = 1000;
/**
 * Within that share the moment is taken from a grid, as coarse as the share allows (2 s for a life of 120 s, 64 s for
 * 4500 s): the refreshes of many records then share a wake-up and a message. The grid's phase is random, so that hosts
 * do not ask in step. Figures: `npm run bench -- mdns`.
 */
const COARSEST_GRID_MS = 64_000;
const FINEST_GRID_MS = 1000;
const DENIAL_GRID_MS = 2000;
/** Records of one name and type, except PTR: more addresses or TXTs than any host has. */
const SET_LIMIT = 32;
const MAKE_ROOM_GAP_MS = 1000;
/** RFC 6762, 10.4 and 10.5: asked twice (or heard others ask twice), and no answer within ten seconds. */
const DOUBT_MS = 10_000;
const DOUBT_QUESTIONS = 2;
/** A record that was multicast is not multicast again within this time (RFC 6762, 6): no answer is to be expected. */
const ANSWER_GAP_MS = 1000;
const ANSWER_TYPES: readonly RecordType[] = ["PTR", "SRV", "TXT", "A", "AAAA"];

export class RecordCache {
  /** By type and name; in each, by data. */
  private readonly sets = new Map<string, RecordSet>();
  private readonly dues = new Heap<CachedRecord>((a, b) => a.dueMs < b.dueMs);
  private readonly perSource = new Map<string, number>();
  private readonly phaseMs: number;
  private madeRoomMs = Number.NEGATIVE_INFINITY;
  size = 0;
  /** Records that were not stored because of a limit of one source or one set. */
  refusedOfOne = 0;
  /** Records that were not stored because the cache was full. */
  refusedFull = 0;

  /** `isNeeded`: whether somebody still uses the record; only then it is refreshed, and kept when room is short. */
  constructor(
    private readonly limits: CacheLimits,
    private readonly random: Random,
    private readonly isNeeded: (record: CachedRecord) => boolean,
  ) {
    this.phaseMs = random() * COARSEST_GRID_MS;
  }

  /** When to call `wake` next; infinity if nothing is stored. */
  get dueMs(): number {
    return this.dues.first?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  of(type: RecordType, name: string): readonly CachedRecord[] {
    const set = this.sets.get(setKey(type, name));
    return set ? [...set.values()] : [];
  }

  get(type: RecordType, name: string, data: string): CachedRecord | undefined {
    return this.sets.get(setKey(type, name))?.get(data);
  }

  has(type: RecordType, name: string): boolean {
    return this.sets.has(setKey(type, name));
  }

  /** Whether the name's owner has stated that it has no record of this type (RFC 6762, 6.1), and that still holds. */
  denies(type: RecordType, name: string): boolean {
    for (const { data, dying } of this.sets.get(setKey("NSEC", name))?.values() ?? []) {
      if (data.type === "NSEC" && !dying && !data.types.includes(type)) return true;
    }
    return false;
  }

  /** Takes in the records of one message. */
  hear(records: readonly HeardRecord[], source: string, nowMs: number): CacheChanges {
    const changes: CacheChanges = { added: [], removed: [], revived: [] };
    for (const record of records) this.hearOne(record, source, nowMs, changes);
    for (const record of records) {
      // PTR sets are shared: nobody owns the whole of one. A record of this message has just been heard. A goodbye
      // states no set: it ends what it names, whatever its flag. (avahi flags that of one address, and has others still.)
      if (!record.flush || record.ttlSeconds === 0 || record.data.type === "PTR") continue;
      const set = this.sets.get(setKey(record.data.type, record.name));
      for (const old of set?.values() ?? []) if (nowMs - old.heardMs > FLUSH_AGE_MS) this.kill(old, nowMs);
    }
    return changes;
  }

  private hearOne(record: HeardRecord, source: string, nowMs: number, changes: CacheChanges): void {
    const key = setKey(record.data.type, record.name);
    const data = dataKey(record.data);
    const set = this.sets.get(key);
    const present = set?.get(data);
    if (record.ttlSeconds === 0) {
      if (present) this.kill(present, nowMs);
      return;
    }
    const lifeMs = Math.min(record.ttlSeconds, this.limits.ttlSeconds) * 1000;
    if (present) {
      if (present.dying) changes.revived.push(present);
      Object.assign(present, { heardMs: nowMs, lifeMs, dying: false, refreshes: 0, ...TRUSTED });
      this.schedule(present);
      return;
    }
    if (!this.hasRoomFor(record.data.type, set, source, nowMs, changes)) return;
    const fresh: CachedRecord = {
      heapIndex: -1,
      name: record.name,
      data: record.data,
      source,
      firstHeardMs: nowMs,
      set: this.sets.get(key) ?? this.newSet(key), // making room may have removed it
      heardMs: nowMs,
      lifeMs,
      dying: false,
      refreshes: 0,
      dueMs: 0,
      ...TRUSTED,
    };
    fresh.set.set(data, fresh);
    this.size++;
    this.perSource.set(source, (this.perSource.get(source) ?? 0) + 1);
    this.schedule(fresh);
    changes.added.push(fresh);
  }

  private newSet(key: string): RecordSet {
    const set = new RecordSet(key);
    this.sets.set(key, set);
    return set;
  }

  private hasRoomFor(
    type: RecordType,
    set: RecordSet | undefined,
    source: string,
    nowMs: number,
    changes: CacheChanges,
  ): boolean {
    const isFull = () => this.size >= this.limits.records;
    const hasTooMany = () => (this.perSource.get(source) ?? 0) >= this.limits.recordsPerSource;
    if ((isFull() || hasTooMany()) && nowMs - this.madeRoomMs >= MAKE_ROOM_GAP_MS) {
      this.madeRoomMs = nowMs;
      for (const old of [...this.dues.values()]) {
        if (old.heardMs < nowMs && !this.isNeeded(old)) this.remove(old, changes.removed);
      }
    }
    if (isFull()) this.refusedFull++;
    else if (hasTooMany() || (type !== "PTR" && (set?.size ?? 0) >= SET_LIMIT)) this.refusedOfOne++;
    else return true;
    return false;
  }

  /** Removes what has expired; returns it, and the records that should be asked for again. */
  wake(nowMs: number): { readonly changes: CacheChanges; readonly refresh: CachedRecord[] } {
    const changes: CacheChanges = { added: [], removed: [], revived: [] };
    const refresh: CachedRecord[] = [];
    for (let record = this.dues.first; record && nowMs >= record.dueMs; record = this.dues.first) {
      if (nowMs >= endMs(record)) {
        this.remove(record, changes.removed);
        continue;
      }
      if (record.doubts > 0) record.doubts--;
      else record.refreshes++;
      if (this.isNeeded(record)) refresh.push(record);
      this.schedule(record, nowMs + REFRESH_GAP_MS);
    }
    return { changes, refresh };
  }

  /** Asks for the record twice, and drops it if it is not heard within ten seconds (RFC 6762, 10.4). */
  doubt(record: CachedRecord, nowMs: number): void {
    if (record.dying || record.doubts > 0) return;
    record.goneMs = Math.min(record.goneMs, nowMs + DOUBT_MS);
    record.doubts = DOUBT_QUESTIONS;
    this.schedule(record, nowMs);
  }

  /**
   * Another host asks what these records would answer. What leaves two such questions, a second or more apart, and the
   * ten seconds after them unanswered is dropped (RFC 6762, 10.5: passive observation of failures).
   */
  heardQuestion(question: ForeignQuestion, nowMs: number): void {
    for (const type of ANSWER_TYPES.filter((candidate) => question.type === candidate || question.type === "ANY")) {
      const set = this.sets.get(setKey(type, question.name));
      if (!set || nowMs - set.questionedMs < ANSWER_GAP_MS) continue;
      set.questionedMs = nowMs;
      for (const record of set.values()) {
        if (record.dying || nowMs - record.heardMs < ANSWER_GAP_MS) continue;
        if (isIPv6(record.source.split("%")[0]) !== question.isIPv6 || question.isKnown(record)) continue;
        if (++record.unanswered !== DOUBT_QUESTIONS) continue;
        record.goneMs = Math.min(record.goneMs, nowMs + DOUBT_MS);
        this.schedule(record, nowMs);
      }
    }
  }

  private kill(record: CachedRecord, nowMs: number): void {
    if (record.dying) return; // saying goodbye again does not prolong the life
    record.dying = true;
    // One second from now, unless it would have ended before.
    record.lifeMs = Math.min(record.heardMs + record.lifeMs, nowMs + GOODBYE_MS) - record.heardMs;
    this.schedule(record);
  }

  /** Sets `dueMs` to the next question that is not before `notBeforeMs`, or else to the end of the record's life. */
  private schedule(record: CachedRecord, notBeforeMs = Number.NEGATIVE_INFINITY): void {
    const end = endMs(record);
    // Denials are not asked for again; that each ends to the millisecond is not worth a wake-up.
    record.dueMs = record.data.type === "NSEC" ? this.onGrid(end, DENIAL_GRID_MS) : end;
    if (record.data.type === "NSEC") record.refreshes = REFRESH_POINTS.length;
    if (!record.dying && record.doubts > 0) record.dueMs = Math.min(end, notBeforeMs);
    else if (!record.dying) {
      for (; record.refreshes < REFRESH_POINTS.length; record.refreshes++) {
        const atMs = this.refreshMs(record, REFRESH_POINTS[record.refreshes]);
        if (atMs < notBeforeMs) continue;
        record.dueMs = Math.min(end, atMs);
        break;
      }
    }
    this.dues.put(record);
  }

  /** A moment after the point, on the grid if the life is long enough for one. */
  private refreshMs({ heardMs, lifeMs }: CachedRecord, point: number): number {
    const atMs = heardMs + lifeMs * point;
    const jitterMs = lifeMs * REFRESH_JITTER;
    if (jitterMs < FINEST_GRID_MS) return atMs + this.random() * jitterMs;
    return this.onGrid(atMs, Math.min(COARSEST_GRID_MS, 1000 * 2 ** Math.floor(Math.log2(jitterMs / 1000))));
  }

  private onGrid(atMs: number, gridMs: number): number {
    return Math.ceil((atMs - this.phaseMs) / gridMs) * gridMs + this.phaseMs;
  }

  private remove(record: CachedRecord, removed: CachedRecord[]): void {
    const { set, source } = record;
    this.dues.remove(record);
    set.delete(dataKey(record.data));
    if (set.size === 0) this.sets.delete(set.key);
    this.size--;
    removed.push(record);
    const left = this.perSource.get(source)! - 1;
    if (left > 0) this.perSource.set(source, left);
    else this.perSource.delete(source);
  }
}

function setKey(type: string, name: string): string {
  return `${type} ${nameKey(name)}`;
}
