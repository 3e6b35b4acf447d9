/**
 * What `top` knows of a domain: services by a subscription, the other lists by asking, often while they are in sight.
 * Goes on over lost connections.
 */

import { BackOff, type BackOffLimits } from "../../client/back-off.js";
import { type ClientState, type Session, SessionClosedError, type SubscriptionState } from "../../client/session.js";
import type { Clock, Random } from "../../core/clock.js";
import type { Match } from "../../core/directory-access.js";
import { Deadline } from "../deadline.js";
import { failureLines } from "../failures.js";
import { randomId } from "../ids.js";
import type { PaneName } from "./panes.js";
import { Rates } from "./rates.js";
import { Services } from "./services.js";

const LISTS = ["subscriptions", "clients"] as const;
export type ListName = (typeof LISTS)[number];

/** A list that is not in sight is asked for this seldom, for its length alone... */
const COUNT_MS = 10_000;
/** ...and not at all while it is longer than this: at some 170 bytes a row, both lists are 34 kB/s at most. */
export const MOST_COUNTED = 1_000;
/** Between two attempts to connect. */
const PAUSES: BackOffLimits = { minSeconds: 0.5, maxSeconds: 8 };

export interface DomainWatchOptions {
  /** A new session; rejects when the signal says so. */
  readonly connect: (signal: AbortSignal) => Promise<Session>;
  readonly address: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly intervalMs: number;
  /** Longest wait for an answer; after that the connection counts as lost. */
  readonly timeoutSeconds: number;
  /** Something that may be in sight has changed. */
  readonly onChange: () => void;
}

export class DomainWatch {
  readonly services = new Services();
  readonly rates = new Rates();
  subscriptions: readonly SubscriptionState[] | undefined;
  clients: readonly ClientState[] | undefined;
  /** Rises whenever `subscriptions` or `clients` do. */
  listsVersion = 0;
  latencyMs: number | undefined;
  /** Absent while there is no connection. */
  protocolVersion: number | undefined;
  /** Why there is no connection. */
  reason = "";
  /** When the next attempt is made, on the monotonic clock. */
  retryAtMs = 0;
  /** When each list was last asked for, on the monotonic clock. */
  private askedMs: Record<ListName, number> = { subscriptions: -Infinity, clients: -Infinity };
  private pane: PaneName = "services";
  private ended = false;
  /** Ends the present pause. */
  private wake: () => void = () => {};
  private session: Session | undefined;
  private deadline: Deadline | undefined;

  constructor(private readonly options: DomainWatchOptions) {}

  /** From now on the list of this pane is asked for often. */
  look(pane: PaneName): void {
    this.pane = pane;
    if (this.session) this.wake();
  }

  /** How long the list is; `undefined` if that is not known, or too long ago. */
  countOf(name: ListName): number | undefined {
    const length = this[name]?.length;
    return length !== undefined && (name === this.pane || length <= MOST_COUNTED) ? length : undefined;
  }

  /** Begins with a session that is connected; resolves after `end`. Rejects only with what is no failure of the server. */
  async run(first: Session): Promise<void> {
    const backOff = new BackOff(() => PAUSES, this.options.random);
    let session: Session | undefined = first;
    while (!this.ended) {
      try {
        session ??= await this.connect();
        this.session = session;
        await this.begin(session);
        backOff.reset();
        await this.keepAsking(session);
      } catch (error) {
        const reason = failureLines(error)?.at(-1); // the line that says most
        if (reason === undefined) throw error;
        this.reason = reason;
      } finally {
        session?.close();
        session = undefined;
        this.session = undefined;
        this.protocolVersion = undefined;
        this.latencyMs = undefined;
      }
      if (this.ended) return;
      const pauseMs = backOff.next();
      this.retryAtMs = this.options.clock.monotonicMs() + pauseMs;
      this.options.onChange();
      await this.pause(pauseMs);
    }
  }

  /** Leaves. */
  end(): void {
    this.ended = true;
    this.deadline?.giveUp(new SessionClosedError("left"));
    this.session?.close();
    this.wake();
  }

  private connect(): Promise<Session> {
    return this.inTime((signal) => this.options.connect(signal));
  }

  private async begin(session: Session): Promise<void> {
    this.protocolVersion = session.protocolVersion;
    this.askedMs = { subscriptions: -Infinity, clients: -Infinity };
    this.services.beginSync();
    await this.inTime(() => session.track());
    await this.inTime(() => session.subscribe(randomId(), undefined, (match) => this.onMatch(match)));
    // The services that are there come before the answer to whatever is asked next.
    await this.ping(session);
    this.services.endSync();
    this.options.onChange();
  }

  private async keepAsking(session: Session): Promise<void> {
    void session.closed.then(() => this.wake());
    while (!session.ended) {
      const { pane } = this;
      await this.inTime(() => Promise.all(LISTS.map((name) => this.isDue(name) && this.askFor(name, session))));
      await this.ping(session);
      this.options.onChange();
      if (!session.ended) await this.pause(this.options.intervalMs, () => this.pane === pane);
    }
    throw session.ended;
  }

  private isDue(name: ListName): boolean {
    const length = this[name]?.length;
    if (name === this.pane || length === undefined) return true;
    return length <= MOST_COUNTED && this.options.clock.monotonicMs() >= this.askedMs[name] + COUNT_MS;
  }

  private async askFor(name: ListName, session: Session): Promise<void> {
    this.askedMs[name] = this.options.clock.monotonicMs();
    if (name === "subscriptions") this.subscriptions = await session.subscriptions();
    else this.clients = await session.clients();
    this.listsVersion++;
  }

  private async ping(session: Session): Promise<void> {
    const { clock } = this.options;
    const beganMs = clock.monotonicMs();
    await this.inTime(() => session.ping());
    this.latencyMs = clock.monotonicMs() - beganMs;
  }

  private onMatch(match: Match): void {
    this.services.apply(match);
    if (!this.services.isSyncing) this.rates.count(match.type, this.options.clock.monotonicMs());
    this.options.onChange();
  }

  private async inTime<T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const deadline = new Deadline(this.options.timeoutSeconds, this.options.address);
    this.deadline = deadline;
    try {
      return await deadline.bound(ask(deadline.signal));
    } finally {
      deadline.cancel();
      this.deadline = undefined;
    }
  }

  /** Until `wake`, at most `ms`; not at all if `holds` says that there is no reason to wait any more. */
  private pause(ms: number, holds: () => boolean = () => true): Promise<void> {
    return new Promise((resolve) => {
      if (this.ended || !holds()) {
        resolve();
        return;
      }
      const done = () => {
        clearTimeout(timer);
        this.wake = () => {};
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.wake = done;
    });
  }
}
