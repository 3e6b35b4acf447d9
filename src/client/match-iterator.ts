/**
 * Matches for a reader that takes its time. What waits to be read is bounded by the number of services, not by time: per
 * service only the difference between what the reader was told last and the state now is kept. So a slow reader misses
 * intermediate states: a service that appeared and disappeared in the meantime is not mentioned, and one that disappeared
 * and appeared again was `modified`. The order is that in which services first had news; it is exact per service.
 */

import { type DomainMatch, domainMatch } from "./domain-match.js";
import { KeyedQueue } from "./keyed-queue.js";
import type { MergedMatch } from "./match-merge.js";

type Result = IteratorResult<DomainMatch, undefined>;
const END: Result = { done: true, value: undefined };

export class MatchIterator implements AsyncIterableIterator<DomainMatch> {
  private readonly news = new KeyedQueue<bigint, MergedMatch>();
  private readonly readers: ((result: Result) => void)[] = [];
  private ended = false;

  /** `onEnd` is called once, however the iteration ends. */
  constructor(private readonly onEnd: () => void) {}

  /** News for the reader. */
  push(match: MergedMatch): void {
    if (this.ended) return;
    const { serviceId } = match;
    const before = this.news.get(serviceId);
    const both = before ? combine(before, match) : match;
    if (both) this.news.set(serviceId, both);
    else this.news.delete(serviceId);
    if (this.readers.length > 0 && this.news.size > 0)
      this.readers.shift()!({ done: false, value: domainMatch(this.news.shift()!) });
  }

  /** Nothing more comes, and what was not read is not read any more. Twice is harmless. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.news.clear();
    for (const reader of this.readers.splice(0)) reader(END);
    this.onEnd();
  }

  next(): Promise<Result> {
    if (this.ended) return Promise.resolve(END);
    const value = this.news.shift();
    if (value) return Promise.resolve({ done: false, value: domainMatch(value) });
    return new Promise((resolve) => this.readers.push(resolve));
  }

  return(): Promise<Result> {
    this.end();
    return Promise.resolve(END);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** One match that says as much as two in sequence; `undefined` if they cancel out. */
function combine(before: MergedMatch, match: MergedMatch): MergedMatch | undefined {
  if (match.type === "disappeared") return before.type === "appeared" ? undefined : match;
  return { ...match, type: before.type === "appeared" ? "appeared" : "modified" };
}
