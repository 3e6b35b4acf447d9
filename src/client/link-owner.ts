/** What lies around a link: the domain as it sees it, its settings, and how it stands for those who look at it. */

import type { Match, Service } from "../core/directory-access.js";
import type { LinkPhase } from "./link-states.js";
import type { Operation, RelayedSubscription } from "./relay.js";

export interface LinkSettings {
  readonly reconnectMinSeconds: number;
  readonly reconnectMaxSeconds: number;
  readonly idleMinSeconds: number;
  readonly idleMaxSeconds: number;
}

/** The domain, as its links see it. */
export interface LinkOwner {
  /** What every server is to have, most recent first. */
  services(): Iterable<Service>;
  subscriptions(): Iterable<RelayedSubscription>;
  /** Among the services; `Infinity` if there is none. */
  lowestTtlSeconds(): number;
  /** Throws a `ProtocolError` or a `ServerLimitError` if the server must not say that; the connection then ends. */
  onMatch(source: number, subscriptionId: bigint, match: Match): void;
  /** The connection was lost. `removed`: and the link is gone for good. */
  onDown(source: number, removed: boolean): void;
  /** The server went beyond a limit: what it reported is not to be held any longer. `onDown` follows. */
  onDistrusted(source: number): void;
  /** The link's state has changed. */
  onLinkState(state: LinkState): void;
  /** The link's server has this service, or a state of it. */
  onPublished(serviceId: bigint): void;
  onRefused(refusal: Refusal): void;
  /** A server's answer to anything that it was told: it has done it, or refuses it (and is told again later). */
  onOutcome(operation: Operation, refusal: Error | undefined): void;
  /** The link is over. */
  onDetached(source: number): void;
}

/** A server does not do what it was asked to. The library goes on trying, at most every `PAF_RECONNECT_MAX` seconds. */
export interface Refusal {
  /** Of the server. */
  readonly address: string;
  readonly command: "publish" | "unpublish" | "subscribe" | "unsubscribe";
  /** Of the service or the subscription. */
  readonly id: bigint;
  /** A `RequestError` with the server's reason. */
  readonly error: Error;
}

/** A link as an operator may want to see it: the connection to one server, which is made again whenever it is lost. */
export interface LinkState {
  /** Of the server. */
  readonly address: string;
  readonly state: LinkPhase;
  /** Negotiated; only while there is a connection. */
  readonly protocolVersion?: number;
  /** Why the last connection failed or ended, on one line and printable; stays when the next one is good. */
  readonly lastError?: string;
  /**
   * The error of which `lastError` is the text: a `TransportError`, `RequestError`, `SessionClosedError`,
   * `ProtocolError`, `ServerLimitError`, or an `Error` for silence.
   */
  readonly cause?: Error;
}
