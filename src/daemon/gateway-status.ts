/**
 * How each gateway is doing, as a service of its domain: whoever looks after a site finds it there from anywhere
 * (`pafc ADDR gateways`), and can be told of trouble like of anything else. Its `src` begins with `gateway:`, by which
 * gateways know not to announce it.
 */

import { createHash } from "node:crypto";
import type { Clock, Timer, Timers } from "../core/clock.js";
import type { Directory } from "../core/directory-access.js";
import { type Logger, SILENT } from "../core/log.js";
import { type Properties, type PropertyValue, sameProperties } from "../core/properties.js";
import type { Gateway, GatewayState } from "../gateway/gateway.js";
import { Publications } from "../gateway/publications.js";

/** How often a gateway is asked, and how long mere numbers wait: everybody who watches everything is told of them. */
const LOOK_MS = 10_000;
const COUNTS_MS = 60_000;
/** Most gateways run by then, which saves the telling of "starting". */
const FIRST_LOOK_MS = 1000;

/** How long the service outlives pafd. */
const TTL_SECONDS = 60n;

/** Of the text of an error. */
const MAX_ERROR_LENGTH = 256;

export interface GatewayStatusOptions {
  readonly gateway: Gateway;
  /** `mdns`, `mqtt`, … */
  readonly type: string;
  /** The name of this machine. */
  readonly host: string;
  /** The number of the gateway in the configuration: there may be several for the same broker. */
  readonly index: number;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log?: Logger;
}

export class GatewayStatus {
  private readonly publications: Publications;
  private readonly id: bigint;
  private timer: Timer | undefined;
  /** Counts and reasons that have ever been more than 0. */
  private readonly seen = new Set<string>();
  private told: { readonly urgent: string; readonly atMs: number; readonly properties: Properties } | undefined;

  constructor(private readonly options: GatewayStatusOptions) {
    const { directory, clock, timers, log = SILENT } = options;
    this.publications = new Publications({ directory, clock, timers, log, limit: 1 });
    this.id = statusId(options);
  }

  start(): void {
    this.timer = this.options.timers.after("gateway status", FIRST_LOOK_MS, () => this.look());
  }

  /** Takes the service back: the gateway ends. */
  stop(): void {
    this.timer?.cancel();
    this.publications.withdraw(this.id);
    this.publications.stop();
  }

  private look(): void {
    const { gateway, clock, timers } = this.options;
    this.timer = timers.after("gateway status", LOOK_MS, () => this.look());
    const state = gateway.state();
    // the first of anything, too: who sets up a gateway watches for it
    for (const [name, count] of Object.entries({ ...state.counts, ...state.dropped }))
      if (count > 0) this.seen.add(name);
    const urgent = `${state.state} ${state.lastError?.unixSeconds} ${state.lastError?.text} ${this.seen.size}`;
    const nowMs = clock.monotonicMs();
    if (this.told && this.told.urgent === urgent && nowMs - this.told.atMs < COUNTS_MS) return;
    const properties = this.news(statusProperties(this.options, state, clock.unixSeconds()));
    this.told = { urgent, atMs: nowMs, properties };
    this.publications.publish(this.id, TTL_SECONDS, properties);
  }

  /** What was told before, if only the time is another: that alone is worth telling nobody. */
  private news(properties: Properties): Properties {
    const before = this.told?.properties;
    return before && sameProperties(new Map(properties).set("time", before.get("time") ?? []), before)
      ? before
      : properties;
  }
}

/** The same after every restart: the first 63 bits of a SHA-256, never 0. */
export function statusId({ host, gateway, index }: Pick<GatewayStatusOptions, "host" | "gateway" | "index">): bigint {
  const digest = createHash("sha256").update(`gateway\0${host}\0${index}\0${gateway.name}`, "utf8").digest();
  return digest.readBigUInt64BE() >> 1n || 1n;
}

/** `unixSeconds`: when the gateway was asked. */
export function statusProperties(
  { gateway, type, host }: Pick<GatewayStatusOptions, "gateway" | "type" | "host">,
  { state, counts, dropped, lastError }: GatewayState,
  unixSeconds: number,
): Properties {
  const numbers = (prefix: string, of: Readonly<Record<string, number>>) =>
    Object.entries(of).map(([name, count]): [string, PropertyValue[]] => [`${prefix}.${name}`, [BigInt(count)]]);
  const error: [string, PropertyValue[]][] = lastError
    ? [
        ["error", [lastError.text.slice(0, MAX_ERROR_LENGTH)]],
        ["error.time", [BigInt(Math.floor(lastError.unixSeconds))]],
      ]
    : [];
  return new Map<string, readonly PropertyValue[]>([
    ["name", [gateway.name]],
    ["gateway", [type]],
    ["host", [host]],
    ["state", [state]],
    ["time", [BigInt(Math.floor(unixSeconds))]],
    ...numbers("count", counts),
    ...numbers("dropped", dropped),
    ...error,
    ["src", [`gateway:${host}`]],
  ]);
}
