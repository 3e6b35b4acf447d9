/** Brings one server up to date over one connection: sends what the relay says, and tells it the answers (libpaf-client.md, 6). */

import type { Timer, Timers } from "../core/clock.js";
import type { Match, Service } from "../core/directory-access.js";
import { TransportError } from "../transport/transport.js";
import { toError } from "./link-errors.js";
import type { LinkRefusals } from "./link-refusals.js";
import type { LinkSession } from "./link-session.js";
import { type Operation, Relay, type RelayedSubscription } from "./relay.js";
import { ProtocolError, RequestError } from "./session.js";

export interface LinkOperationsOptions {
  readonly session: LinkSession;
  readonly refusals: LinkRefusals;
  readonly timers: Timers;
  readonly onMatch: (subscriptionId: bigint, match: Match) => void;
  /** The server has the service as it was wanted when this was sent. */
  readonly onPublished: (serviceId: bigint) => void;
  /** The server refuses something; once, until it does it or refuses it for another reason. */
  readonly onRefused: (operation: Operation, error: Error) => void;
  /** The server has done something, or refuses it; whenever it answers. */
  readonly onOutcome: (operation: Operation, refusal: Error | undefined) => void;
  /** The server has no service of ours any more, after `withdraw`. */
  readonly onWithdrawn: () => void;
  /** The connection is of no use any more: it has ended, or the server contradicts itself. */
  readonly onBroken: (error: Error) => void;
}

export class LinkOperations {
  private readonly relay = new Relay();
  /** Subscriptions that are being ended: what to call when the server has done so. */
  private readonly ending = new Map<bigint, () => void>();
  private retryTimer: Timer | undefined;
  private sendScheduled = false;
  private withdrawing = false;
  private stopped = false;

  /** Sends what the server is to have (5.3): services first. */
  constructor(
    private readonly options: LinkOperationsOptions,
    services: Iterable<Service>,
    subscriptions: Iterable<RelayedSubscription>,
  ) {
    for (const service of services) this.relay.publish(service);
    for (const subscription of subscriptions) this.relay.subscribe(subscription);
    this.sendAll();
  }

  publish(service: Service): void {
    this.relay.publish(service);
    this.sendSoon();
  }

  unpublish(id: bigint): void {
    this.relay.unpublish(id);
    this.sendSoon();
  }

  forget(id: bigint): void {
    this.relay.forget(id);
  }

  subscribe(subscription: RelayedSubscription): void {
    this.relay.subscribe(subscription);
    this.sendSoon();
  }

  unsubscribe(id: bigint): void {
    this.relay.unsubscribe(id);
    this.sendSoon();
  }

  /** Whether the server has a service as it is wanted, or why it refuses it. */
  publication(id: bigint): ReturnType<Relay["publication"]> {
    return this.relay.publication(id);
  }

  /** Takes back every service (10). */
  withdraw(): void {
    this.withdrawing = true;
    this.relay.withdraw();
    this.sendAll();
  }

  /** The connection is over; nothing is called any more. */
  stop(): void {
    this.stopped = true;
    this.retryTimer?.cancel();
  }

  /** Later in this turn, so that of several changes at once only the last state is sent. */
  private sendSoon(): void {
    if (this.sendScheduled) return;
    this.sendScheduled = true;
    queueMicrotask(() => {
      this.sendScheduled = false;
      this.sendAll();
    });
  }

  private sendAll(): void {
    const { relay } = this;
    if (this.stopped) return;
    for (let pending = relay.next(); pending; pending = relay.next()) {
      const { operation, done, refused } = pending;
      this.send(operation).then(
        () => {
          if (this.stopped) return;
          done();
          if (operation.type === "publish") this.options.onPublished(operation.service.id);
          this.options.onOutcome(operation, undefined);
          this.sendAll();
        },
        (error: unknown) => {
          if (this.stopped) return;
          const isNews = refused(toError(error));
          this.onRefused(operation, error, isNews);
          this.sendAll();
        },
      );
    }
    if (this.withdrawing && relay.withdrawn) this.options.onWithdrawn();
  }

  private async send(operation: Operation): Promise<void> {
    const { session, onMatch } = this.options;
    switch (operation.type) {
      case "publish":
        return session.publish(operation.service);
      case "unpublish":
        return session.unpublish(operation.id);
      case "subscribe": {
        const { id, filter } = operation.subscription;
        const deliver = (match: Match) => {
          if (!this.stopped) onMatch(id, match);
        };
        return session.subscribe(id, filter, deliver, () => this.subscriptionEnded(id));
      }
      case "unsubscribe":
        return this.endSubscription(operation.id);
    }
  }

  /** Both answers must have come, in either order, so a server can not make us keep transactions that never end (6). */
  private async endSubscription(id: bigint): Promise<void> {
    const end = new Promise<void>((resolve) => this.ending.set(id, resolve));
    await this.options.session.unsubscribe(id);
    await end;
  }

  private subscriptionEnded(id: bigint): void {
    const ended = this.ending.get(id);
    if (!ended) throw new ProtocolError("subscribe: the server ended a subscription on its own");
    this.ending.delete(id);
    ended();
  }

  private onRefused(operation: Operation, error: unknown, isNews: boolean): void {
    const { refusals, timers, onBroken, onRefused, onOutcome } = this.options;
    if (isRefusal(error)) {
      refusals.note(operation, error, this.relay.hasRefused);
      if (isNews) onRefused(operation, error);
    }
    // Either the session has ended, or the server does not let go of a subscription and would go on to send its matches.
    if (!isRefusal(error) || operation.type === "unsubscribe") {
      onBroken(toError(error));
      return;
    }
    onOutcome(operation, error);
    if (this.retryTimer || !this.relay.hasRefused) return;
    this.retryTimer = timers.after("retry refused", refusals.nextMs(), () => {
      this.retryTimer = undefined;
      this.relay.retry();
      this.sendAll();
    });
  }
}

const isRefusal = (error: unknown): error is Error =>
  error instanceof RequestError || (error instanceof TransportError && error.code === "EMSGSIZE");
