/** Hands each message to those who asked for its topic, and keeps the connection subscribed to what anybody asked for. */

import type { Received } from "./connection.js";
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
}

interface Listening {
  readonly levels: readonly string[];
  readonly handlers: Set<TopicHandler>;
}

export class Router {
  private readonly handlers: TopicHandler[] = [];
  private readonly filters = new Map<string, Listening>();

  constructor(
    private readonly connection: RouterConnection,
    /** Something went wrong inside a handler: our bug. */
    private readonly onError: (topic: string, error: unknown) => void,
  ) {}

  add(handler: TopicHandler): void {
    this.handlers.push(handler);
    for (const filter of handler.filters) this.listen(handler, filter);
  }

  /** From now on the handler hears what matches the filter, too. */
  listen(handler: TopicHandler, wanted: string | TopicSubscription): void {
    const subscription = typeof wanted === "string" ? { filter: wanted } : wanted;
    const { filter } = subscription;
    const present = this.filters.get(filter);
    if (present) {
      // the newcomer wants what the broker keeps, which is replayed for a new subscription only
      if (!present.handlers.has(handler)) this.connection.renew(filter);
      present.handlers.add(handler);
      return;
    }
    this.filters.set(filter, { levels: filter.split("/"), handlers: new Set([handler]) });
    this.connection.subscribe(subscription);
  }

  leave(handler: TopicHandler, filter: string): void {
    const present = this.filters.get(filter);
    if (!present?.handlers.delete(handler) || present.handlers.size > 0) return;
    this.filters.delete(filter);
    this.connection.unsubscribe(filter);
  }

  /** Every handler gets a message once, however many of its filters match. */
  heard(topic: string, payload: Uint8Array, received: Received): void {
    const levels = topic.split("/");
    const takers = new Set<TopicHandler>();
    for (const { levels: filter, handlers } of this.filters.values()) {
      if (topicMatches(filter, levels)) for (const handler of handlers) takers.add(handler);
    }
    for (const handler of takers) {
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

/** MQTT 4.7: `+` is one level, `#` is all that follow and the level above; topics that begin with `$` match neither. */
export function topicMatches(filter: readonly string[], topic: readonly string[]): boolean {
  if (topic[0].startsWith("$") && filter[0] !== topic[0]) return false;
  for (const [at, level] of filter.entries()) {
    if (level === "#") return true;
    if (at >= topic.length || (level !== "+" && level !== topic[at])) return false;
  }
  return filter.length === topic.length;
}
