/**
 * What a connection subscribes to: a set that may change at any time, and the carrying out of the difference, one
 * request at a time and in the order in which filters were added (the states of devices shall be replayed before their
 * announcements).
 */

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

/** Topic filters are 65,535 bytes at most; we use far shorter ones. */
const MAX_SUBSCRIPTIONS = 1000;

export class Subscriptions {
  private readonly wanted = new Map<string, TopicSubscription>();
  /** What the broker was told, refused ones included. */
  private readonly told = new Set<string>();
  private requests: SubscriptionRequests | undefined;
  private busy = false;
  private onComplete: (() => void) | undefined;

  constructor(private readonly onRefused: (filter: string) => void) {}

  /** The broker has been asked for something that it has not answered. */
  get isBusy(): boolean {
    return this.requests !== undefined && this.busy;
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
    this.busy = false;
    this.onComplete = onComplete;
    this.next();
  }

  lost(): void {
    this.requests = undefined;
  }

  private next(): void {
    const { requests } = this;
    if (!requests || this.busy) return;
    /** The answer belongs to this session only. */
    const answered = (then: () => void) => () => {
      if (this.requests !== requests) return;
      this.busy = false;
      then();
      this.next();
    };
    for (const filter of this.told) {
      if (this.wanted.has(filter)) continue;
      this.busy = true;
      this.told.delete(filter);
      requests.unsubscribe(
        filter,
        answered(() => {}),
      );
      return;
    }
    for (const subscription of this.wanted.values()) {
      if (this.told.has(subscription.filter)) continue;
      this.busy = true;
      this.told.add(subscription.filter);
      requests.subscribe(subscription, (refused) =>
        answered(() => {
          if (refused) this.onRefused(subscription.filter);
        })(),
      );
      return;
    }
    const complete = this.onComplete;
    this.onComplete = undefined;
    complete?.();
  }
}
