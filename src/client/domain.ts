/** A domain, as an application sees it (libpaf-client.md, 1 and 2). */

import type { FilterExpression } from "./filter-expression.js";
import type { LinkState } from "./link-owner.js";
import type { DomainMatch } from "./match-merge.js";
import type { PublishedService } from "./published-service.js";
import type { ServerConfig } from "./server-config.js";
import type { PropertiesInput } from "./service-properties.js";

export interface DomainSubscription {
  readonly id: bigint;
  /** `onMatch` is not called any more. Twice is harmless. */
  cancel(): void;
}

export interface MatchesOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
}

export interface CloseOptions {
  /** Aborting leaves at once, as `abandon` does: services that were not taken back yet become orphans. */
  readonly signal?: AbortSignal;
}

export interface Domain {
  readonly clientId: bigint;
  /**
   * Publishes a service on every server, now and after every reconnect, until `unpublish` or `close`. The TTL is that of
   * PAF_TTL by default. Throws a `ServiceTooLargeError`, a `RangeError` or `TypeError` for a value that is none, or a
   * `DomainClosedError`.
   */
  publish(properties: PropertiesInput, options?: { readonly ttlSeconds?: number | bigint }): PublishedService;
  /**
   * Calls `onMatch` for each service that matches, and every change of it, until `cancel` or `close`; without a filter
   * everything matches. It is never called before this returns, and after all messages that arrived together were looked
   * at. What it throws becomes an uncaught exception of the process, as with an `EventTarget`; other callbacks are
   * called nevertheless. Throws a `FilterSyntaxError`, a `RangeError` for a filter above 8192 bytes, or a
   * `DomainClosedError`.
   */
  subscribe(filter: string | FilterExpression | undefined, onMatch: (match: DomainMatch) => void): DomainSubscription;
  /**
   * The same as an async iterator, which ends with the signal, the loop or the domain. A reader that is slower than the
   * changes is told the latest state of each service only: see `MatchIterator`. Subscribes at once, not when it is read.
   */
  matches(filter?: string | FilterExpression, options?: MatchesOptions): AsyncIterableIterator<DomainMatch>;
  /**
   * The servers from now on, if the domain was given as servers. Those with the same settings as before keep their link.
   * Throws a `RangeError` or a `TransportError` for servers that are not valid, or a `TypeError` for a domain by name.
   */
  setServers(servers: readonly ServerConfig[]): void;
  /** One per server, with how it stands. */
  readonly links: readonly LinkState[];
  /**
   * Takes back every service and leaves, within 0.5 s + 1 ms per service. No match is delivered any more. Never
   * rejects; further calls return the same promise.
   */
  close(options?: CloseOptions): Promise<void>;
  /** Leaves at once: services become orphans, and stay until their TTL has passed. */
  abandon(): void;
}
