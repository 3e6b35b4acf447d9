/** What an application subscribes to through a domain: a merge of all servers' matches for each, delivered later (libpaf-client.md, 7). */

import type { Clock, Timers } from "../core/clock.js";
import type { Match } from "../core/directory-access.js";
import type { Delivery } from "./delivery.js";
import { MatchMerge, type MergedMatch } from "./match-merge.js";
import type { RelayedSubscription } from "./relay.js";
import type { ServerLimits } from "./server-limits.js";

export interface DomainSubscriptionsOptions {
  readonly clock: Clock;
  /** Of wall-clock time. */
  readonly timers: Timers;
  readonly limits: ServerLimits;
  readonly delivery: Delivery;
  readonly addressOf: (source: number) => string;
}

interface Subscribed extends RelayedSubscription {
  readonly merge: MatchMerge;
}

export class DomainSubscriptions {
  private readonly subscribed = new Map<bigint, Subscribed>();

  constructor(private readonly options: DomainSubscriptionsOptions) {}

  /** `onMatch` is called until the subscription is removed. */
  add(id: bigint, filter: string | undefined, onMatch: (match: MergedMatch) => void): RelayedSubscription {
    const { clock, timers, limits, delivery, addressOf } = this.options;
    const deliver = (match: MergedMatch) => {
      if (this.subscribed.get(id) === subscription) onMatch(match);
    };
    const announce = (match: MergedMatch) => delivery.add(match, deliver);
    const merge = new MatchMerge({ announce, clock, timers, limits, addressOf });
    const subscription: Subscribed = { id, filter, merge };
    this.subscribed.set(id, subscription);
    return subscription;
  }

  /** False if it is not there (any more). */
  remove(id: bigint): boolean {
    this.subscribed.get(id)?.merge.clear();
    return this.subscribed.delete(id);
  }

  clear(): void {
    for (const { merge } of this.subscribed.values()) merge.clear();
    this.subscribed.clear();
  }

  /** The latest first. */
  all(): RelayedSubscription[] {
    return [...this.subscribed.values()].reverse();
  }

  report(source: number, subscriptionId: bigint, match: Match): void {
    this.subscribed.get(subscriptionId)?.merge.report(source, match);
  }

  disconnected(source: number, removed: boolean): void {
    for (const { merge } of this.subscribed.values()) merge.disconnected(source, removed);
  }

  discard(source: number): void {
    for (const { merge } of this.subscribed.values()) merge.discard(source);
  }
}
