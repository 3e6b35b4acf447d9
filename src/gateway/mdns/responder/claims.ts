/**
 * The names that one link is to have, as claims: those of services, and of the hosts that these are on. Which claims there
 * are follows what is published; how far each has come is the responder's business. Pure.
 */

import { nameKey } from "../names.js";
import type { DecodedRecord } from "../records.js";
import { META_QUERY } from "../service-names.js";
import { Claim } from "./claim.js";
import type { OwnRecord } from "./own-records.js";
import { hostRecordsOf, type OutboundHost, type OutboundService, serviceRecords } from "./service-records.js";
import type { Spread } from "./spread.js";
import { Zone } from "./zone.js";

export interface ClaimsOptions {
  readonly now: () => number;
  /** Addresses as this link may show them: those of the interface, or of a proxied host without what is not for here. */
  readonly addressesOf: (host: OutboundHost) => readonly string[];
  /** To part from these; `isPartial`: see `goodbyes`. */
  readonly sayGoodbye: (records: readonly OwnRecord[], isPartial: boolean) => void;
  /** Nothing of these is to be said any more. */
  readonly forget: (records: readonly OwnRecord[]) => void;
}

interface Claimed {
  readonly service: OutboundService;
  readonly claim: Claim;
}

export class Claims {
  /** By the key of their name; names of instances and hosts. */
  private readonly byName = new Map<string, Claim>();
  /** By the service's key. */
  private readonly services = new Map<string, Claimed>();
  /** Absent: to be made anew. */
  private currentZone: Zone | undefined;

  constructor(private readonly options: ClaimsOptions) {}

  get(name: string): Claim | undefined {
    return this.byName.get(nameKey(name));
  }

  /** Those of instances and hosts. */
  all(): Claim[] {
    return [...this.byName.values()];
  }

  /** Those of instances, with their services. */
  claimed(): Iterable<Claimed> {
    return this.services.values();
  }

  servicesOn(host: Claim): Claimed[] {
    return [...this.services.values()].filter(({ claim }) => claim.host === host);
  }

  /** What is ours now. */
  get zone(): Zone {
    this.currentZone ??= new Zone(this.all().filter((claim) => claim.isReady && claim.isAnnounced));
    return this.currentZone;
  }

  /**
   * The record of this key, if it is ours now. Told by what it belongs to: of the pointers to a type there are as many as
   * there are services, and others may state hundreds of records in a packet.
   */
  own({ name, type, data }: Pick<DecodedRecord, "name" | "type" | "data">, key: string): OwnRecord | undefined {
    if (nameKey(name) === META_QUERY || type === "NSEC") {
      return this.zone.answers({ name, type }).find((record) => record.key === key);
    }
    const claim = this.get(type === "PTR" ? (data as string) : name);
    if (!claim?.isReady || !claim.isAnnounced) return undefined;
    const isIt = (record: OwnRecord) => record.key === key;
    return type === "PTR" ? claim.shared.find(isIt) : claim.unique.find(isIt);
  }

  /** A claim got further, or fell back. */
  touch(): void {
    this.currentZone = undefined;
  }

  clear(): void {
    this.byName.clear();
    this.services.clear();
    this.touch();
  }

  /**
   * Makes the link show this service (not if its host has no address here), or its new state; after `notBeforeMs` if its
   * name is new. `isContested`: somebody else has its former name here; the pointers to that are theirs, too.
   */
  put(service: OutboundService, spread: Spread, notBeforeMs: number, isContested: boolean): void {
    if (this.options.addressesOf(service.host).length === 0) {
      this.drop(service.key);
      return;
    }
    const present = this.services.get(service.key);
    const isRenamed = present !== undefined && nameKey(present.claim.name) !== nameKey(service.name);
    if (present && !isRenamed) {
      this.change(service, present.claim, Math.max(notBeforeMs, this.now));
    } else {
      if (isRenamed) this.release(service.key, present.claim, isContested);
      this.claim(service, Math.max(notBeforeMs, spread.next(this.now)));
      if (isRenamed) this.dropUnusedHost(present.claim.host); // the new name may be on the same host
    }
    this.touch();
  }

  drop(serviceKey: string): void {
    const present = this.services.get(serviceKey);
    if (!present) return;
    this.release(serviceKey, present.claim, false);
    this.dropUnusedHost(present.claim.host);
    this.touch();
  }

  /** The link may have other addresses: news of our own host, under the name that it has. */
  readdress(): void {
    const done = new Set<Claim>();
    for (const { service, claim } of this.services.values()) {
      if (!claim.host || service.host.addresses || done.has(claim.host)) continue;
      done.add(claim.host);
      this.setHostRecords(claim.host, service.host);
    }
    this.touch();
  }

  /** A host on which all services are left to another gateway is left to it, too; what it knows of it may be newer. */
  rest(host: Claim): void {
    if (this.servicesOn(host).every(({ claim }) => claim.phase === "standby")) host.standBy();
  }

  private get now(): number {
    return this.options.now();
  }

  private release(serviceKey: string, claim: Claim, isContested: boolean): void {
    this.services.delete(serviceKey);
    this.byName.delete(nameKey(claim.name));
    this.touch();
    // Of its pointers only the one to its type may be another's, too.
    const isKept = ({ name, key }: OwnRecord) =>
      nameKey(name) === META_QUERY &&
      this.hasService((other) => other.claim.shared.some((record) => record.key === key));
    const shared = isContested ? [] : claim.shared.filter((record) => !isKept(record));
    if (claim.isAnnounced) this.options.sayGoodbye([...shared, ...claim.unique], isContested);
    this.options.forget([...shared, ...claim.unique]);
  }

  private hasService(fits: (claimed: Claimed) => boolean): boolean {
    for (const claimed of this.services.values()) if (fits(claimed)) return true;
    return false;
  }

  private claim(service: OutboundService, startMs: number): void {
    const host = this.hostClaim(service.host, startMs);
    host.wanted(startMs);
    const { unique, shared } = serviceRecords(service);
    const claim = new Claim(service.name, unique, shared, host, service.sdid, startMs);
    this.services.set(service.key, { service, claim });
    this.byName.set(nameKey(service.name), claim);
  }

  private hostClaim(host: OutboundHost, startMs: number): Claim {
    const present = this.byName.get(nameKey(host.name));
    if (present) {
      this.setHostRecords(present, host);
      return present;
    }
    const claim = new Claim(host.name, this.hostRecords(host), [], undefined, undefined, startMs);
    this.byName.set(nameKey(host.name), claim);
    return claim;
  }

  private hostRecords(host: OutboundHost): OwnRecord[] {
    return hostRecordsOf(host.name, this.options.addressesOf(host));
  }

  /** New addresses of a host are an update; one that several services share has what was stated last. */
  private setHostRecords(claim: Claim, host: OutboundHost): void {
    const records = this.hostRecords(host);
    if (sameKeys(records, claim.unique)) return;
    const gone = without(claim.unique, records);
    claim.unique = records;
    this.touch();
    this.options.forget(gone);
    if (claim.isAnnounced && gone.length > 0) this.options.sayGoodbye(gone, true);
    claim.changed(this.now);
  }

  private change(service: OutboundService, claim: Claim, startMs: number): void {
    const { unique, shared } = serviceRecords(service);
    const hostBefore = claim.host;
    claim.host = this.hostClaim(service.host, startMs);
    const isChanged = !sameKeys([...unique, ...shared], [...claim.unique, ...claim.shared]);
    this.services.set(service.key, { service, claim });
    if (claim.phase === "standby") this.rest(claim.host);
    else claim.host.wanted(startMs);
    const gone = without(claim.shared, shared);
    this.options.forget([...without(claim.unique, unique), ...gone]);
    claim.unique = unique;
    claim.shared = shared;
    this.touch();
    if (claim.isAnnounced && gone.length > 0) this.options.sayGoodbye(gone, false);
    if (isChanged) claim.changed(this.now);
    if (hostBefore !== claim.host) this.dropUnusedHost(hostBefore);
  }

  private dropUnusedHost(host: Claim | undefined): void {
    if (!host || this.hasService(({ claim }) => claim.host === host)) return;
    this.byName.delete(nameKey(host.name));
    this.touch();
    if (host.isAnnounced) this.options.sayGoodbye(host.unique, host.phase !== "held");
    this.options.forget(host.unique);
  }
}

const without = (records: readonly OwnRecord[], others: readonly OwnRecord[]) =>
  records.filter(({ key }) => !others.some((other) => other.key === key));

const sameKeys = (a: readonly OwnRecord[], b: readonly OwnRecord[]) =>
  a.length === b.length && a.every(({ key }) => b.some((other) => other.key === key));
