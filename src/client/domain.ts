/** A domain, as an application sees it (libpaf-client.md, 1 and 2). */

import type { FilterExpression } from "./filter-expression.js";
import type { LinkState } from "./link-owner.js";
import type { DomainMatch } from "./match-merge.js";
import type { PublishedService } from "./published-service.js";
import type { ServerConfig } from "./server-config.js";
import type { PropertiesInput } from "./service-properties.js";

/** A subscription to all servers of the domain; it is made anew after every reconnect. */
export interface DomainSubscription {
  /** Random, of 63 bits; the same on every server. */
  readonly id: bigint;
  /** `onMatch` is not called any more. Twice is harmless. */
  cancel(): void;
}

export interface MatchesOptions {
  /** Aborting ends the iteration (it is done, and does not throw); what was not read yet is dropped. */
  readonly signal?: AbortSignal;
}

export interface CloseOptions {
  /** Aborting leaves at once, as `abandon` does: services that were not taken back yet become orphans. */
  readonly signal?: AbortSignal;
}

/** One attachment to a domain. Nothing that is called here waits for the network, or fails because of it. */
export interface Domain {
  /** The same on every server, and over all reconnects (2.3). */
  readonly clientId: bigint;
  /**
   * Publishes a service on every server, now and after every reconnect, until `unpublish` or `close`. `ttlSeconds`, 0 to
   * 2^63-1, is how long it outlives this process; default: PAF_TTL (30 s). The properties are copied; together they may
   * have 32,768 bytes in libpaf's measure (2.2). Throws a `ServiceTooLargeError`, a `RangeError` or `TypeError` for a value that is none, or a
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
   * changes is told the latest state of each service only: what waits is at most one match per service that it was told
   * of or that is there. Subscribes at once, not when it is read, and is for one reader. Throws what `subscribe` throws.
   */
  matches(filter?: string | FilterExpression, options?: MatchesOptions): AsyncIterableIterator<DomainMatch>;
  /**
   * The servers from now on, if the domain was given as servers. Those with the same settings as before keep their link.
   * Services and matches of a server that is gone are treated as after a lost connection (3.4): orphans, until their TTL
   * has passed. Throws a `RangeError` or a `TransportError` for servers that are not valid, a `TypeError` for a domain by
   * name, or a `DomainClosedError`.
   */
  setServers(servers: readonly ServerConfig[]): void;
  /** One per server, with how it stands now: a copy. Empty after `close`. */
  readonly links: readonly LinkState[];
  /**
   * Takes back every service and leaves (10), within 0.5 s + 1 ms per service, whatever the servers do; one that is not
   * connected keeps the services as orphans until their TTL has passed. No match is delivered any more. Never rejects;
   * further calls return the same promise. Afterwards nothing of the domain keeps the process alive.
   */
  close(options?: CloseOptions): Promise<void>;
  /** Leaves at once, also during `close`: services become orphans, and stay until their TTL has passed. Twice is harmless. */
  abandon(): void;
}
