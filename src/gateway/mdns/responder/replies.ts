/**
 * Answers that wait for their time: joined, delayed, not sent twice within a second, and dropped if somebody else gave
 * them meanwhile (RFC 6762, 6 and 7.4). Pure.
 */

import type { Peer } from "../link.js";
import type { OutgoingQuestion } from "../messages.js";
import type { OwnRecord } from "./own-records.js";

/** The same record by multicast, and when defending a name against a probe. */
const GAP_MS = { normal: 1000, defence: 250 } as const;
/** Replies to single peers that wait; further ones are not given. */
const UNICAST_LIMIT = 64;
/** Records of which it is known when they were sent; of the others it is as if they never were. */
const SENT_LIMIT = 16_384;

export interface UnicastReply {
  readonly dueMs: number;
  readonly to: Peer;
  readonly answers: readonly OwnRecord[];
  /** To a plain resolver (RFC 6762, 6.7). */
  readonly legacy?: { readonly id: number; readonly questions: readonly OutgoingQuestion[] } | undefined;
}

export class Replies {
  private readonly waiting = new Map<string, { readonly record: OwnRecord; dueMs: number }>();
  private readonly unicast: UnicastReply[] = [];
  /** When each record was multicast last, by its key. */
  private readonly sentMs = new Map<string, number>();

  get nextMs(): number {
    let atMs = Number.POSITIVE_INFINITY;
    for (const { dueMs } of this.waiting.values()) atMs = Math.min(atMs, dueMs);
    for (const { dueMs } of this.unicast) atMs = Math.min(atMs, dueMs);
    return atMs;
  }

  /** A record that was sent a moment ago waits until it may be sent again. */
  multicast(records: readonly OwnRecord[], dueMs: number, isDefence = false): void {
    const gapMs = isDefence ? GAP_MS.defence : GAP_MS.normal;
    for (const record of records) {
      const allowedMs = (this.sentMs.get(record.key) ?? Number.NEGATIVE_INFINITY) + gapMs;
      const atMs = Math.max(dueMs, allowedMs);
      const present = this.waiting.get(record.key);
      if (present) present.dueMs = Math.min(present.dueMs, atMs);
      else this.waiting.set(record.key, { record, dueMs: atMs });
    }
  }

  /** False: too many wait. */
  toPeer(reply: UnicastReply): boolean {
    if (this.unicast.length >= UNICAST_LIMIT) return false;
    this.unicast.push(reply);
    return true;
  }

  /** Whether the record was multicast within the last quarter of its life, so that the others know it. */
  isFresh({ key, ttlSeconds }: OwnRecord, nowMs: number): boolean {
    const sentMs = this.sentMs.get(key);
    return sentMs !== undefined && nowMs - sentMs < (ttlSeconds * 1000) / 4;
  }

  /** Somebody else just gave this answer: ours is not needed. */
  drop(key: string): void {
    this.waiting.delete(key);
  }

  /** Notes what went out by multicast; it need not be sent again soon. */
  sent(records: readonly OwnRecord[], nowMs: number): void {
    for (const { key } of records) {
      this.sentMs.delete(key);
      this.sentMs.set(key, nowMs);
      if (this.sentMs.size > SENT_LIMIT) this.sentMs.delete(this.sentMs.keys().next().value as string);
      this.waiting.delete(key);
    }
  }

  /** Nothing of these is to be said any more. */
  forget(records: readonly OwnRecord[]): void {
    for (const { key } of records) {
      this.sentMs.delete(key);
      this.waiting.delete(key);
    }
  }

  /** What is to be sent by multicast now. What is due a little later comes along if the second is over. */
  takeMulticast(nowMs: number): OwnRecord[] {
    const all = [...this.waiting.values()];
    if (!all.some(({ dueMs }) => dueMs <= nowMs)) return [];
    const mayGo = ({ record, dueMs }: { record: OwnRecord; dueMs: number }) =>
      dueMs <= nowMs || nowMs - (this.sentMs.get(record.key) ?? Number.NEGATIVE_INFINITY) >= GAP_MS.normal;
    const taken = all.filter(mayGo).map(({ record }) => record);
    for (const { key } of taken) this.waiting.delete(key);
    return taken;
  }

  takeUnicast(nowMs: number): UnicastReply[] {
    const taken = this.unicast.filter(({ dueMs }) => dueMs <= nowMs);
    if (taken.length > 0) this.unicast.splice(0, Infinity, ...this.unicast.filter(({ dueMs }) => dueMs > nowMs));
    return taken;
  }
}
