/**
 * The responder of one link (an interface, by IPv4 or IPv6): claims names, announces, answers, says goodbye (RFC 6762).
 *
 * Pure: messages come in through `query` and `response` and go out through `send`, time comes from the injected clock.
 * The same service is on several links under one name; which name that is, the publisher decides (publisher.ts).
 */

import type { Clock, Random, Timer, Timers } from "../../../core/clock.js";
import type { Peer } from "../link.js";
import type { OutgoingMessage } from "../messages.js";
import { nameKey } from "../names.js";
import type { DecodedMessage, DecodedRecord } from "../records.js";
import { Answering } from "./answering.js";
import type { Claim } from "./claim.js";
import { Claims } from "./claims.js";
import { Farewells } from "./farewells.js";
import { proxyHost } from "./labels.js";
import { heardKey, type OwnRecord } from "./own-records.js";
import { announcements, probes } from "./packing.js";
import type { OutboundHost, OutboundService } from "./service-records.js";
import { Spread } from "./spread.js";
import { compareProposals } from "./tie-break.js";

export interface ResponderOptions {
  /** For the list of timers. */
  readonly linkName: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly send: (message: OutgoingMessage, to?: Peer) => void;
  /** Addresses as this link may show them: those of the interface, or of a proxied host without what is not for here. */
  readonly addressesOf: (host: OutboundHost) => readonly string[];
  /** Another record with one of our own addresses is no conflict: it came from another interface of ours. */
  readonly isOwnAddress: (address: string) => boolean;
  /** Somebody else has this name. The publisher chooses another one for it, and calls `put` again. */
  readonly onConflict: (name: string) => void;
}

/** How long another gateway's announcement of the same service is left alone: the life of its SRV, and a bit. */
const STANDBY_MS = { least: 120_000, most: 180_000 } as const;
/** After that gateway's goodbye. */
const TAKE_OVER_MS = { least: 1000, most: 2000 } as const;
/** Those whose time comes within this begin together and share packets: a gateway may leave hundreds of services. */
const STANDBY_GRID_MS = 200;

export class Responder {
  private readonly claims: Claims;
  private readonly answering: Answering;
  private spread: Spread;
  private readonly farewells: Farewells;
  private timer: Timer | undefined;
  private timerAtMs = Number.POSITIVE_INFINITY;
  /** When the first claim has something to do; absent: to be found anew. Queries come often, and do not change it. */
  private claimsAtMs: number | undefined;
  private isStopped = false;

  constructor(private readonly options: ResponderOptions) {
    const { random, send, addressesOf } = options;
    this.answering = new Answering({ random, send, zone: () => this.claims.zone });
    this.farewells = new Farewells({ send, isOurs: (record) => this.claims.own(record, record.key) !== undefined });
    this.claims = new Claims({
      addressesOf,
      now: () => this.now,
      sayGoodbye: (records, isPartial) => this.farewells.say(records, isPartial, this.now),
      forget: (records) => this.answering.forget(records),
    });
    this.spread = new Spread(options.random);
  }

  /** Answers to single peers that were not given. */
  get refusedReplies(): number {
    return this.answering.refused;
  }

  phases(): { readonly held: number; readonly probing: number; readonly standby: number } {
    const counts = { held: 0, probing: 0, standby: 0 };
    for (const { claim } of this.claims.claimed()) counts[claim.host?.phase === "standby" ? "standby" : claim.phase]++;
    return counts;
  }

  /** The link may lead elsewhere now: all names are probed anew, a few each second, and answered until it is their turn. */
  restart(): void {
    this.spread = new Spread(this.options.random);
    for (const { claim } of this.claims.claimed()) {
      const atMs = this.spread.next(this.now);
      claim.again(atMs);
      claim.host?.again(atMs);
    }
    this.touch();
  }

  /**
   * Makes the link show this service (not if its host has no address here), or its new state; after `notBeforeMs` if its
   * name is new. `isContested`: somebody else has its former name here; the pointers to that are theirs, too.
   */
  put(service: OutboundService, notBeforeMs = Number.NEGATIVE_INFINITY, isContested = false): void {
    this.claims.put(service, this.spread, notBeforeMs, isContested);
    this.touch();
  }

  drop(serviceKey: string): void {
    this.claims.drop(serviceKey);
    this.touch();
  }

  /** The link may have other addresses: news of our own host, under the name that it has. */
  readdress(): void {
    this.claims.readdress();
    this.touch();
  }

  query(message: DecodedMessage, from: Peer): void {
    const { questions = [], authorities = [] } = message;
    // A probe asks for what it proposes (RFC 6762, 8.2); what else stands there means nothing.
    if (authorities.length > 0) {
      const asked = new Map(questions.map(({ name }) => [nameKey(name), [] as DecodedRecord[]]));
      for (const record of authorities) asked.get(nameKey(record.name))?.push(record);
      for (const [key, proposed] of asked) if (proposed.length > 0) this.compare(key, proposed);
    }
    this.answering.query(message, from, this.now);
    this.arm();
  }

  response({ answers = [], authorities = [], additionals = [] }: DecodedMessage): void {
    const records = [...answers, ...authorities, ...additionals].filter((record) => record.class === "IN");
    const conflicts = new Set<Claim>();
    for (const record of records) {
      const claim = this.claims.get(record.name);
      const key = heardKey(record);
      if (key === undefined) continue;
      if (claim && this.isConflict(claim, record, key)) conflicts.add(claim);
      else if (claim?.phase === "standby" && record.ttl === 0) this.takeOver(claim);
      else this.hearOwn(record, key);
    }
    // Instances first: what their TXT tells counts for their hosts, too.
    for (const claim of conflicts) if (claim.host) this.resolve(claim, records);
    for (const claim of conflicts) if (!claim.host) this.resolve(claim, records);
    this.arm();
  }

  /** Says goodbye, if there is anything to part from. Whether there was; then `repeatGoodbyes` a little later. */
  stop(): boolean {
    this.timer?.cancel();
    this.isStopped = true;
    const announced = this.claims.all().filter(({ isAnnounced }) => isAnnounced);
    const records = announced.flatMap(({ shared, unique }) => [...shared, ...unique]);
    this.claims.clear();
    const once = [...new Map(records.map((record) => [record.key, record])).values()];
    if (once.length > 0) this.farewells.say(once, false, this.now);
    return this.farewells.nextMs < Number.POSITIVE_INFINITY;
  }

  repeatGoodbyes(): void {
    this.farewells.repeat();
  }

  private get now(): number {
    return this.options.clock.monotonicMs();
  }

  /** Another host probes for the same name at the same time. */
  private compare(nameAsKey: string, theirs: readonly DecodedRecord[]): void {
    const claim = this.claims.get(nameAsKey);
    if (claim?.phase !== "probing") return;
    if (compareProposals(claim.unique, theirs) >= 0) return;
    claim.lostTie(this.now);
    this.claimsAtMs = undefined;
  }

  private isConflict(claim: Claim, { type, ttl = 0, data }: DecodedRecord, key: string): boolean {
    if (ttl === 0 || type === "NSEC" || claim.phase === "standby") return false;
    if (claim.unique.some((record) => record.key === key)) return false;
    if ((type === "A" || type === "AAAA") && this.options.isOwnAddress(data as string)) return false;
    return claim.phase === "probing" || claim.unique.some((record) => record.type === type);
  }

  /** While probing, the name is lost; later we probe again, and only then give it up (RFC 6762, 9). */
  private resolve(claim: Claim, records: readonly DecodedRecord[]): void {
    if (claim.phase === "standby") return; // since its instance is
    if (claim.phase === "held") {
      claim.restart(this.now);
      this.moved();
      return;
    }
    const isTwin = claim.host ? isMarked(claim, records) : this.isTwinHost(claim);
    if (isTwin) this.standBy(claim, STANDBY_MS);
    else if (isTwin === undefined && claim.askAgain(this.now)) this.claimsAtMs = undefined;
    else this.options.onConflict(claim.name);
  }

  /** Whether another gateway's host of this name is there for the same services. `undefined`: not known yet. */
  private isTwinHost(host: Claim): boolean | undefined {
    const services = this.claims.servicesOn(host);
    if (services.some(({ service }) => !service.host.addresses)) return false; // our own
    const isShared = services.some(
      ({ service, claim }) => claim.phase === "standby" || nameKey(host.name) === nameKey(proxyHost(service.sdid)),
    );
    return isShared || undefined;
  }

  private standBy(claim: Claim, { least, most }: { least: number; most: number }): void {
    const atMs = this.now + least + this.options.random() * (most - least);
    claim.standBy(Math.ceil(atMs / STANDBY_GRID_MS) * STANDBY_GRID_MS);
    if (claim.host) this.claims.rest(claim.host);
    this.moved();
  }

  /** The other gateway's goodbye. A host that is not needed follows its instances. */
  private takeOver(claim: Claim): void {
    if (claim.dueMs < Number.POSITIVE_INFINITY) this.standBy(claim, TAKE_OVER_MS);
  }

  /** A record of ours, maybe, from somebody else. */
  private hearOwn(record: DecodedRecord, key: string): void {
    const ours = this.claims.own(record, key);
    if (ours) this.answering.heard(ours, record.ttl ?? 0, this.now);
  }

  private wake(): void {
    this.timer = undefined;
    this.timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.now;
    if (this.claimsAtMs === undefined || this.claimsAtMs <= nowMs) this.stepClaims(nowMs);
    this.answering.flush(nowMs);
    this.farewells.repeatDue(nowMs);
    this.arm();
  }

  private stepClaims(nowMs: number): void {
    this.claimsAtMs = undefined;
    const probing: Claim[] = [];
    const announced: OwnRecord[] = [];
    // Hosts first: an instance whose host is sure now is announced along with it.
    const claims = this.claims.all().sort((a, b) => Number(a.host !== undefined) - Number(b.host !== undefined));
    for (const claim of claims) {
      const step = claim.step(nowMs);
      if (step === "probe") probing.push(claim);
      else if (step === "announce") announced.push(...claim.shared, ...claim.unique);
      if (step !== undefined) this.claims.touch();
    }
    for (const message of probes(probing)) this.options.send(message);
    const once = [...new Map(announced.map((record) => [record.key, record])).values()];
    for (const message of announcements(once)) this.options.send(message);
    this.answering.announced(once, nowMs);
  }

  /** Something about our names changed. */
  private touch(): void {
    this.moved();
    this.arm();
  }

  /** A claim is at another point than it was. */
  private moved(): void {
    this.claims.touch();
    this.claimsAtMs = undefined;
  }

  private nextClaimMs(): number {
    let atMs = Number.POSITIVE_INFINITY;
    for (const { dueMs } of this.claims.all()) atMs = Math.min(atMs, dueMs);
    return atMs;
  }

  private arm(): void {
    if (this.isStopped) return;
    this.claimsAtMs ??= this.nextClaimMs();
    const atMs = Math.min(this.answering.nextMs, this.claimsAtMs, this.farewells.nextMs);
    if (atMs === this.timerAtMs && this.timer) return;
    this.timer?.cancel();
    this.timer = undefined;
    this.timerAtMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.timer = this.options.timers.after(`mdns ${this.options.linkName} responder`, atMs - this.now, () =>
      this.wake(),
    );
  }
}

/** Whether these records show our service as another gateway announces it. `undefined`: without a TXT they do not tell. */
function isMarked({ name, sdid }: Claim, records: readonly DecodedRecord[]): boolean | undefined {
  const texts = records.filter(({ type, name: of }) => type === "TXT" && nameKey(of) === nameKey(name));
  if (texts.length === 0) return undefined;
  const mark = Buffer.from(`sdid=${sdid}`);
  return texts.some(({ data }) => (data as Buffer[]).some((string) => mark.equals(string)));
}
