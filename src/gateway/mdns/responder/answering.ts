/**
 * The answers of one link: which records each asker gets, by multicast or alone, and when (RFC 6762, 5.4, 6 and 7). What
 * is ours the zone tells. Pure: answers go out through `send`, when `flush` is called at `nextMs`.
 */

import type { Random } from "../../../core/clock.js";
import { MDNS_PORT, type Peer } from "../link.js";
import type { OutgoingMessage } from "../messages.js";
import type { DecodedMessage } from "../records.js";
import { IncomingQueries, type IncomingQuery } from "./incoming-queries.js";
import type { OwnRecord } from "./own-records.js";
import { outgoing, replies } from "./packing.js";
import { Replies, type UnicastReply } from "./replies.js";
import type { Zone } from "./zone.js";

export interface AnsweringOptions {
  readonly random: Random;
  readonly send: (message: OutgoingMessage, to?: Peer) => void;
  /** What is ours now. */
  readonly zone: () => Zone;
}

const SHARED_DELAY_MS = { least: 20, most: 120 } as const;
const LEGACY_TTL_SECONDS = 10;
/** Questions that a legacy answer repeats; a plain resolver asks one. */
const LEGACY_QUESTIONS_LIMIT = 8;

export class Answering {
  /** Answers to single peers not given, because too many waited. */
  refused = 0;
  private readonly queries: IncomingQueries;
  private readonly replies = new Replies();

  constructor(private readonly options: AnsweringOptions) {
    this.queries = new IncomingQueries(options.random);
  }

  get nextMs(): number {
    return Math.min(this.queries.nextMs, this.replies.nextMs);
  }

  query(message: DecodedMessage, from: Peer, nowMs: number): void {
    const query = this.queries.take(message, from, nowMs);
    if (query) this.answer(query, nowMs);
  }

  /** Somebody else stated this record of ours: no need to say it now, unless they let it end (RFC 6762, 6.6, 7.4). */
  heard(ours: OwnRecord, ttlSeconds: number, nowMs: number): void {
    if (ttlSeconds >= ours.ttlSeconds) this.replies.drop(ours.key);
    else if (ttlSeconds < ours.ttlSeconds / 2) this.replies.multicast([ours], nowMs + this.sharedDelay());
  }

  /** These went out by multicast on other grounds. */
  announced(records: readonly OwnRecord[], nowMs: number): void {
    this.replies.sent(records, nowMs);
  }

  /** Nothing of these is to be said any more. */
  forget(records: readonly OwnRecord[]): void {
    this.replies.forget(records);
  }

  /** Sends what is due. */
  flush(nowMs: number): void {
    for (const query of this.queries.due(nowMs)) this.answer(query, nowMs);
    const zone = this.options.zone();
    const answers = this.replies.takeMulticast(nowMs);
    for (const { message, records } of replies(answers, (answer) => zone.additionals(answer))) {
      this.options.send(message);
      this.replies.sent(records, nowMs);
    }
    for (const reply of this.replies.takeUnicast(nowMs)) this.sendUnicast(reply);
  }

  private answer({ questions, known, from, id, isProbe, isLate }: IncomingQuery, nowMs: number): void {
    const isLegacy = from.port !== MDNS_PORT;
    const multicast = new Map<string, OwnRecord>();
    const unicast = new Map<string, OwnRecord>();
    for (const question of questions) {
      for (const record of this.options.zone().answers(question)) {
        if ((known.get(record.key) ?? 0) >= record.ttlSeconds / 2) continue;
        const toPeer = isLegacy || (question.qu === true && this.replies.isFresh(record, nowMs));
        (toPeer ? unicast : multicast).set(record.key, record);
      }
    }
    // Only what others may answer, too, waits: so that not all speak at once.
    const isShared = [...multicast.values(), ...unicast.values()].some(({ isUnique }) => !isUnique);
    const dueMs = nowMs + (isShared && !isLate ? this.sharedDelay() : 0);
    this.replies.multicast([...multicast.values()], dueMs, isProbe);
    if (unicast.size === 0) return;
    const legacy = isLegacy ? { id, questions } : undefined;
    if (!this.replies.toPeer({ dueMs, to: from, answers: [...unicast.values()], legacy })) this.refused++;
  }

  private sendUnicast({ to, answers, legacy }: UnicastReply): void {
    const { send, zone } = this.options;
    if (!legacy) {
      for (const { message } of replies(answers, (answer) => zone().additionals(answer))) send(message, to);
      return;
    }
    const short = (record: OwnRecord) => ({
      ...outgoing(record),
      ttl: Math.min(record.ttlSeconds, LEGACY_TTL_SECONDS),
      flush: false,
    });
    // A plain resolver reads one message; the TC bit tells it that there is more.
    const [first, ...others] = replies(answers, () => []);
    const repeated = legacy.questions.slice(0, LEGACY_QUESTIONS_LIMIT);
    const questions = repeated.map(({ name, type, class: of }) => ({ name, type, class: of }));
    const truncated = others.length > 0;
    send(
      { type: "response", isLegacy: true, id: legacy.id, truncated, questions, answers: first.records.map(short) },
      to,
    );
  }

  private sharedDelay(): number {
    return SHARED_DELAY_MS.least + this.options.random() * (SHARED_DELAY_MS.most - SHARED_DELAY_MS.least);
  }
}
