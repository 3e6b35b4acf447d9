/**
 * Other hosts' queries, with all the answers that they say they know: those that do not fit into one packet follow in
 * further ones, and TC says that there are more (RFC 6762, 7.2). Pure.
 */

import { questionKey } from "./questions.js";
import { type DecodedMessage, type DecodedQuestion, dataKey, recordData } from "./records.js";

export interface ForeignQuery {
  /** Those of class IN that want an answer by multicast, by `questionKey`. */
  readonly questions: ReadonlyMap<string, DecodedQuestion>;
  /** `dataKey` of each record the asker knows, by `questionKey` of its name and type. */
  readonly known: ReadonlyMap<string, ReadonlySet<string>>;
}

interface Incomplete {
  readonly questions: Map<string, DecodedQuestion>;
  readonly known: Map<string, Set<string>>;
  knownCount: number;
  untilMs: number;
}

/** Responders, too, wait no longer than this for the next part. */
const NEXT_PART_MS = 500;
/** Hosts whose next part is awaited; the query of a further one is left out. */
const HOSTS_LIMIT = 32;
/** Further questions of a query are left out. */
const QUESTIONS_LIMIT = 256;
/** A query with more known answers is left out. */
const KNOWN_LIMIT = 4096;

export class ForeignQueries {
  /** By the address the first part came from. */
  private readonly incomplete = new Map<string, Incomplete>();

  /** The query that this packet completes, if any. A query whose last part never comes is none. */
  take(packet: DecodedMessage, source: string, nowMs: number): ForeignQuery | undefined {
    const { questions = [], authorities = [], flag_tc: isTruncated = false } = packet;
    if (authorities.length > 0) return undefined; // a probe: its names are the asker's own, or about to be
    const isPart = questions.length === 0;
    const query = isPart
      ? this.begun(source, nowMs)
      : { questions: new Map(), known: new Map(), knownCount: 0, untilMs: 0 };
    if (!query) return undefined;
    addTo(query, packet);
    const isTooLong = query.knownCount > KNOWN_LIMIT;
    if (isTruncated && !isTooLong) this.await(source, query, nowMs);
    else if (isPart || isTruncated) this.incomplete.delete(source);
    return isTruncated || isTooLong ? undefined : query;
  }

  private begun(source: string, nowMs: number): Incomplete | undefined {
    const begun = this.incomplete.get(source);
    if (!begun || nowMs <= begun.untilMs) return begun;
    this.incomplete.delete(source);
    return undefined;
  }

  private await(source: string, query: Incomplete, nowMs: number): void {
    if (!this.incomplete.has(source) && this.incomplete.size >= HOSTS_LIMIT) {
      for (const [other, { untilMs }] of this.incomplete) if (nowMs > untilMs) this.incomplete.delete(other);
      if (this.incomplete.size >= HOSTS_LIMIT) return;
    }
    query.untilMs = nowMs + NEXT_PART_MS;
    this.incomplete.set(source, query);
  }
}

function addTo(query: Incomplete, { questions = [], answers = [] }: DecodedMessage): void {
  for (const question of questions.slice(0, QUESTIONS_LIMIT)) {
    if (question.class === "IN" && !question.qu) query.questions.set(questionKey(question), question);
  }
  for (const record of answers) {
    const data = record.class === "IN" ? recordData(record) : undefined;
    if (!data || ++query.knownCount > KNOWN_LIMIT) continue;
    const key = questionKey(record);
    const known = query.known.get(key);
    if (known) known.add(dataKey(data));
    else query.known.set(key, new Set([dataKey(data)]));
  }
}
