/** The directory of this process, offered to gateways and hooks through the same interface as a remote one. */

import type { Random } from "./clock.js";
import type {
  Directory,
  Match,
  Service,
  ServiceState,
  Subscription as SubscriptionHandle,
} from "./directory-access.js";
import { APPEARED, type Client, DISAPPEARED, type MatchType, type ServiceEntry, type Subscription } from "./entries.js";
import type { PublishOutcome, UnpublishOutcome } from "./fail-reason.js";
import { toProperties } from "./record.js";
import type { ServiceDirectory } from "./service-directory.js";
import { fromBigInt, toBigInt, Uint63 } from "./uint63.js";

/** A random 63-bit number in two halves. */
export function randomId(random: Random): Uint63 {
  const id = new Uint63();
  id.hi = Math.floor(random() * 0x8000_0000) | 0;
  id.lo = Math.floor(random() * 0x1_0000_0000) | 0;
  return id;
}

/** Fixes the state of a service at this moment. */
export function serviceState(directory: ServiceDirectory, service: ServiceEntry): ServiceState {
  return {
    id: toBigInt(service.idHi, service.idLo),
    generation: toBigInt(service.generationHi, service.generationLo),
    ttlSeconds: toBigInt(service.ttlHi, service.ttlLo),
    properties: toProperties(directory.store.page(service.record), directory.store.at(service.record)),
    owner: toBigInt(service.owner.idHi, service.owner.idLo),
    ...(service.isOrphan ? { orphanSince: service.orphanSinceUnix } : {}),
  };
}

export class LocalDirectory implements Directory {
  readonly clientId: bigint;
  private readonly client: Client;

  /** Connects a client with a random id, on behalf of `user`. Client limits do not hold for it. */
  constructor(
    private readonly directory: ServiceDirectory,
    private readonly user: string,
    private readonly random: Random,
  ) {
    this.client = this.connect();
    this.clientId = toBigInt(this.client.idHi, this.client.idLo);
  }

  /** Leaves: services become orphans, as those of any client that goes. Later calls that would change something throw. */
  close(): void {
    this.directory.disconnect(this.client);
  }

  /** Services that were published here and are there still, orphans included. */
  get serviceCount(): number {
    return this.client.services.size;
  }

  private get connected(): Client {
    if (!this.client.connected) throw new Error("this access to the directory was closed");
    return this.client;
  }

  async publish(service: Service, yieldsTo?: (present: ServiceState) => boolean): Promise<PublishOutcome | "yielded"> {
    const id = fromBigInt(service.id, new Uint63(), "service id");
    if (this.yields(id, yieldsTo)) return "yielded";
    const generation = fromBigInt(service.generation, new Uint63(), "generation");
    const ttl = fromBigInt(service.ttlSeconds, new Uint63(), "TTL");
    this.directory.builder.fromProperties(service.properties);
    return this.directory.publish(this.connected, id.hi, id.lo, generation.hi, generation.lo, ttl.hi, ttl.lo);
  }

  async unpublish(
    serviceId: bigint,
    takes?: (present: ServiceState) => boolean,
  ): Promise<UnpublishOutcome | "yielded"> {
    const id = fromBigInt(serviceId, new Uint63(), "service id");
    const present = this.directory.service(id.hi, id.lo);
    const isForeign = present && present.owner !== this.client;
    if (isForeign && !takes?.(serviceState(this.directory, present))) return "yielded";
    return this.directory.unpublish(this.connected, id.hi, id.lo);
  }

  async orphan(serviceId: bigint): Promise<void> {
    const id = fromBigInt(serviceId, new Uint63(), "service id");
    this.directory.orphan(this.connected, id.hi, id.lo);
  }

  async find(serviceId: bigint): Promise<ServiceState | undefined> {
    const id = fromBigInt(serviceId, new Uint63(), "service id");
    const service = this.directory.service(id.hi, id.lo);
    return service && serviceState(this.directory, service);
  }

  subscribe(filter: string | undefined, onMatch: (match: Match) => void): SubscriptionHandle {
    const { directory } = this;
    let cancelled = false;
    // The directory must not be called from within a match, so matches are delivered in a microtask of their own.
    const deliver = (match: Match) => {
      void Promise.resolve().then(() => {
        if (!cancelled) onMatch(match);
      });
    };
    const onEntry = (_: Subscription | undefined, type: MatchType, service: ServiceEntry) => {
      if (type === DISAPPEARED) deliver({ type: "disappeared", serviceId: toBigInt(service.idHi, service.idLo) });
      else deliver({ type: type === APPEARED ? "appeared" : "modified", service: serviceState(directory, service) });
    };
    let subscription: Subscription | "subscription-id-exists" | "insufficient-resources";
    do {
      const id = randomId(this.random);
      subscription = directory.subscribe(this.connected, id.hi, id.lo, filter, { onMatch: onEntry });
    } while (subscription === "subscription-id-exists");
    if (subscription === "insufficient-resources") {
      throw new Error(`a subscription limit of the domain is reached (user ${this.user})`);
    }
    const made = subscription;
    if (made.initial) {
      while (!made.initial.done) {
        const entry = directory.advance(made.initial, made.program);
        if (entry) onEntry(made, APPEARED, entry);
      }
      made.initial = undefined;
    }
    return {
      cancel() {
        cancelled = true;
        directory.removeSubscription(made);
      },
    };
  }

  private yields({ hi, lo }: Uint63, yieldsTo: ((present: ServiceState) => boolean) | undefined): boolean {
    const present = yieldsTo && this.directory.service(hi, lo);
    return present !== undefined && yieldsTo!(serviceState(this.directory, present));
  }

  private connect(): Client {
    for (;;) {
      const id = randomId(this.random);
      const client = this.directory.connect(id.hi, id.lo, this.user, true);
      if (typeof client === "object") return client;
    }
  }
}
