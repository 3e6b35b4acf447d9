/**
 * Queries as a responder takes them: with all the answers that the asker knows, of which those that did not fit follow
 * in further packets within half a second (RFC 6762, 7.2). Pure.
 */

import type { Random } from "../../../core/clock.js";
import type { Peer } from "../link.js";
import { nameKey } from "../names.js";
import type { DecodedMessage, DecodedQuestion } from "../records.js";
import { heardKey } from "./own-records.js";

export interface IncomingQuery {
  readonly questions: readonly DecodedQuestion[];
  /** What the asker knows, with the seconds it has left, by `heardKey`. */
  readonly known: ReadonlyMap<string, number>;
  readonly from: Peer;
  readonly id: number;
  /** It defends or wants a name: the authority section states records (RFC 6762, 8.2). */
  readonly isProbe: boolean;
  /** It came in parts, for which we waited already. */
  readonly isLate: boolean;
}

interface Incomplete {
  readonly query: IncomingQuery & { questions: DecodedQuestion[]; known: Map<string, number> };
  /** Its questions: each is answered once, however often it stands there. */
  readonly asked: Set<string>;
  dueMs: number;
  readonly latestMs: number;
}

const PART_WAIT_MS = { least: 400, most: 500 } as const;
/** Askers whose next part is awaited; what a further one knows is not. */
const ASKERS_LIMIT = 32;
/** Further questions, or known answers, of one query are left out. */
const QUESTIONS_LIMIT = 256;
const KNOWN_LIMIT = 2048;
/** However many parts follow. */
const WHOLE_WAIT_MS = 2000;

export class IncomingQueries {
  private readonly incomplete = new Map<string, Incomplete>();

  constructor(private readonly random: Random) {}

  get nextMs(): number {
    let atMs = Number.POSITIVE_INFINITY;
    for (const { dueMs } of this.incomplete.values()) atMs = Math.min(atMs, dueMs);
    return atMs;
  }

  /** The query, if it is to be answered now. */
  take(message: DecodedMessage, from: Peer, nowMs: number): IncomingQuery | undefined {
    const { questions = [], answers = [], authorities = [], flag_tc: isTruncated = false, id = 0 } = message;
    const isProbe = authorities.length > 0;
    const asker = `${from.address} ${from.port}`;
    // A probe is defended at once, whatever else its sender is asking in parts (RFC 6762, 8.1: it waits for 250 ms).
    let part = isProbe ? undefined : this.incomplete.get(asker);
    const isFollowing = part !== undefined;
    if (!part) {
      const query = { questions: [], known: new Map(), from, id, isProbe, isLate: isTruncated && !isProbe };
      part = { query, asked: new Set(), dueMs: nowMs, latestMs: nowMs + WHOLE_WAIT_MS };
    }
    const { query, asked } = part;
    for (const question of questions) {
      if (asked.size >= QUESTIONS_LIMIT) break;
      const key = `${nameKey(question.name)} ${question.type} ${question.class} ${question.qu}`;
      if (!asked.has(key)) query.questions.push(question);
      asked.add(key);
    }
    for (const record of answers) {
      if (query.known.size >= KNOWN_LIMIT) break;
      const key = heardKey(record);
      if (key !== undefined) query.known.set(key, record.ttl ?? 0);
    }
    if (isTruncated) {
      const waitMs = PART_WAIT_MS.least + this.random() * (PART_WAIT_MS.most - PART_WAIT_MS.least);
      part.dueMs = Math.min(part.latestMs, nowMs + waitMs);
    }
    if (isFollowing) return undefined; // at its time
    if (!isTruncated || isProbe || this.incomplete.size >= ASKERS_LIMIT) return query;
    this.incomplete.set(asker, part);
    return undefined;
  }

  /** Those for whose parts we have waited long enough. */
  due(nowMs: number): IncomingQuery[] {
    const taken: IncomingQuery[] = [];
    for (const [asker, { query, dueMs }] of this.incomplete) {
      if (dueMs > nowMs) continue;
      this.incomplete.delete(asker);
      taken.push(query);
    }
    return taken;
  }
}
