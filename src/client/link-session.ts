/** What a link needs of a session, so that it can be tested without a server. `Session` is one. */

import type { Match, Service, ServiceState } from "../core/directory-access.js";
import type { ServerConfig } from "./server-config.js";

export interface LinkSession {
  readonly protocolVersion: number;
  /** Settles when the session has ended, with the reason. */
  readonly closed: Promise<Error | undefined>;
  publish(service: Service): Promise<void>;
  unpublish(serviceId: bigint): Promise<void>;
  subscribe(
    subscriptionId: bigint,
    filter: string | undefined,
    onMatch: (match: Match) => void,
    onEnd: () => void,
  ): Promise<void>;
  unsubscribe(subscriptionId: bigint): Promise<void>;
  /** All services that the server has now. */
  services(): Promise<readonly ServiceState[]>;
  track(): Promise<void>;
  trackQuery(): Promise<void>;
  close(): void;
}

export interface ConnectSessionOptions {
  readonly clientId: bigint;
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly signal: AbortSignal;
  readonly onConnected: () => void;
  readonly onHeard: () => void;
  /** Called with every message of either direction. */
  readonly trace?: (direction: "sent" | "received", text: () => string) => void;
}

/** Connects and says hello; rejects if either fails or the signal is aborted. */
export type ConnectSession = (config: ServerConfig, options: ConnectSessionOptions) => Promise<LinkSession>;
