/** A domain, as an application sees it (libpaf-client.md, 1 and 2). */

import type { DomainFileError } from "./domain-file.js";
import type { DomainMatch } from "./domain-match.js";
import type { FilterExpression } from "./filter-expression.js";
import type { LinkState, Refusal } from "./link-owner.js";
import type { PublishedService } from "./published-service.js";
import type { ServerConfig } from "./server-config.js";
import type { PropertiesInput } from "./service-properties.js";
import type { ServiceView } from "./service-view.js";

/** A subscription to all servers of the domain; it is made anew after every reconnect. */
export interface DomainSubscription {
  /** Random, of 63 bits; the same on every server. */
  readonly id: bigint;
  /** `onMatch` is not called any more. Twice is harmless. */
  cancel(): void;
}

/** How to publish. */
export interface PublishOptions {
  /** How long the service outlives this process, in whole seconds, 0 … 2^63-1. Default: PAF_TTL, else 30. */
  readonly ttlSeconds?: number | bigint;
}

/** How long matches are wanted. */
export interface MatchesOptions {
  /** Aborting ends the iteration (it is done, and does not throw; what was not read yet is dropped), or the watch. */
  readonly signal?: AbortSignal;
}

/** What to wait for, and how long. */
export interface WaitOptions {
  /** How many servers are waited for; default: 1. */
  readonly servers?: number;
  /** Ends the wait: it rejects with the signal's reason. `AbortSignal.timeout` makes a time limit. */
  readonly signal?: AbortSignal;
}

/** How to leave. */
export interface CloseOptions {
  /** Aborting leaves at once, as `abandon` does: services that were not taken back yet become orphans. */
  readonly signal?: AbortSignal;
}

/**
 * What a domain tells of itself. They are called later than what caused them, never from within a call; what they throw
 * becomes an uncaught exception of the process.
 */
export interface DomainCallbacks {
  /** A link has another state; the last one of each is `detached`. A state that does not last may be left out. */
  readonly onLinkState?: (link: LinkState) => void;
  /** A server refuses a service or a subscription. Once, until it takes it, refuses it for another reason, or is connected to anew. */
  readonly onRefused?: (refusal: Refusal) => void;
  /** The domain file can not be read or is not valid. Once, until that changes; the servers stay as they are. */
  readonly onDomainFileError?: (error: DomainFileError) => void;
}

/**
 * One attachment to a domain: one client of each of its servers. Nothing that is called here waits for the network, or
 * fails because of it, except what says that it waits.
 */
export interface Domain {
  /** The same on every server, and over all reconnects. */
  readonly clientId: bigint;
  /**
   * Publishes a service on every server, now and after every reconnect, until `unpublish` or `close`. Whether a server
   * has it tells the handle. The properties are copied. Throws a `ServiceTooLargeError`, a `RangeError` or `TypeError` for a value that is none, or
   * a `DomainClosedError`.
   */
  publish(properties: PropertiesInput, options?: PublishOptions): PublishedService;
  /**
   * Calls `onMatch` for each service that matches, and every change of it, until `cancel` or `close`; without a filter
   * everything matches. It is never called before this returns, and after all messages that arrived together were looked
   * at. What it throws becomes an uncaught exception of the process, as with an `EventTarget`; other callbacks are
   * called nevertheless. Throws a `FilterSyntaxError`, a `FilterTooLargeError` (above 8192 bytes), a `TypeError`, or a
   * `DomainClosedError`.
   */
  subscribe(filter: string | FilterExpression | undefined, onMatch: (match: DomainMatch) => void): DomainSubscription;
  /**
   * The same as an async iterator, which ends with the signal, the loop or the domain. Subscribes at once, not when it is
   * read. What waits for a reader that is slower than the changes is bounded: per service only the difference between
   * what it was told last and the state now. So it misses what did not last, and a service that disappeared and appeared
   * again meanwhile is `modified`. It is for one reader. Throws what `subscribe` throws.
   */
  matches(filter?: string | FilterExpression, options?: MatchesOptions): AsyncIterableIterator<DomainMatch>;
  /** The services that match as they are now: a `Map` to look into, which is kept up to date. Throws as `subscribe`. */
  watch(filter?: string | FilterExpression, options?: MatchesOptions): ServiceView;
  /**
   * The servers from now on, if the domain was given as servers or as an address. Those with the same settings as before
   * keep their link. Services and matches of a server that is gone are treated as after a lost connection: orphans, until
   * their TTL has passed. Throws a `TypeError`, a `RangeError` or a `TransportError` for servers that are not valid, a
   * `TypeError` for a domain by name, or a `DomainClosedError`.
   */
  setServers(servers: readonly (string | ServerConfig)[]): void;
  /** One per server, with how it stands now: a copy. Empty while no server is known, and after `close`. */
  readonly links: readonly LinkState[];
  /**
   * Why the file of a domain that was attached to by name could not be used when it was read last: `undefined` if it
   * could. A name that is mistyped shows here, and in the log.
   */
  readonly domainFileError: DomainFileError | undefined;
  /**
   * Resolves when there is a connection to at least so many servers (default: 1). Rejects with the signal's reason, or
   * with a `DomainClosedError`; a rejection that nobody looks at harms nobody. Nothing else needs to wait for it.
   */
  connected(options?: WaitOptions): Promise<void>;
  /**
   * Takes back every service and leaves, within 0.5 s + 1 ms per service, whatever the servers do; one that is not
   * connected keeps the services as orphans until their TTL has passed. No match is delivered any more. Never throws and
   * never rejects; further calls return the same promise. Afterwards nothing of the domain keeps the process alive.
   */
  close(options?: CloseOptions): Promise<void>;
  /** Leaves at once, also during `close`: services become orphans, and stay until their TTL has passed. Twice is harmless. */
  abandon(): void;
  /** `close()`, for `await using`; where the runtime has the symbol (Node.js 18.18 and later). */
  [Symbol.asyncDispose](): Promise<void>;
}
