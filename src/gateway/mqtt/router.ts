/** Hands each message to those who asked for its topic, and keeps the connection subscribed to what anybody asked for. */

import { FilterTree } from "./filter-tree.js";
import type { Received } from "./mqtt-client.js";
import type { TopicSubscription } from "./subscriptions.js";

/** Somebody who reads a part of the broker's topics: the native convention, or another one. */
export interface TopicHandler {
  readonly name: string;
  /** Further ones may be added and removed while it runs (`Router.listen`, `Router.leave`). */
  readonly filters: readonly (string | TopicSubscription)[];
  /** `payload` is valid during the call. */
  heard(topic: string, payload: Uint8Array, retained: boolean, received: Received): void;
  /** Connected and about to subscribe: kept messages will be replayed. */
  brokerBack(): void;
  brokerLost(): void;
  stop(): void;
}

export interface RouterConnection {
  subscribe(subscription: TopicSubscription): void;
  /** Subscribes once more: what the broker keeps is replayed. */
  renew(filter: string): void;
  unsubscribe(filter: string): void;
  /** There is a connection, and the broker has not answered for all subscriptions. */
  readonly isSubscribing: boolean;
}

export class Router {
  private readonly handlers: TopicHandler[] = [];
  private readonly listening = new FilterTree<Set<TopicHandler>>();

  constructor(
    private readonly connection: RouterConnection,
    /** Something went wrong inside a handler: our bug. */
    private readonly onError: (topic: string, error: unknown) => void,
  ) {}

  /** What the broker keeps may still come. */
  get isSubscribing(): boolean {
    return this.connection.isSubscribing;
  }

  add(handler: TopicHandler): void {
    this.handlers.push(handler);
    for (const filter of handler.filters) this.listen(handler, filter);
  }

  /** From now on the handler hears what matches the filter, too. */
  listen(handler: TopicHandler, wanted: string | TopicSubscription): void {
    const subscription = typeof wanted === "string" ? { filter: wanted } : wanted;
    const { filter } = subscription;
    const present = this.listening.get(filter);
    if (present) {
      // the newcomer wants what the broker keeps, which is replayed for a new subscription only
      if (!present.has(handler)) this.connection.renew(filter);
      present.add(handler);
      return;
    }
    this.listening.set(filter, new Set([handler]));
    this.connection.subscribe(subscription);
  }

  leave(handler: TopicHandler, filter: string): void {
    const present = this.listening.get(filter);
    if (!present?.delete(handler) || present.size > 0) return;
    this.listening.delete(filter);
    this.connection.unsubscribe(filter);
  }

  /** Every handler gets a message once, however many of its filters match; in the order in which they were added. */
  heard(topic: string, payload: Uint8Array, received: Received): void {
    const takers = new Set(this.listening.matching(topic).flatMap((handlers) => [...handlers]));
    const inOrder = takers.size < 2 ? takers : this.handlers.filter((handler) => takers.has(handler));
    for (const handler of inOrder) {
      try {
        handler.heard(topic, payload, received.retained, received);
      } catch (error) {
        this.onError(topic, error); // it shall cost this message and nothing else
      }
    }
  }

  brokerBack(): void {
    for (const handler of this.handlers) handler.brokerBack();
  }

  brokerLost(): void {
    for (const handler of this.handlers) handler.brokerLost();
  }

  stop(): void {
    for (const handler of this.handlers) handler.stop();
  }
}
