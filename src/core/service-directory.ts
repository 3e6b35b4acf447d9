/**
 * The directory of one domain: the one place where its services, subscriptions, clients and orphans live
 * (pathfinder-protocol.md, 10 and 11). Synchronous; ids in two halves (uint63.ts). Connections use it directly;
 * gateways through local-directory.ts.
 *
 * It tells subscribers about a change from within the call that made it. A sink must not call back into the directory.
 */

import { BlockStore, NO_BLOCK } from "./blocks.js";
import type { Clock, Random, Timers } from "./clock.js";
import {
  APPEARED,
  Client,
  DISAPPEARED,
  MODIFIED,
  NOT_ORPHAN,
  ServiceCursor,
  ServiceEntry,
  Subscription,
  type SubscriptionSink,
} from "./entries.js";
import type { PublishOutcome, UnpublishOutcome } from "./fail-reason.js";
import { FilterCompiler, matches } from "./filter/program.js";
import { type Filter, parseFilter } from "./filter/syntax.js";
import { IdTable } from "./id-table.js";
import { type DomainLimits, ResourceCounter, UNLIMITED } from "./limits.js";
import { MatchingIndex } from "./matching.js";
import { PairHash } from "./pair-hash.js";
import { RecordBuilder, recordWords, sameRecords } from "./record.js";
import { compare } from "./uint63.js";

export interface ServiceDirectoryOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly limits?: DomainLimits;
}

export class ServiceDirectory {
  readonly store = new BlockStore();
  readonly hash: PairHash;
  /** For the one publish being prepared; see `publish`. */
  readonly builder: RecordBuilder;
  readonly counter: ResourceCounter;
  private readonly services: IdTable<ServiceEntry>;
  private readonly subscriptionsById: IdTable<Subscription>;
  private readonly clients: IdTable<Client>;
  /** In order of creation. */
  private readonly subscriptionsInOrder = new Set<Subscription>();
  private readonly index: MatchingIndex<Subscription>;
  private readonly compiler: FilterCompiler;
  private readonly cursors = new Set<ServiceCursor>();
  private first: ServiceEntry | undefined = undefined;
  private last: ServiceEntry | undefined = undefined;
  private sequence = 0;
  private changes = 0;

  constructor(private readonly options: ServiceDirectoryOptions) {
    const word = () => Math.floor(options.random() * 0x1_0000_0000) | 0;
    this.hash = new PairHash(word(), word());
    this.builder = new RecordBuilder(this.hash);
    this.compiler = new FilterCompiler(this.store, this.hash);
    this.index = new MatchingIndex(this.store, this.hash);
    this.services = new IdTable(word());
    this.subscriptionsById = new IdTable(word());
    this.clients = new IdTable(word());
    this.counter = new ResourceCounter(options.limits ?? { total: UNLIMITED, user: UNLIMITED });
  }

  /** The `sequence` of the newest service or subscription. */
  get lastSequence(): number {
    return this.sequence;
  }

  // --- clients -----------------------------------------------------------------------------------------------------

  client(idHi: number, idLo: number): Client | undefined {
    return this.clients.get(idHi, idLo);
  }

  /** A client comes (back). The orphans of the same client id stay orphans until they are published again. */
  connect(
    idHi: number,
    idLo: number,
    user: string,
    isLocal = false,
  ): Client | "client-id-exists" | "permission-denied" | "insufficient-resources" {
    const known = this.clients.get(idHi, idLo);
    if (known?.connected) return "client-id-exists";
    if (known && known.user !== user) return "permission-denied";
    if (!isLocal && !this.counter.take("clients", user)) return "insufficient-resources";
    if (known) {
      known.connected = true;
      known.isLocal = isLocal;
      return known;
    }
    const client = new Client(idHi, idLo, user, isLocal);
    this.clients.set(idHi, idLo, client);
    return client;
  }

  /** A client goes, for whatever reason: its subscriptions vanish silently, then its services become orphans (10.3). */
  disconnect(client: Client): void {
    for (const subscription of [...client.subscriptions]) this.removeSubscription(subscription);
    client.connected = false;
    if (!client.isLocal) this.counter.giveBack("clients", client.user);
    const now = this.options.clock.unixSeconds();
    for (const service of [...client.services]) if (!service.isOrphan) this.makeOrphan(service, now);
    this.forgetIfUnused(client);
  }

  // --- services ----------------------------------------------------------------------------------------------------

  get serviceCount(): number {
    return this.services.size;
  }

  service(idHi: number, idLo: number): ServiceEntry | undefined {
    return this.services.get(idHi, idLo);
  }

  /** Publishes the properties that stand in `builder` (10.2). */
  publish(
    client: Client,
    idHi: number,
    idLo: number,
    generationHi: number,
    generationLo: number,
    ttlHi: number,
    ttlLo: number,
  ): PublishOutcome {
    const { builder, store } = this;
    const service = this.services.get(idHi, idLo);
    if (service === undefined) {
      if (builder.tooLarge || !this.counter.take("services", client.user, client.isLocal))
        return "insufficient-resources";
      const created = new ServiceEntry(idHi, idLo, client.user, ++this.sequence);
      this.services.set(idHi, idLo, created);
      this.append(created);
      this.state(created, client, generationHi, generationLo, ttlHi, ttlLo);
      created.record = store.store(builder.page, 0, builder.page.words[0]);
      this.notify(created, NO_BLOCK, created.record);
      return "ok";
    }
    if (service.user !== client.user) return "permission-denied";
    const order = compare(generationHi, generationLo, service.generationHi, service.generationLo);
    if (order < 0) return "old-generation";
    if (order === 0) {
      const same =
        ttlHi === service.ttlHi &&
        ttlLo === service.ttlLo &&
        !builder.tooLarge &&
        sameRecords(builder.page, 0, store.page(service.record), store.at(service.record));
      if (!same) return "same-generation-but-different";
      if (service.owner !== client || service.isOrphan) this.takeOver(service, client);
      return "ok";
    }
    if (builder.tooLarge) return "insufficient-resources";
    const before = service.record;
    const record = store.store(builder.page, 0, builder.page.words[0]);
    this.leaveOwner(service, client);
    this.state(service, client, generationHi, generationLo, ttlHi, ttlLo);
    service.record = record;
    this.notify(service, before, record);
    this.releaseRecord(before);
    return "ok";
  }

  /** Withdraws a service; orphans and services of others are first taken over, and that is announced (10.4). */
  unpublish(client: Client, idHi: number, idLo: number): UnpublishOutcome {
    const service = this.services.get(idHi, idLo);
    if (service === undefined) return "non-existent-service-id";
    if (service.user !== client.user) return "permission-denied";
    if (service.owner !== client || service.isOrphan) this.takeOver(service, client);
    this.remove(service);
    return "ok";
  }

  /** Ends the ownership of a service of this client, as if the client had gone. */
  orphan(client: Client, idHi: number, idLo: number): void {
    const service = this.services.get(idHi, idLo);
    if (service === undefined || service.owner !== client || service.isOrphan) return;
    this.makeOrphan(service, this.options.clock.unixSeconds());
  }

  /** A walk over all services; must be given to `closeCursor` unless it was walked to its end. */
  openCursor(): ServiceCursor {
    const cursor = new ServiceCursor(this.first, this.sequence);
    if (!cursor.done) this.cursors.add(cursor);
    return cursor;
  }

  /**
   * One step of the walk: the next service if it satisfies the program (NO_BLOCK: any), else `undefined`; `done` tells
   * whether that was the last one. A step evaluates one filter at most, so that whoever walks can stop between any two.
   */
  advance(cursor: ServiceCursor, program: number): ServiceEntry | undefined {
    const service = cursor.next;
    if (service === undefined) return undefined;
    cursor.step();
    if (cursor.done) this.cursors.delete(cursor);
    return matches(this.store, program, service.record) ? service : undefined;
  }

  closeCursor(cursor: ServiceCursor): void {
    cursor.next = undefined;
    this.cursors.delete(cursor);
  }

  // --- subscriptions -----------------------------------------------------------------------------------------------

  /** In order of creation. */
  get subscriptions(): ReadonlySet<Subscription> {
    return this.subscriptionsInOrder;
  }

  subscription(idHi: number, idLo: number): Subscription | undefined {
    return this.subscriptionsById.get(idHi, idLo);
  }

  /**
   * Makes a subscription. Its `initial` walk is for the caller to take (with `advance`), announcing each service as
   * appeared; changes to services that it has not yet come to are not reported. Throws a `FilterSyntaxError`.
   */
  subscribe(
    client: Client,
    idHi: number,
    idLo: number,
    filter: string | undefined,
    sink: SubscriptionSink,
  ): Subscription | "subscription-id-exists" | "insufficient-resources" {
    const parsed = filter === undefined ? undefined : parseFilter(filter);
    if (this.subscriptionsById.get(idHi, idLo)) return "subscription-id-exists";
    if (!this.counter.take("subscriptions", client.user, client.isLocal)) return "insufficient-resources";
    const program = parsed ? this.compiler.compile(parsed) : NO_BLOCK;
    const subscription = new Subscription(idHi, idLo, client, program, sink, ++this.sequence);
    this.subscriptionsById.set(idHi, idLo, subscription);
    this.subscriptionsInOrder.add(subscription);
    client.subscriptions.add(subscription);
    this.index.add(subscription, parsed);
    const cursor = this.openCursor();
    if (!cursor.done) subscription.initial = cursor;
    return subscription;
  }

  removeSubscription(subscription: Subscription): void {
    if (!this.subscriptionsById.delete(subscription.idHi, subscription.idLo)) return;
    this.subscriptionsInOrder.delete(subscription);
    subscription.client.subscriptions.delete(subscription);
    this.index.remove(subscription);
    if (subscription.initial) this.closeCursor(subscription.initial);
    subscription.initial = undefined;
    if (subscription.program !== NO_BLOCK) this.compiler.release(subscription.program);
    this.counter.giveBack("subscriptions", subscription.client.user);
  }

  /** Compiles a filter for use with `advance`; to be given back to `releaseFilter`. Throws a `FilterSyntaxError`. */
  compileFilter(filter: string | Filter): number {
    return this.compiler.compile(typeof filter === "string" ? parseFilter(filter) : filter);
  }

  releaseFilter(program: number): void {
    if (program !== NO_BLOCK) this.compiler.release(program);
  }

  // --- state changes -----------------------------------------------------------------------------------------------

  /** Takes over everything but the properties from a publish request. */
  private state(
    service: ServiceEntry,
    client: Client,
    generationHi: number,
    generationLo: number,
    ttlHi: number,
    ttlLo: number,
  ): void {
    service.generationHi = generationHi;
    service.generationLo = generationLo;
    service.ttlHi = ttlHi;
    service.ttlLo = ttlLo;
    this.joinOwner(service, client);
  }

  /** The service belongs to `client` now, and is no orphan any more; nothing else changes. */
  private takeOver(service: ServiceEntry, client: Client): void {
    this.leaveOwner(service, client);
    this.joinOwner(service, client);
    this.notify(service, service.record, service.record);
  }

  private joinOwner(service: ServiceEntry, client: Client): void {
    service.owner = client;
    client.services.add(service);
    client.lowerTtl(service.ttlSeconds);
  }

  /** `next`: who takes it over. An owner that keeps a service keeps its place in the order of publication (10.3). */
  private leaveOwner(service: ServiceEntry, next?: Client): void {
    const { owner } = service;
    if (owner !== next) owner.services.delete(service);
    owner.raiseTtl(service.ttlSeconds);
    service.orphanSinceUnix = NOT_ORPHAN;
    service.expiry?.cancel();
    service.expiry = undefined;
    this.forgetIfUnused(owner);
  }

  private makeOrphan(service: ServiceEntry, nowUnix: number): void {
    service.orphanSinceUnix = nowUnix;
    service.owner.raiseTtl(service.ttlSeconds); // it does not keep this one alive any more
    service.expiry = this.options.timers.after("orphan", service.ttlSeconds * 1000, () => this.remove(service));
    this.notify(service, service.record, service.record);
  }

  private remove(service: ServiceEntry): void {
    this.services.delete(service.idHi, service.idLo);
    this.leaveOwner(service);
    this.counter.giveBack("services", service.user);
    // Before it is unlinked: a walk that has not come to it yet must still be seen as being before it.
    this.notify(service, service.record, NO_BLOCK);
    this.unlink(service);
    this.releaseRecord(service.record);
    service.record = NO_BLOCK;
  }

  private releaseRecord(record: number): void {
    this.store.release(record, recordWords(this.store.page(record), this.store.at(record)));
  }

  private forgetIfUnused(client: Client): void {
    if (!client.connected && client.services.size === 0) this.clients.delete(client.idHi, client.idLo);
  }

  private append(service: ServiceEntry): void {
    service.previous = this.last;
    if (this.last) this.last.next = service;
    else this.first = service;
    this.last = service;
  }

  private unlink(service: ServiceEntry): void {
    for (const cursor of this.cursors) {
      if (cursor.next !== service) continue;
      cursor.step();
      if (cursor.done) this.cursors.delete(cursor);
    }
    if (service.previous) service.previous.next = service.next;
    else this.first = service.next;
    if (service.next) service.next.previous = service.previous;
    else this.last = service.previous;
    service.previous = undefined;
    service.next = undefined;
  }

  /** HOT: tells every subscription concerned about a change from one record to another (11.1). */
  private notify(service: ServiceEntry, before: number, after: number): void {
    service.change = ++this.changes;
    const { store } = this;
    const candidates = this.index.lookup(before, after);
    for (let i = 0; i < candidates.length; i++) {
      const subscription = candidates[i];
      const { program } = subscription;
      const matchedBefore = before !== NO_BLOCK && matches(store, program, before);
      const matchesNow = after === before ? matchedBefore : after !== NO_BLOCK && matches(store, program, after);
      if (!matchedBefore && !matchesNow) continue;
      if (subscription.initial?.isBefore(service)) continue; // it will be announced when the walk comes to it
      subscription.sink.onMatch(
        subscription,
        matchesNow ? (matchedBefore ? MODIFIED : APPEARED) : DISAPPEARED,
        service,
      );
    }
  }
}
