/** What an attached domain is made of: servers, settings, and its pieces of the world, so that tests can take other ones. */

import type { Clock, Random, Timers } from "../core/clock.js";
import type { Logger } from "../core/log.js";
import type { DomainCallbacks } from "./domain.js";
import type { LinkSettings } from "./link-owner.js";
import type { ConnectSession } from "./link-session.js";
import type { Operation } from "./relay.js";
import type { ServerConfig } from "./server-config.js";
import type { ServerLimits } from "./server-limits.js";
import type { ReadServers } from "./server-links.js";

/** Settings in seconds, as the environment has them (4). Read whenever a value is needed, so getters may follow it. */
export interface DomainSettings extends LinkSettings {
  /** Zero or negative: the servers are read once. */
  readonly rescanSeconds: number;
  /** Of a service that is published without one; a whole number. */
  readonly ttlSeconds: number | bigint;
}

export interface DomainOptions {
  /** For the log only. */
  readonly name?: string;
  readonly clientId: bigint;
  /** How to read the servers, again and again; or the servers themselves, which `setServers` may replace. */
  readonly servers: readonly ServerConfig[] | ReadServers;
  readonly settings: DomainSettings;
  readonly connect: ConnectSession;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** A random id, 0 … 2^63-1. */
  readonly randomId: () => bigint;
  readonly log: Logger;
  readonly callbacks: DomainCallbacks;
  /** What a server may make us hold. */
  readonly limits: ServerLimits;
  /** Every message is told at debug level. */
  readonly traceMessages: boolean;
  /** Told of every answer of a server. */
  readonly onOutcome?: (operation: Operation, refusal: Error | undefined) => void;
}
