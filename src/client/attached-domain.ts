/** What an application publishes and subscribes to, kept true over all servers of a domain (libpaf-client.md, 1, 2 and 10). */

import type { Match, Service, ServiceState } from "../core/directory-access.js";
import { type Logger, prefixed } from "../core/log.js";
import { printable } from "../core/printable.js";
import { onAbort } from "./abort-listeners.js";
import { checkCount, checkFunction, checkOptions, checkSignal, isSignal } from "./argument-checks.js";
import { Delivery } from "./delivery.js";
import type {
  CloseOptions,
  Domain,
  DomainSubscription,
  MatchesOptions,
  PublishOptions,
  WaitOptions,
} from "./domain.js";
import { DomainFileError } from "./domain-file.js";
import { type DomainMatch, domainMatch } from "./domain-match.js";
import type { DomainOptions } from "./domain-options.js";
import { DomainReaders } from "./domain-readers.js";
import { DomainSubscriptions } from "./domain-subscriptions.js";
import { DomainClosedError } from "./errors.js";
import { canonicalFilter, type FilterExpression } from "./filter-expression.js";
import { Link } from "./link.js";
import type { LinkOwner, LinkState, Refusal } from "./link-owner.js";
import type { MergedMatch } from "./match-merge.js";
import { ignorable, PendingConditions } from "./pending-conditions.js";
import {
  LocalService,
  type PublishedService,
  type Publisher,
  type ServerPublication,
  toTtl,
} from "./published-service.js";
import type { Operation, RelayedSubscription } from "./relay.js";
import type { ServerConfig } from "./server-config.js";
import { ServerLinks } from "./server-links.js";
import { toServers } from "./server-list.js";
import { type PropertiesInput, toServiceProperties } from "./service-properties.js";
import type { ServiceView } from "./service-view.js";
import { TtlCounts } from "./ttl-counts.js";
import { wallClockTimers } from "./wall-clock-timers.js";

/** The time that `close` may take: this, and so much per service (10). */
const DETACH_MS = 500;
const DETACH_MS_PER_SERVICE = 1;

/** A service that was `put`: whoever did that keeps its handle. */
interface PlainService extends Pick<LocalService, "look" | "left"> {
  readonly current: Service;
}

/** What one server has, and what can be done there about what was `put`. */
export interface ServerServices {
  readonly services: ReadonlyMap<bigint, ServiceState>;
  /** Takes a service back. */
  readonly unpublish: (id: bigint) => void;
  /** Leaves it to whoever owns it there. */
  readonly forget: (id: bigint) => void;
}

export class AttachedDomain implements Domain, LinkOwner, Publisher {
  readonly clientId: bigint;
  private readonly log: Logger;
  private readonly localServices = new Map<bigint, LocalService | PlainService>();
  private readonly ttls = new TtlCounts();
  private readonly subscribed: DomainSubscriptions;
  private readonly readers = new DomainReaders((filter, onMatch) => this.addSubscription(filter, onMatch));
  private readonly delivery = new Delivery();
  private readonly servers: ServerLinks;
  private readonly connections = new PendingConditions();
  private fileError: DomainFileError | undefined;
  private state: "attached" | "detaching" | "closed" = "attached";
  private readonly closed: Promise<void>;
  private settleClosed!: () => void;
  /** Called once, when the domain has been left. */
  onClosed: () => void = () => {};

  constructor(private readonly options: DomainOptions) {
    const { clock, timers, random, name } = options;
    this.clientId = options.clientId;
    this.log = name === undefined ? options.log : prefixed(options.log, () => `${name}: `);
    this.closed = new Promise((resolve) => {
      this.settleClosed = resolve;
    });
    const makeLink = (config: ServerConfig, source: number) => this.makeLink(config, source);
    const onRead = (reason: string | undefined) => this.onRead(reason);
    this.servers = new ServerLinks({ makeLink, timers, random, log: this.log, onRead });
    this.subscribed = new DomainSubscriptions({
      clock,
      timers: wallClockTimers(clock, timers),
      limits: options.limits,
      delivery: this.delivery,
      addressOf: (source) => this.servers.addressOf(source),
    });
    if (typeof options.servers === "function") this.servers.follow(options.servers, options.settings.rescanSeconds);
    else this.servers.update(options.servers);
  }

  // --- for the application ------------------------------------------------------------------------------------------

  publish(input: PropertiesInput, options?: PublishOptions): PublishedService {
    this.mustBeAttached();
    const { ttlSeconds = this.options.settings.ttlSeconds } = checkOptions("publish(): options", options);
    const properties = toServiceProperties(input);
    const ttl = toTtl(ttlSeconds);
    const service = { id: this.options.randomId(), generation: 0n, ttlSeconds: ttl, properties };
    const local = new LocalService(this, service);
    this.hold(local);
    return local;
  }

  subscribe(filter: string | FilterExpression | undefined, onMatch: (match: DomainMatch) => void): DomainSubscription {
    checkFunction("subscribe(): onMatch", onMatch);
    return this.addSubscription(filter, (match) => onMatch(domainMatch(match)));
  }

  matches(filter?: string | FilterExpression, options?: MatchesOptions): AsyncIterableIterator<DomainMatch> {
    return this.readers.matches(filter, options);
  }

  watch(filter?: string | FilterExpression, options?: MatchesOptions): ServiceView {
    return this.readers.watch(filter, options);
  }

  setServers(given: readonly (string | ServerConfig)[]): void {
    this.mustBeAttached();
    if (typeof this.options.servers === "function") {
      throw new TypeError("the servers of a domain attached to by name are those of its file");
    }
    this.servers.update(toServers(given));
  }

  get links(): readonly LinkState[] {
    return this.servers.states;
  }

  get domainFileError(): DomainFileError | undefined {
    return this.fileError;
  }

  connected(options?: WaitOptions): Promise<void> {
    const { servers = 1, signal } = checkOptions("connected(): options", options);
    checkCount("connected(): servers", servers);
    checkSignal("connected(): signal", signal);
    if (this.isClosed) return ignorable(Promise.reject(new DomainClosedError()));
    const isConnected = () => this.links.filter(({ state }) => state === "operational").length >= servers;
    return this.connections.until(isConnected, signal);
  }

  close(options?: CloseOptions): Promise<void> {
    if (this.state === "closed") return this.closed;
    const signal: unknown = options?.signal;
    if (!isSignal(signal)) {
      if (signal !== undefined)
        this.log.error(() => "close(): what is given as its signal is none, and is not heeded.");
    } else if (signal.aborted) this.abandon();
    else void this.closed.then(onAbort(signal, () => this.abandon()));
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

  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  // --- for whoever chooses ids and generations (remote-directory.ts) ------------------------------------------------

  /** Publishes a service, or another state of it, under the id and the generation that it has. */
  put(service: Service): void {
    this.mustBeAttached();
    const before = this.localServices.get(service.id)?.current;
    if (before) this.ttls.remove(before.ttlSeconds);
    this.hold({ current: service, look() {}, left() {} });
  }

  /** What was `put` stays where it is, but no further connection publishes it. */
  lapse(id: bigint): void {
    const present = this.localServices.get(id)?.current;
    if (!present) return;
    this.localServices.delete(id);
    this.ttls.remove(present.ttlSeconds);
  }

  /** Forgets what was `put`, and leaves it on the servers: somebody else owns it there. */
  forget(id: bigint): void {
    this.lapse(id);
    for (const link of this.servers.all) link.forget(id);
  }

  /** As `subscribe`, but told of each service as a server has reported it. Changes of properties are told, no others. */
  subscribeStates(filter: string | undefined, onMatch: (match: Match) => void): DomainSubscription {
    return this.addSubscription(filter, (match) => {
      if (match.type === "disappeared") onMatch({ type: match.type, serviceId: match.serviceId });
      else onMatch({ type: match.type, service: match.service });
    });
  }

  /** What each server has now that can be asked. */
  async listServices(): Promise<readonly ServerServices[]> {
    const lists = this.servers.all.map(async (link): Promise<readonly ServerServices[]> => {
      const list = await link.listServices()?.catch(() => undefined);
      if (!list) return [];
      const services = new Map(list.map((service) => [service.id, service]));
      return [{ services, unpublish: (id) => link.unpublish(id), forget: (id) => link.forget(id) }];
    });
    return (await Promise.all(lists)).flat();
  }

  private hold(local: LocalService | PlainService): void {
    const { current } = local;
    this.localServices.set(current.id, local);
    this.ttls.add(current.ttlSeconds);
    for (const link of this.servers.all) link.publish(current);
  }

  private addSubscription(
    given: string | FilterExpression | undefined,
    onMatch: (match: MergedMatch) => void,
  ): DomainSubscription {
    this.mustBeAttached();
    const filter = given === undefined ? undefined : canonicalFilter(given);
    const id = this.options.randomId();
    const subscription = this.subscribed.add(id, filter, onMatch);
    for (const link of this.servers.all) link.subscribe(subscription);
    return {
      id,
      cancel: () => {
        if (!this.subscribed.remove(id)) return;
        for (const link of this.servers.all) link.unsubscribe(id);
      },
    };
  }

  /** Ends what concerns matches, services and servers; the links are still there. */
  private leave(): void {
    this.servers.end();
    this.subscribed.clear();
    for (const service of this.localServices.values()) service.left();
    this.localServices.clear();
    this.readers.end();
    this.connections.fail(new DomainClosedError());
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

  publications(serviceId: bigint): readonly ServerPublication[] {
    return this.servers.all.map((link) => {
      const { isPublished, refusal } = link.publication(serviceId);
      const state = isPublished ? "published" : refusal ? "refused" : "pending";
      return { address: link.config.address, state, ...(refusal ? { error: refusal } : {}) };
    });
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
    return this.subscribed.all();
  }

  lowestTtlSeconds(): number {
    return this.ttls.lowest();
  }

  onMatch(source: number, subscriptionId: bigint, match: Match): void {
    this.subscribed.report(source, subscriptionId, match);
  }

  onDown(source: number, removed: boolean): void {
    this.subscribed.disconnected(source, removed);
  }

  onDistrusted(source: number): void {
    this.subscribed.discard(source);
  }

  onLinkState(state: LinkState): void {
    const { onLinkState } = this.options.callbacks;
    if (onLinkState) this.delivery.add(state, onLinkState);
    this.connections.look();
  }

  onPublished(serviceId: bigint): void {
    this.localServices.get(serviceId)?.look();
  }

  onRefused(refusal: Refusal): void {
    const { onRefused } = this.options.callbacks;
    if (onRefused) this.delivery.add(refusal, onRefused);
  }

  onOutcome(operation: Operation, refusal: Error | undefined): void {
    this.options.onOutcome?.(operation, refusal);
  }

  onDetached(source: number): void {
    this.servers.remove(source);
    this.finishIfDetached();
  }

  /** Why the domain file can not be used is told once, until it changes. */
  private onRead(reason: string | undefined): void {
    const text = reason === undefined ? undefined : printable(reason);
    if (text === this.fileError?.message) return;
    this.fileError = text === undefined ? undefined : new DomainFileError(text);
    if (!this.fileError) return;
    this.log.warning(() => `${text}. The servers stay as they are.`);
    const { onDomainFileError } = this.options.callbacks;
    if (onDomainFileError) this.delivery.add(this.fileError, onDomainFileError);
  }

  private makeLink(config: ServerConfig, source: number): Link {
    const log = prefixed(this.log, () => `${config.address}: `);
    return new Link({ ...this.options, source, config, owner: this, log });
  }
}

// Node.js has the symbol since 18.18.
if (Symbol.asyncDispose) {
  Object.defineProperty(AttachedDomain.prototype, Symbol.asyncDispose, {
    value(this: AttachedDomain): Promise<void> {
      return this.close();
    },
  });
}
