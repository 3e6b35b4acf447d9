/**
 * What one server is to have of a domain, compared with what it has: says what to send next (libpaf-client.md, 6). Made
 * anew for each connection, so that a reconnect is no special case. Knows no connection and no time.
 */

import type { Service } from "../core/directory-access.js";
import { KeyedQueue } from "./keyed-queue.js";

/** Most operations that wait for their answer. */
export const MAX_OUTSTANDING = 32;

export interface RelayedSubscription {
  readonly id: bigint;
  /** Canonical text. */
  readonly filter: string | undefined;
}

export type Operation =
  | { readonly type: "publish"; readonly service: Service }
  | { readonly type: "unpublish"; readonly id: bigint }
  | { readonly type: "subscribe"; readonly subscription: RelayedSubscription }
  | { readonly type: "unsubscribe"; readonly id: bigint };

/**
 * One service or subscription. Its states in the words of the specification: `wanted` and not `has`: unsynced; the same:
 * synced; `has` and not `wanted`: to be taken back. `busy`: syncing or unsyncing.
 */
interface Held<T> {
  readonly id: bigint;
  wanted: T | undefined;
  has: T | undefined;
  /** An operation waits for its answer; what `wanted` becomes meanwhile is compared then. */
  busy: boolean;
  /** Why the server refuses what is wanted, also while it is tried again. */
  refusal: Error | undefined;
}

interface Kind<T> {
  readonly held: Map<bigint, Held<T>>;
  /** Those that may need an operation, and are not busy. */
  readonly queue: KeyedQueue<bigint, Held<T>>;
  /** Those whose last operation was refused, until `retry`. */
  readonly refused: Set<Held<T>>;
  readonly put: (wanted: T) => Operation;
  readonly take: (id: bigint) => Operation;
}

const kind = <T>(put: Kind<T>["put"], take: Kind<T>["take"]): Kind<T> => ({
  held: new Map(),
  queue: new KeyedQueue(),
  refused: new Set(),
  put,
  take,
});

/** An operation to be sent, and what to call with its outcome: exactly one of the two, once. */
export interface Pending {
  readonly operation: Operation;
  /** The server has done it. */
  done(): void;
  /**
   * The server does not do it: it is tried again after `retry`, or when something else is wanted. True if it did not
   * refuse that for the same reason before.
   */
  refused(error: Error): boolean;
}

export class Relay {
  private outstanding = 0;
  private readonly services = kind<Service>(
    (service) => ({ type: "publish", service }),
    (id) => ({ type: "unpublish", id }),
  );
  private readonly subscriptions = kind<RelayedSubscription>(
    (subscription) => ({ type: "subscribe", subscription }),
    (id) => ({ type: "unsubscribe", id }),
  );

  /** The server is to have this service, in this state. A state is told apart from another by its identity. */
  publish(service: Service): void {
    this.want(this.services, service.id, service);
  }

  unpublish(id: bigint): void {
    this.want(this.services, id, undefined);
  }

  /** Nothing is wanted of this service any more, and what the server has of it is left there. */
  forget(id: bigint): void {
    const { held, queue, refused } = this.services;
    const service = held.get(id);
    if (!service) return;
    held.delete(id);
    queue.delete(id);
    refused.delete(service);
  }

  subscribe(subscription: RelayedSubscription): void {
    this.want(this.subscriptions, subscription.id, subscription);
  }

  unsubscribe(id: bigint): void {
    this.want(this.subscriptions, id, undefined);
  }

  /** Nothing is wanted any more; subscriptions are left to end with the connection (10). */
  withdraw(): void {
    this.subscriptions.queue.clear();
    this.subscriptions.refused.clear();
    this.subscriptions.held.clear();
    for (const id of this.services.held.keys()) this.unpublish(id);
  }

  /** The server has no service of ours, and is about to get none. */
  get withdrawn(): boolean {
    return this.services.held.size === 0;
  }

  /** Whether the server has what is wanted of a service, or why it refuses it. */
  publication(id: bigint): { readonly isPublished: boolean; readonly refusal?: Error } {
    const held = this.services.held.get(id);
    if (!held) return { isPublished: false };
    const { wanted, has, refusal } = held;
    return { isPublished: has !== undefined && has === wanted, ...(refusal ? { refusal } : {}) };
  }

  get hasRefused(): boolean {
    return this.services.refused.size + this.subscriptions.refused.size > 0;
  }

  /** What was refused may be sent again. */
  retry(): void {
    for (const { refused, queue } of [this.services, this.subscriptions] as readonly Kind<unknown>[]) {
      for (const held of refused) queue.set(held.id, held);
      refused.clear();
    }
  }

  /** The next operation to be sent now, if any: services before subscriptions, each in the order they were wanted. */
  next(): Pending | undefined {
    if (this.outstanding === MAX_OUTSTANDING) return undefined;
    return this.nextOf(this.services) ?? this.nextOf(this.subscriptions);
  }

  private want<T>(kind: Kind<T>, id: bigint, wanted: T | undefined): void {
    let held = kind.held.get(id);
    if (!held) {
      if (wanted === undefined) return;
      held = { id, wanted, has: undefined, busy: false, refusal: undefined };
      kind.held.set(id, held);
    }
    held.wanted = wanted;
    held.refusal = undefined;
    kind.refused.delete(held);
    if (!held.busy) this.compare(kind, held);
  }

  private compare<T>(kind: Kind<T>, held: Held<T>): void {
    if (kind.held.get(held.id) !== held) return; // forgotten while it was busy
    if (held.wanted !== held.has) kind.queue.set(held.id, held);
    else {
      kind.queue.delete(held.id);
      if (held.wanted === undefined) kind.held.delete(held.id);
    }
  }

  private nextOf<T>(kind: Kind<T>): Pending | undefined {
    const held = kind.queue.shift();
    if (!held) return undefined;
    const sent = held.wanted;
    const answered = () => {
      held.busy = false;
      this.outstanding--;
    };
    held.busy = true;
    this.outstanding++;
    return {
      operation: sent === undefined ? kind.take(held.id) : kind.put(sent),
      done: () => {
        answered();
        held.has = sent;
        held.refusal = undefined;
        this.compare(kind, held);
      },
      refused: (error) => {
        answered();
        const isNews = held.refusal?.message !== error.message;
        // To take back what the server does not let go of would be refused for ever.
        if (sent === undefined) held.has = undefined;
        if (held.wanted === sent && sent !== undefined && kind.held.get(held.id) === held) {
          held.refusal = error;
          kind.refused.add(held);
        } else this.compare(kind, held);
        return isNews;
      },
    };
  }
}
