/** What every gateway is given, and what it is to the daemon. */

import type { Clock, Random, Timers } from "../core/clock.js";
import type { Directory } from "../core/directory-access.js";
import type { Logger } from "../core/log.js";

export interface GatewayContext {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
}

/** For the log and for pafc. */
export interface GatewayState {
  readonly state: "starting" | "running" | "waiting" | "stopped";
  /** Numbers by name, e.g. services, instances, devices, mirrored. */
  readonly counts: Readonly<Record<string, number>>;
  /** Announcements not taken, or not made, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly lastError?: { readonly text: string; readonly unixSeconds: number };
}

export interface Gateway {
  /** For the log and for state reports, e.g. `mdns` or `mqtt localhost:1883`. */
  readonly name: string;
  start(): void;
  /** Leaves the medium in order (MQTT disconnect, sockets closed). Services it published stay as they are. */
  stop(): Promise<void>;
  state(): GatewayState;
}
