/**
 * The matching index: which subscriptions may care about a change, without visiting them all.
 *
 * Each filter is filed under predicates of which at least one holds whenever the filter matches: an equality (by the
 * hash of name and value) where it has one, else the presence of a name. A filter that can match without any (`(!…)`)
 * is a candidate for every change. A change looks up only the pairs and names of its old and new properties; hash
 * collisions merely add candidates, which evaluation then rejects.
 */

import { type BlockStore, NO_BLOCK } from "./blocks.js";
import type { Filter } from "./filter/syntax.js";
import type { PairHash } from "./pair-hash.js";
import { nextEntry, RECORD_HEADER } from "./record.js";
import { encodeText } from "./text.js";

/** What the index keeps of a subscription. */
export interface Indexed {
  /** Rises with creation; for one change, subscriptions are notified in this order (pathfinder-protocol.md, 11.2). */
  readonly sequence: number;
  /** Written by the index only. */
  filedUnder: Predicate[] | undefined;
  /** Written by the index only: the last look-up that found it. */
  lookup: number;
}

interface Predicate {
  readonly kind: "pair" | "name";
  readonly hash: number;
}

export class MatchingIndex<S extends Indexed> {
  private readonly byPair = new Map<number, S[]>();
  private readonly byName = new Map<number, S[]>();
  private readonly always: S[] = [];
  private lookups = 0;
  private readonly candidates: S[] = [];
  private sorted = true;

  constructor(
    private readonly store: BlockStore,
    private readonly hash: PairHash,
  ) {}

  add(subscription: S, filter: Filter | undefined): void {
    subscription.filedUnder = filter && this.predicates(filter);
    if (!subscription.filedUnder) this.always.push(subscription);
    for (const { kind, hash } of subscription.filedUnder ?? []) {
      const bucket = this.buckets(kind).get(hash);
      // Several predicates of one filter may have the same hash.
      if (bucket?.[bucket.length - 1] === subscription) continue;
      if (bucket) bucket.push(subscription);
      else this.buckets(kind).set(hash, [subscription]);
    }
  }

  remove(subscription: S): void {
    if (!subscription.filedUnder) removeFrom(this.always, subscription);
    for (const { kind, hash } of subscription.filedUnder ?? []) {
      const bucket = this.buckets(kind).get(hash);
      if (!bucket) continue;
      removeFrom(bucket, subscription);
      if (bucket.length === 0) this.buckets(kind).delete(hash);
    }
  }

  /**
   * The subscriptions that may match one of the two records (NO_BLOCK: none), each once, in order of creation. The
   * array is reused by the next call.
   */
  lookup(before: number, after: number): readonly S[] {
    this.lookups++;
    this.candidates.length = 0;
    this.sorted = true;
    this.addAll(this.always);
    if (before !== NO_BLOCK) this.addFor(before);
    if (after !== NO_BLOCK && after !== before) this.addFor(after);
    if (!this.sorted) this.candidates.sort((a, b) => a.sequence - b.sequence);
    return this.candidates;
  }

  private addFor(record: number): void {
    const { words } = this.store.page(record);
    const at = this.store.at(record);
    const end = at + words[at];
    const names = this.byName.size > 0;
    let lastName = -1;
    for (let entry = at + RECORD_HEADER; entry < end; entry = nextEntry(words, entry)) {
      const pair = this.byPair.get(words[entry + 1]);
      if (pair !== undefined) this.addAll(pair);
      if (!names || words[entry] === lastName) continue;
      lastName = words[entry];
      const name = this.byName.get(lastName);
      if (name !== undefined) this.addAll(name);
    }
  }

  private addAll(bucket: readonly S[]): void {
    const { candidates } = this;
    for (let i = 0; i < bucket.length; i++) {
      const subscription = bucket[i];
      if (subscription.lookup === this.lookups) continue;
      subscription.lookup = this.lookups;
      if (candidates.length > 0 && candidates[candidates.length - 1].sequence > subscription.sequence) {
        this.sorted = false;
      }
      candidates.push(subscription);
    }
  }

  private buckets(kind: Predicate["kind"]): Map<number, S[]> {
    return kind === "pair" ? this.byPair : this.byName;
  }

  /** Predicates of which one holds whenever `filter` does; `undefined` if there are none. */
  private predicates(filter: Filter): Predicate[] | undefined {
    switch (filter.kind) {
      case "not":
        return undefined;
      case "or": {
        const all: Predicate[] = [];
        for (const operand of filter.operands) {
          const some = this.predicates(operand);
          if (!some) return undefined;
          all.push(...some);
        }
        return all;
      }
      case "and": {
        let best: Predicate[] | undefined;
        for (const operand of filter.operands) {
          const some = this.predicates(operand);
          if (some && (!best || this.cost(some) < this.cost(best))) best = some;
        }
        return best;
      }
      default: {
        const key = encodeText(filter.key);
        const name = this.hash.name(key, 0, key.length);
        if (filter.kind !== "equal") return [{ kind: "name", hash: name }];
        const value = encodeText(filter.value);
        return [{ kind: "pair", hash: this.hash.value(value, 0, value.length) }];
      }
    }
  }

  /** How much a filter filed there will be visited in vain: by name far more than by pair, in full buckets more. */
  private cost(predicates: readonly Predicate[]): number {
    return predicates.reduce((sum, { kind, hash }) => {
      const others = this.buckets(kind).get(hash)?.length ?? 0;
      return sum + 1 + others + (kind === "name" ? 1_000_000 : 0);
    }, 0);
  }
}

/** Buckets are in order of creation, so a binary search finds the place. */
function removeFrom<S extends Indexed>(bucket: S[], subscription: S): void {
  let low = 0;
  let high = bucket.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (bucket[middle].sequence < subscription.sequence) low = middle + 1;
    else high = middle;
  }
  if (bucket[low] === subscription) bucket.splice(low, 1);
}
