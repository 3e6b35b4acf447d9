/**
 * What a directory holds: clients, services, subscriptions, and walks over the services. Only the directory
 * (service-directory.ts) writes to them.
 */

import { NO_BLOCK } from "./blocks.js";
import type { Timer } from "./clock.js";
import type { Indexed } from "./matching.js";
import { toNumber } from "./uint63.js";

export const APPEARED = 0;
export const MODIFIED = 1;
export const DISAPPEARED = 2;
export type MatchType = typeof APPEARED | typeof MODIFIED | typeof DISAPPEARED;

/** Instead of a time, in `orphanSinceUnix`. */
export const NOT_ORPHAN = -1;

/** A client id that is connected, or has orphans. */
export class Client {
  connected = true;
  readonly services = new Set<ServiceEntry>();
  readonly subscriptions = new Set<Subscription>();
  private lowestTtl = Infinity;
  /** The cached lowest TTL may be too low: the service that had it is gone or has another one now. */
  private stale = false;

  constructor(
    readonly idHi: number,
    readonly idLo: number,
    readonly user: string,
    /** A gateway of this process: not counted as a client, and no limit per user holds for it. */
    public isLocal: boolean,
  ) {}

  /** The lowest TTL of the services this client keeps alive, in seconds; `Infinity` if there are none. */
  get lowestTtlSeconds(): number {
    if (this.stale) {
      this.stale = false;
      this.lowestTtl = Infinity;
      for (const service of this.services) if (!service.isOrphan) this.lowerTtl(service.ttlSeconds);
    }
    return this.lowestTtl;
  }

  /** @internal */
  lowerTtl(ttlSeconds: number): void {
    if (ttlSeconds < this.lowestTtl) this.lowestTtl = ttlSeconds;
  }

  /** @internal */
  raiseTtl(ttlSeconds: number): void {
    if (ttlSeconds <= this.lowestTtl) this.stale = true;
  }
}

/** A service as the directory holds it. Only the directory writes to it. */
export class ServiceEntry {
  generationHi = 0;
  generationLo = 0;
  ttlHi = 0;
  ttlLo = 0;
  /** The properties, in the directory's block store. */
  record = NO_BLOCK;
  owner!: Client;
  orphanSinceUnix = NOT_ORPHAN;
  expiry: Timer | undefined = undefined;
  previous: ServiceEntry | undefined = undefined;
  next: ServiceEntry | undefined = undefined;
  /** Number of the last change to this service; with it, an encoded notification can be told to be current. */
  change = 0;

  constructor(
    readonly idHi: number,
    readonly idLo: number,
    /** User of the owner; only the same user may change the service (12.1). */
    readonly user: string,
    /** Rises with creation. */
    readonly sequence: number,
  ) {}

  get isOrphan(): boolean {
    return this.orphanSinceUnix !== NOT_ORPHAN;
  }

  /** May be rounded above 2^53. */
  get ttlSeconds(): number {
    return toNumber(this.ttlHi, this.ttlLo);
  }
}

export interface SubscriptionSink {
  /** `service` is the state after the change; for `DISAPPEARED` only its id is meaningful. */
  onMatch(subscription: Subscription, type: MatchType, service: ServiceEntry): void;
}

export class Subscription implements Indexed {
  filedUnder: Indexed["filedUnder"] = undefined;
  lookup = 0;
  /** Walks over the services that were there when the subscription was made; `undefined` once all were announced. */
  initial: ServiceCursor | undefined = undefined;

  constructor(
    readonly idHi: number,
    readonly idLo: number,
    readonly client: Client,
    readonly program: number,
    readonly sink: SubscriptionSink,
    readonly sequence: number,
  ) {}
}

/**
 * A walk over the services that existed when it began, in order of creation, which may pause between two steps: what
 * is removed meanwhile is left out, what changes is seen as it is when reached.
 */
export class ServiceCursor {
  /** @internal */
  next: ServiceEntry | undefined;

  constructor(
    first: ServiceEntry | undefined,
    private readonly lastSequence: number,
  ) {
    this.next = first;
    this.bound();
  }

  get done(): boolean {
    return this.next === undefined;
  }

  /** True if the walk will still come to `service`. */
  isBefore(service: ServiceEntry): boolean {
    return this.next !== undefined && service.sequence >= this.next.sequence && service.sequence <= this.lastSequence;
  }

  /** @internal */
  step(): void {
    this.next = this.next?.next;
    this.bound();
  }

  private bound(): void {
    if (this.next && this.next.sequence > this.lastSequence) this.next = undefined;
  }
}
