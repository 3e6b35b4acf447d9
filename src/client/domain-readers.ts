/** Who reads what a domain subscribes to without a callback: iterators and views, which end with it or with their signal. */

import { onAbort } from "./abort-listeners.js";
import { checkOptions, checkSignal } from "./argument-checks.js";
import type { DomainSubscription, MatchesOptions } from "./domain.js";
import { domainMatch } from "./domain-match.js";
import type { FilterExpression } from "./filter-expression.js";
import { MatchIterator } from "./match-iterator.js";
import type { MergedMatch } from "./match-merge.js";
import { LiveServiceView } from "./service-view.js";

type FilterInput = string | FilterExpression | undefined;

export class DomainReaders {
  /** How to end each. */
  private readonly ends = new Set<() => void>();

  constructor(
    private readonly subscribe: (filter: FilterInput, onMatch: (match: MergedMatch) => void) => DomainSubscription,
  ) {}

  matches(filter: FilterInput, options: MatchesOptions | undefined): MatchIterator {
    const { signal } = checkOptions("matches(): options", options);
    checkSignal("matches(): signal", signal);
    const subscription = this.subscribe(filter, (match) => iterator.push(match));
    const iterator = new MatchIterator(() => forget());
    const forget = this.add(signal, subscription, () => iterator.end());
    if (signal?.aborted) iterator.end();
    return iterator;
  }

  watch(filter: FilterInput, options: MatchesOptions | undefined): LiveServiceView {
    const { signal } = checkOptions("watch(): options", options);
    checkSignal("watch(): signal", signal);
    const subscription = this.subscribe(filter, (match) => view.take(domainMatch(match)));
    const view = new LiveServiceView(() => forget());
    const forget = this.add(signal, subscription, () => view.cancel());
    if (signal?.aborted) view.cancel();
    return view;
  }

  /** The domain is left. */
  end(): void {
    for (const end of [...this.ends]) end();
  }

  /** `end` is called when the signal aborts or the domain is left; what is returned is called when the reader has ended. */
  private add(signal: AbortSignal | undefined, subscription: DomainSubscription, end: () => void): () => void {
    const forget = signal && !signal.aborted ? onAbort(signal, end) : () => {};
    this.ends.add(end);
    return () => {
      this.ends.delete(end);
      forget();
      subscription.cancel();
    };
  }
}
