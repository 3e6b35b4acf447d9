/**
 * The counter at which gateways and programs stand: the directory inside this process offers it (local-directory.ts),
 * and the client library offers the same over a connection. Whoever holds one does not know which.
 *
 * All calls answer asynchronously, in the order in which they were made.
 */

import type { PublishOutcome, UnpublishOutcome } from "./fail-reason.js";
import type { Properties } from "./properties.js";

/** A service as its owner states it. */
export interface Service {
  /** 0 … 2^63-1 */
  readonly id: bigint;
  /** Must rise whenever `properties` or `ttlSeconds` change. */
  readonly generation: bigint;
  /** How long the service outlives its owner. */
  readonly ttlSeconds: bigint;
  readonly properties: Properties;
}

/** A service as the directory shows it. */
export interface ServiceState extends Service {
  /** Client id of the owner. */
  readonly owner: bigint;
  /** Seconds since the UNIX epoch; absent unless the service is an orphan. */
  readonly orphanSince?: number;
}

/** What one server says of a service that matches. */
export type Match =
  | { readonly type: "appeared" | "modified"; readonly service: ServiceState }
  | { readonly type: "disappeared"; readonly serviceId: bigint };

export interface Subscription {
  /** No match is delivered after this was called. */
  cancel(): void;
}

export interface Directory {
  /** Owner of what is published here. */
  readonly clientId: bigint;
  /**
   * Publishes the service, or a new generation of it. If there is one with this id already, `yieldsTo` is asked; when it
   * says true, that one stays as it is, and the answer is `yielded`.
   */
  publish(service: Service, yieldsTo?: (present: ServiceState) => boolean): Promise<PublishOutcome | "yielded">;
  /**
   * Removes the service if this client owns it. What another client of this user owns stays, and the answer is `yielded`,
   * unless `takes` says true of it.
   */
  unpublish(serviceId: bigint, takes?: (present: ServiceState) => boolean): Promise<UnpublishOutcome | "yielded">;
  /**
   * Ends the ownership of a service: it stays, as an orphan, until its TTL has passed or somebody publishes it again.
   * Nothing happens if it does not exist or belongs to another client.
   */
  orphan(serviceId: bigint): Promise<void>;
  /**
   * Gives a service up without a word, because somebody else owns it now. Absent where publishing leaves nothing behind
   * on this side of the counter.
   */
  forget?(serviceId: bigint): void;
  /** The service with this id as the directory has it now, whoever owns it. */
  find(serviceId: bigint): Promise<ServiceState | undefined>;
  /**
   * Delivers `appeared` for each service that matches now, then every change. Without a filter everything matches.
   * Throws a `FilterSyntaxError` if the filter does not parse.
   */
  subscribe(filter: string | undefined, onMatch: (match: Match) => void): Subscription;
}
