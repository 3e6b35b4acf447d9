/**
 * What a connection subscribes to: a set that may change at any time, and the carrying out of the difference, one
 * request at a time and in the order in which filters were added (the states of devices shall be replayed before their
 * announcements).
 */

import type { Timer, Timers } from "../../core/clock.js";
import { TIMES } from "./times.js";

export interface TopicSubscription {
  readonly filter: string;
  /** Do not send us what we publish ourselves. MQTT 5 only; with 3.1.1 it comes back. */
  readonly noLocal?: boolean;
  /** The highest quality of service with which messages shall come. Default: 0. */
  readonly qos?: 0 | 1;
}

/** Where requests go. `done` is called once for each, unless the connection is lost. */
export interface SubscriptionRequests {
  subscribe(subscription: TopicSubscription, done: (refused: boolean) => void): void;
  unsubscribe(filter: string, done: () => void): void;
}

export interface SubscriptionEvents {
  refused(filter: string): void;
  /** No answer within `TIMES.answerMs`: a mosquitto whose queue for us is full drops answers, too. The next one is asked. */
  unanswered(filter: string): void;
}

/** Topic filters are 65,535 bytes at most; we use far shorter ones. */
const MAX_SUBSCRIPTIONS = 1000;

export class Subscriptions {
  private readonly wanted = new Map<string, TopicSubscription>();
  /** What the broker was told, refused ones included. */
  private readonly told = new Set<string>();
  private requests: SubscriptionRequests | undefined;
  /** For an answer. */
  private waiting: Timer | undefined;
  private onComplete: (() => void) | undefined;

  constructor(
    private readonly timers: Timers,
    private readonly events: SubscriptionEvents,
  ) {}

  /** The broker has been asked for something that it has not answered. */
  get isBusy(): boolean {
    return this.requests !== undefined && this.waiting !== undefined;
  }

  /** Throws a `RangeError` if there are too many. A filter that is there already stays as it is. */
  add(subscription: TopicSubscription): void {
    if (this.wanted.has(subscription.filter)) return;
    if (this.wanted.size >= MAX_SUBSCRIPTIONS) {
      throw new RangeError(
        `MQTT filter ${JSON.stringify(subscription.filter)}: more than ${MAX_SUBSCRIPTIONS} filters`,
      );
    }
    this.wanted.set(subscription.filter, subscription);
    this.next();
  }

  /** Subscribes once more to a filter that is there already, so that the broker replays what it keeps. */
  renew(filter: string): void {
    this.told.delete(filter);
    this.next();
  }

  remove(filter: string): void {
    if (this.wanted.delete(filter)) this.next();
  }

  /** A new session without subscriptions; `onComplete` is called when the broker has answered for all of them. */
  connected(requests: SubscriptionRequests, onComplete: () => void): void {
    this.told.clear();
    this.requests = requests;
    this.endWaiting();
    this.onComplete = onComplete;
    this.next();
  }

  lost(): void {
    this.requests = undefined;
    this.endWaiting();
  }

  private endWaiting(): void {
    this.waiting?.cancel();
    this.waiting = undefined;
  }

  /** Returns what carries out `then` and goes on, at the answer; without it, time does. Late answers count for nothing. */
  private awaitAnswer(filter: string): (then: () => void) => void {
    const waiting = this.timers.after("mqtt answer", TIMES.answerMs, () =>
      answered(() => this.events.unanswered(filter)),
    );
    const answered = (then: () => void) => {
      if (this.waiting !== waiting) return;
      this.endWaiting();
      then();
      this.next();
    };
    this.waiting = waiting;
    return answered;
  }

  private next(): void {
    const { requests } = this;
    if (!requests || this.waiting) return;
    for (const filter of this.told) {
      if (this.wanted.has(filter)) continue;
      this.told.delete(filter);
      const answered = this.awaitAnswer(filter);
      requests.unsubscribe(filter, () => answered(() => {}));
      return;
    }
    for (const subscription of this.wanted.values()) {
      const { filter } = subscription;
      if (this.told.has(filter)) continue;
      this.told.add(filter);
      const answered = this.awaitAnswer(filter);
      requests.subscribe(subscription, (refused) =>
        answered(() => {
          if (refused) this.events.refused(filter);
        }),
      );
      return;
    }
    const complete = this.onComplete;
    this.onComplete = undefined;
    complete?.();
  }
}
