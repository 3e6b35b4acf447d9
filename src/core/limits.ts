/** Resource limits of a domain and the counting of what is in use (pathfinder-protocol.md, 12.2). */

export interface ResourceLimits {
  readonly clients: number;
  readonly services: number;
  readonly subscriptions: number;
}

export type Resource = keyof ResourceLimits;

export const UNLIMITED: ResourceLimits = { clients: Infinity, services: Infinity, subscriptions: Infinity };

export interface DomainLimits {
  /** For the domain as a whole. */
  readonly total: ResourceLimits;
  /** For each user of the domain. */
  readonly user: ResourceLimits;
}

type Counts = Record<Resource, number>;

const none = (): Counts => ({ clients: 0, services: 0, subscriptions: 0 });

/** Counts tokens per domain and user. The limit itself is allowed, one more is not. */
export class ResourceCounter {
  private readonly total = none();
  /** Users that hold at least one token. */
  private readonly users = new Map<string, Counts>();

  constructor(private readonly limits: DomainLimits) {}

  used(resource: Resource): number {
    return this.total[resource];
  }

  /** Takes one token for `user`; false, and nothing is taken, if a limit is reached. Local clients heed the total only. */
  take(resource: Resource, user: string, isLocal = false): boolean {
    const counts = this.users.get(user) ?? none();
    if (this.total[resource] >= this.limits.total[resource]) return false;
    if (!isLocal && counts[resource] >= this.limits.user[resource]) return false;
    this.total[resource]++;
    counts[resource]++;
    this.users.set(user, counts);
    return true;
  }

  giveBack(resource: Resource, user: string): void {
    const counts = this.users.get(user)!;
    this.total[resource]--;
    counts[resource]--;
    if (counts.clients + counts.services + counts.subscriptions === 0) this.users.delete(user);
  }
}
