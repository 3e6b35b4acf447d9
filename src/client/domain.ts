/**
 * A domain as an application uses it: what it publishes and subscribes to, kept true over all servers
 * (libpaf-client.md, 1, 2, 3.4 and 10).
 */

import type { Clock, Random, Timer, Timers } from "../core/clock.js";
import type { Match, Service } from "../core/directory-access.js";
import { parseFilter, printFilter } from "../core/filter/syntax.js";
import { type Logger, prefixed } from "../core/log.js";
import { byteLength } from "../core/text.js";
import { Delivery } from "./delivery.js";
import { DomainClosedError } from "./errors.js";
import type { FilterExpression } from "./filter-expression.js";
import { Link, type LinkOwner, type LinkSettings, type LinkState } from "./link.js";
import type { ConnectSession } from "./link-session.js";
import { MatchIterator } from "./match-iterator.js";
import { type DomainMatch, MatchMerge } from "./match-merge.js";
import { LocalService, type PublishedService, type Publisher, toTtl } from "./published-service.js";
import type { RelayedSubscription } from "./relay.js";
import type { ServerConfig } from "./server-config.js";
import { checkServers, settingsKey } from "./server-list.js";
import { type PropertiesInput, toServiceProperties } from "./service-properties.js";
import { TtlCounts } from "./ttl-counts.js";
import { wallClockTimers } from "./wall-clock-timers.js";

/** Longest filter in bytes (2.2). */
export const MAX_FILTER_BYTES = 8192;

/** The time that `close` may take: this, and so much per service (10). */
const DETACH_MS = 500;
const DETACH_MS_PER_SERVICE = 1;

export interface DomainSubscription {
  readonly id: bigint;
  /** `onMatch` is not called any more. Twice is harmless. */
  cancel(): void;
}

export interface MatchesOptions {
  /** Ends the iteration. */
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
  close(): Promise<void>;
  /** Leaves at once: services become orphans, and stay until their TTL has passed. */
  abandon(): void;
}

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
  /**
   * The servers as they are now; `undefined` (or a rejection): not known, so the links stay. Or the servers themselves,
   * which `setServers` may replace.
   */
  readonly servers: readonly ServerConfig[] | (() => Promise<readonly ServerConfig[] | undefined>);
  readonly settings: DomainSettings;
  readonly connect: ConnectSession;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** A random id, 0 … 2^63-1. */
  readonly randomId: () => bigint;
  readonly log: Logger;
}

interface Subscribed extends RelayedSubscription {
  readonly merge: MatchMerge;
}

export class AttachedDomain implements Domain, LinkOwner, Publisher {
  readonly clientId: bigint;
  private readonly log: Logger;
  private readonly localServices = new Map<bigint, LocalService>();
  private readonly ttls = new TtlCounts();
  private readonly subscribed = new Map<bigint, Subscribed>();
  private readonly iterators = new Set<MatchIterator>();
  private readonly delivery = new Delivery();
  private readonly wallTimers: Timers;
  /** By address. */
  private readonly active = new Map<string, { readonly key: string; readonly link: Link }>();
  private nextSource = 0;
  private readonly rescanFactor: number;
  private rescanTimer: Timer | undefined;
  private state: "attached" | "detaching" | "closed" = "attached";
  private readonly closed: Promise<void>;
  private settleClosed!: () => void;
  /** Called once, when the domain has been left. */
  onClosed: () => void = () => {};

  constructor(private readonly options: DomainOptions) {
    const { clock, timers, random, name } = options;
    this.clientId = options.clientId;
    this.log = name === undefined ? options.log : prefixed(options.log, () => `${name}: `);
    this.wallTimers = wallClockTimers(clock, timers);
    this.rescanFactor = 0.5 + random();
    this.closed = new Promise((resolve) => {
      this.settleClosed = resolve;
    });
    if (typeof options.servers === "function") this.rescan(options.servers);
    else this.setServers(options.servers);
  }

  // --- for the application ------------------------------------------------------------------------------------------

  publish(input: PropertiesInput, { ttlSeconds = this.options.settings.ttlSeconds } = {}): PublishedService {
    this.mustBeAttached();
    const properties = toServiceProperties(input);
    const ttl = toTtl(ttlSeconds);
    const service = { id: this.options.randomId(), generation: 0n, ttlSeconds: ttl, properties };
    const local = new LocalService(this, service);
    this.localServices.set(service.id, local);
    this.ttls.add(ttl);
    for (const { link } of this.active.values()) link.publish(service);
    return local;
  }

  subscribe(filter: string | FilterExpression | undefined, onMatch: (match: DomainMatch) => void): DomainSubscription {
    this.mustBeAttached();
    const text = filter === undefined ? undefined : canonicalFilter(String(filter));
    const id = this.options.randomId();
    const merge = new MatchMerge({
      announce: (match) => this.delivery.add(match, deliver),
      clock: this.options.clock,
      timers: this.wallTimers,
    });
    const subscription: Subscribed = { id, filter: text, merge };
    const deliver = (match: DomainMatch) => {
      if (this.subscribed.get(id) === subscription) onMatch(match);
    };
    this.subscribed.set(id, subscription);
    for (const { link } of this.active.values()) link.subscribe(subscription);
    return {
      id,
      cancel: () => {
        if (this.subscribed.get(id) !== subscription) return;
        this.subscribed.delete(id);
        merge.clear();
        for (const { link } of this.active.values()) link.unsubscribe(id);
      },
    };
  }

  matches(filter?: string | FilterExpression, { signal }: MatchesOptions = {}): AsyncIterableIterator<DomainMatch> {
    const subscription = this.subscribe(filter, (match) => iterator.push(match));
    const end = () => iterator.end();
    const iterator = new MatchIterator(() => {
      this.iterators.delete(iterator);
      signal?.removeEventListener("abort", end);
      subscription.cancel();
    });
    this.iterators.add(iterator);
    if (signal?.aborted) iterator.end();
    else signal?.addEventListener("abort", end, { once: true });
    return iterator;
  }

  setServers(servers: readonly ServerConfig[]): void {
    this.mustBeAttached();
    if (typeof this.options.servers === "function") {
      throw new TypeError("the servers of a domain attached to by name are those of its file");
    }
    checkServers(servers);
    this.update(servers);
  }

  get links(): readonly LinkState[] {
    return [...this.active.values()].map(({ link }) => link.state);
  }

  close(): Promise<void> {
    if (this.state !== "attached") return this.closed;
    this.state = "detaching";
    const limitMs = DETACH_MS + DETACH_MS_PER_SERVICE * this.localServices.size;
    this.leave();
    for (const { link } of [...this.active.values()]) link.detach(limitMs);
    this.finishIfDetached();
    return this.closed;
  }

  abandon(): void {
    if (this.state === "closed") return;
    this.state = "detaching";
    this.leave();
    for (const { link } of [...this.active.values()]) link.stop();
    this.finishIfDetached();
  }

  /** Ends what concerns matches, services and servers; the links are still there. */
  private leave(): void {
    this.rescanTimer?.cancel();
    for (const { merge } of this.subscribed.values()) merge.clear();
    this.subscribed.clear();
    this.localServices.clear();
    for (const iterator of [...this.iterators]) iterator.end();
  }

  private finishIfDetached(): void {
    if (this.state !== "detaching" || this.active.size > 0) return;
    this.state = "closed";
    this.onClosed();
    this.settleClosed();
  }

  private mustBeAttached(): void {
    if (this.isClosed) throw new DomainClosedError();
  }

  // --- for the handles of services ----------------------------------------------------------------------------------

  get isClosed(): boolean {
    return this.state !== "attached";
  }

  changed(service: Service, before: Service): void {
    if (service.ttlSeconds !== before.ttlSeconds) {
      this.ttls.remove(before.ttlSeconds);
      this.ttls.add(service.ttlSeconds);
    }
    for (const { link } of this.active.values()) link.publish(service);
  }

  withdrawn({ id, ttlSeconds }: Service): void {
    this.localServices.delete(id);
    this.ttls.remove(ttlSeconds);
    for (const { link } of this.active.values()) link.unpublish(id);
  }

  // --- for the links ------------------------------------------------------------------------------------------------

  services(): Iterable<Service> {
    return [...this.localServices.values()].reverse().map(({ current }) => current);
  }

  subscriptions(): Iterable<RelayedSubscription> {
    return [...this.subscribed.values()].reverse();
  }

  isSubscribed(subscriptionId: bigint): boolean {
    return this.subscribed.has(subscriptionId);
  }

  lowestTtlSeconds(): number {
    return this.ttls.lowest();
  }

  onMatch(source: number, subscriptionId: bigint, match: Match): void {
    this.subscribed.get(subscriptionId)?.merge.report(source, match);
  }

  onDown(source: number, removed: boolean): void {
    for (const { merge } of this.subscribed.values()) merge.disconnected(source, removed);
  }

  onDetached(link: Link): void {
    const { address } = link.config;
    if (this.active.get(address)?.link === link) this.active.delete(address);
    this.finishIfDetached();
  }

  // --- servers ------------------------------------------------------------------------------------------------------

  /** Never rejects. The next one begins a period after this one has ended, so that a slow file system is not pressed. */
  private async rescan(read: () => Promise<readonly ServerConfig[] | undefined>): Promise<void> {
    try {
      const servers = await read();
      if (servers && !this.isClosed) this.update(servers);
    } catch (error) {
      this.log.warning(() => `The servers of the domain can not be read: ${error}.`);
    }
    const { rescanSeconds } = this.options.settings;
    if (this.isClosed || !(rescanSeconds > 0)) return;
    const periodMs = rescanSeconds * 1000 * this.rescanFactor;
    this.rescanTimer = this.options.timers.after("rescan", periodMs, () => void this.rescan(read));
  }

  /** Links of servers that are gone or were changed end, those of new ones begin, the others do not notice (3.4). */
  private update(servers: readonly ServerConfig[]): void {
    const keys = new Map(servers.map((config) => [config.address, settingsKey(config)]));
    for (const [address, { key, link }] of [...this.active]) {
      if (keys.get(address) === key) continue;
      this.log.info(() => `${address}: ${keys.has(address) ? "The settings have changed" : "Not a server any more"}.`);
      this.active.delete(address);
      link.stop();
    }
    for (const config of servers) {
      if (this.active.has(config.address)) continue;
      const { connect, settings, clock, timers, random } = this.options;
      const link = new Link({
        source: this.nextSource++,
        config,
        clientId: this.clientId,
        owner: this,
        connect,
        settings,
        clock,
        timers,
        random,
        log: prefixed(this.log, () => `${config.address}: `),
      });
      this.active.set(config.address, { key: keys.get(config.address)!, link });
      link.start();
    }
  }
}

/** The canonical text, which every server understands, of a filter in either spelling (11). */
function canonicalFilter(text: string): string {
  const canonical = printFilter(parseFilter(text));
  const bytes = byteLength(text);
  if (bytes <= MAX_FILTER_BYTES) return canonical;
  throw new RangeError(`filter of ${bytes} bytes (at most ${MAX_FILTER_BYTES} accepted)`);
}
