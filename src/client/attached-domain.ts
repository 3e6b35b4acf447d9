/** What an application publishes and subscribes to, kept true over all servers of a domain (libpaf-client.md, 1, 2 and 10). */

import type { Clock, Random, Timers } from "../core/clock.js";
import type { Match, Service, ServiceState } from "../core/directory-access.js";
import { parseFilter, printFilter } from "../core/filter/syntax.js";
import { type Logger, prefixed } from "../core/log.js";
import { byteLength } from "../core/text.js";
import { onAbort } from "./abort-listeners.js";
import { Delivery } from "./delivery.js";
import type { CloseOptions, Domain, DomainSubscription, MatchesOptions } from "./domain.js";
import { DomainClosedError } from "./errors.js";
import type { FilterExpression } from "./filter-expression.js";
import { Link } from "./link.js";
import type { LinkOwner, LinkSettings, LinkState } from "./link-owner.js";
import type { ConnectSession } from "./link-session.js";
import { MatchIterator } from "./match-iterator.js";
import { type DomainMatch, MatchMerge } from "./match-merge.js";
import { LocalService, type PublishedService, type Publisher, toTtl } from "./published-service.js";
import type { Operation, RelayedSubscription } from "./relay.js";
import type { ServerConfig } from "./server-config.js";
import type { ServerLimits } from "./server-limits.js";
import { type ReadServers, ServerLinks } from "./server-links.js";
import { checkServers } from "./server-list.js";
import { type PropertiesInput, toServiceProperties } from "./service-properties.js";
import { TtlCounts } from "./ttl-counts.js";
import { wallClockTimers } from "./wall-clock-timers.js";

/** Longest filter in bytes (2.2). */
export const MAX_FILTER_BYTES = 8192;

/** The time that `close` may take: this, and so much per service (10). */
const DETACH_MS = 500;
const DETACH_MS_PER_SERVICE = 1;

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
  /** What a server may make us hold. */
  readonly limits: ServerLimits;
  /** Every message is told at debug level. */
  readonly traceMessages: boolean;
  /** Told of every answer of a server. */
  readonly onOutcome?: (operation: Operation, refusal: Error | undefined) => void;
}

interface Subscribed extends RelayedSubscription {
  readonly merge: MatchMerge;
}

export class AttachedDomain implements Domain, LinkOwner, Publisher {
  readonly clientId: bigint;
  private readonly log: Logger;
  private readonly localServices = new Map<bigint, { readonly current: Service }>();
  private readonly ttls = new TtlCounts();
  private readonly subscribed = new Map<bigint, Subscribed>();
  private readonly iterators = new Set<MatchIterator>();
  private readonly delivery = new Delivery();
  private readonly wallTimers: Timers;
  private readonly servers: ServerLinks;
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
    this.closed = new Promise((resolve) => {
      this.settleClosed = resolve;
    });
    const makeLink = (config: ServerConfig, source: number) => this.makeLink(config, source);
    this.servers = new ServerLinks({ makeLink, timers, random, log: this.log });
    if (typeof options.servers === "function") this.servers.follow(options.servers, options.settings.rescanSeconds);
    else this.setServers(options.servers);
  }

  // --- for the application ------------------------------------------------------------------------------------------

  publish(input: PropertiesInput, { ttlSeconds = this.options.settings.ttlSeconds } = {}): PublishedService {
    this.mustBeAttached();
    const properties = toServiceProperties(input);
    const ttl = toTtl(ttlSeconds);
    const service = { id: this.options.randomId(), generation: 0n, ttlSeconds: ttl, properties };
    const local = new LocalService(this, service);
    this.put(service, local);
    return local;
  }

  subscribe(filter: string | FilterExpression | undefined, onMatch: (match: DomainMatch) => void): DomainSubscription {
    return this.subscribeWith(filter, onMatch);
  }

  /** As `subscribe`, but told of each service as a server has reported it. Changes of properties are told, no others. */
  subscribeStates(filter: string | undefined, onMatch: (match: Match) => void): DomainSubscription {
    return this.subscribeWith(filter, ({ type, serviceId }, service) => {
      if (type === "disappeared") onMatch({ type, serviceId });
      else onMatch({ type, service: service! });
    });
  }

  /** Publishes a service, or another state of it, under an id and a generation that the caller has chosen. */
  put(service: Service, local: { readonly current: Service } = { current: service }): void {
    this.mustBeAttached();
    const before = this.localServices.get(service.id)?.current;
    if (before) this.ttls.remove(before.ttlSeconds);
    this.ttls.add(service.ttlSeconds);
    this.localServices.set(service.id, local);
    for (const link of this.servers.all) link.publish(service);
  }

  /** Takes back what was `put`; nothing happens if it was not. */
  take(id: bigint): void {
    const present = this.localServices.get(id)?.current;
    if (present) this.withdrawn(present);
  }

  /** Forgets what was `put`, and leaves it on the servers: somebody else owns it there. */
  forget(id: bigint): void {
    const present = this.localServices.get(id)?.current;
    if (!present) return;
    this.localServices.delete(id);
    this.ttls.remove(present.ttlSeconds);
    for (const link of this.servers.all) link.forget(id);
  }

  /** Every service that a server has now, in its latest generation. Empty without a connection. */
  async listServices(): Promise<ReadonlyMap<bigint, ServiceState>> {
    const lists = this.servers.all.map((link) => link.listServices()?.catch(() => []));
    const latest = new Map<bigint, ServiceState>();
    for (const service of (await Promise.all(lists)).flatMap((list) => list ?? [])) {
      const known = latest.get(service.id);
      if (!known || known.generation < service.generation) latest.set(service.id, service);
    }
    return latest;
  }

  private subscribeWith(
    filter: string | FilterExpression | undefined,
    onMatch: (match: DomainMatch, service: ServiceState | undefined) => void,
  ): DomainSubscription {
    this.mustBeAttached();
    const text = filter === undefined ? undefined : canonicalFilter(String(filter));
    const id = this.options.randomId();
    const merge = new MatchMerge({
      announce: (match, service) => this.delivery.add({ match, service }, deliver),
      clock: this.options.clock,
      timers: this.wallTimers,
      limits: this.options.limits,
      addressOf: (source) => this.servers.addressOf(source),
    });
    const subscription: Subscribed = { id, filter: text, merge };
    const deliver = ({ match, service }: { match: DomainMatch; service: ServiceState | undefined }) => {
      if (this.subscribed.get(id) === subscription) onMatch(match, service);
    };
    this.subscribed.set(id, subscription);
    for (const link of this.servers.all) link.subscribe(subscription);
    return {
      id,
      cancel: () => {
        if (this.subscribed.get(id) !== subscription) return;
        this.subscribed.delete(id);
        merge.clear();
        for (const link of this.servers.all) link.unsubscribe(id);
      },
    };
  }

  matches(filter?: string | FilterExpression, { signal }: MatchesOptions = {}): AsyncIterableIterator<DomainMatch> {
    const subscription = this.subscribe(filter, (match) => iterator.push(match));
    let forget = () => {};
    const iterator = new MatchIterator(() => {
      this.iterators.delete(iterator);
      forget();
      subscription.cancel();
    });
    this.iterators.add(iterator);
    if (signal?.aborted) iterator.end();
    else if (signal) forget = onAbort(signal, () => iterator.end());
    return iterator;
  }

  setServers(servers: readonly ServerConfig[]): void {
    this.mustBeAttached();
    if (typeof this.options.servers === "function") {
      throw new TypeError("the servers of a domain attached to by name are those of its file");
    }
    checkServers(servers);
    this.servers.update(servers);
  }

  get links(): readonly LinkState[] {
    return this.servers.states;
  }

  close({ signal }: CloseOptions = {}): Promise<void> {
    if (this.state === "closed") return this.closed;
    if (signal?.aborted) this.abandon();
    else if (signal) void this.closed.then(onAbort(signal, () => this.abandon()));
    if (this.state !== "attached") return this.closed;
    this.state = "detaching";
    const limitMs = DETACH_MS + DETACH_MS_PER_SERVICE * this.localServices.size;
    this.leave();
    for (const link of this.servers.all) link.detach(limitMs);
    this.finishIfDetached();
    return this.closed;
  }

  abandon(): void {
    if (this.state === "closed") return;
    this.state = "detaching";
    this.leave();
    for (const link of this.servers.all) link.stop();
    this.finishIfDetached();
  }

  /** Ends what concerns matches, services and servers; the links are still there. */
  private leave(): void {
    this.servers.end();
    for (const { merge } of this.subscribed.values()) merge.clear();
    this.subscribed.clear();
    this.localServices.clear();
    for (const iterator of [...this.iterators]) iterator.end();
  }

  private finishIfDetached(): void {
    if (this.state !== "detaching" || this.servers.size > 0) return;
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
    for (const link of this.servers.all) link.publish(service);
  }

  withdrawn({ id, ttlSeconds }: Service): void {
    this.localServices.delete(id);
    this.ttls.remove(ttlSeconds);
    for (const link of this.servers.all) link.unpublish(id);
  }

  // --- for the links ------------------------------------------------------------------------------------------------

  services(): Iterable<Service> {
    return [...this.localServices.values()].reverse().map(({ current }) => current);
  }

  subscriptions(): Iterable<RelayedSubscription> {
    return [...this.subscribed.values()].reverse();
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

  onDistrusted(source: number): void {
    for (const { merge } of this.subscribed.values()) merge.discard(source);
  }

  onOutcome(operation: Operation, refusal: Error | undefined): void {
    this.options.onOutcome?.(operation, refusal);
  }

  onDetached(source: number): void {
    this.servers.remove(source);
    this.finishIfDetached();
  }

  private makeLink(config: ServerConfig, source: number): Link {
    const { connect, settings, clock, timers, random, traceMessages } = this.options;
    const log = prefixed(this.log, () => `${config.address}: `);
    const { clientId } = this;
    return new Link({
      source,
      config,
      clientId,
      owner: this,
      connect,
      settings,
      clock,
      timers,
      random,
      log,
      traceMessages,
    });
  }
}

/** The canonical text, which every server understands, of a filter in either spelling (11). */
function canonicalFilter(text: string): string {
  const canonical = printFilter(parseFilter(text));
  const bytes = byteLength(text);
  if (bytes <= MAX_FILTER_BYTES) return canonical;
  throw new RangeError(`filter of ${bytes} bytes (at most ${MAX_FILTER_BYTES} accepted)`);
}
