/**
 * One link: keeps one server up to date with what a domain publishes and subscribes to, and connects to it again and
 * again (libpaf-client.md, 5, 6, 8 and 10). What happens when stands in link-states.ts; here it is carried out.
 */

import type { Clock, Random, Timer, Timers } from "../core/clock.js";
import type { Match, Service } from "../core/directory-access.js";
import type { Logger } from "../core/log.js";
import { TransportError } from "../transport/transport.js";
import { BackOff } from "./back-off.js";
import { LinkLiveness } from "./link-liveness.js";
import type { ConnectSession, LinkSession } from "./link-session.js";
import { LINK, type LinkEffect, type LinkInput, type LinkPhase } from "./link-states.js";
import { type Operation, Relay, type RelayedSubscription } from "./relay.js";
import type { ServerConfig } from "./server-config.js";
import { MAX_VERSION, MIN_VERSION, ProtocolError, RequestError } from "./session.js";

export interface LinkSettings {
  readonly reconnectMinSeconds: number;
  readonly reconnectMaxSeconds: number;
  readonly idleMinSeconds: number;
  readonly idleMaxSeconds: number;
}

/** The domain, as its links see it. */
export interface LinkOwner {
  /** What every server is to have, most recent first. */
  services(): Iterable<Service>;
  subscriptions(): Iterable<RelayedSubscription>;
  isSubscribed(subscriptionId: bigint): boolean;
  /** Among the services; `Infinity` if there is none. */
  lowestTtlSeconds(): number;
  /** Throws a `ProtocolError` if the server must not say that; the connection then ends. */
  onMatch(source: number, subscriptionId: bigint, match: Match): void;
  /** The connection was lost. `removed`: and the link is gone for good. */
  onDown(source: number, removed: boolean): void;
  /** The link is over. */
  onDetached(link: Link): void;
}

export interface LinkOptions {
  /** Number of the link; never used again in its domain. */
  readonly source: number;
  readonly config: ServerConfig;
  readonly clientId: bigint;
  readonly owner: LinkOwner;
  readonly connect: ConnectSession;
  /** Read whenever a value is needed. */
  readonly settings: LinkSettings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
}

/** A link as an operator may want to see it. */
export interface LinkState {
  readonly address: string;
  readonly state: LinkPhase;
  /** Negotiated; only while there is a connection. */
  readonly protocolVersion?: number;
  /** Why the last connection failed or ended; stays when the next one is good. */
  readonly lastError?: string;
}

/** A refused operation is tried again after this time at the earliest; the delay then grows up to that of reconnects. */
const REFUSED_MIN_SECONDS = 0.1;

/** Kinds of refusals, by command and reason, that are told as warnings, once each; more of them at debug level. */
const MAX_TOLD_REFUSALS = 16;

export class Link {
  readonly source: number;
  readonly config: ServerConfig;
  private phase: LinkPhase = "waiting";
  private timer: Timer | undefined;
  private readonly backOff: BackOff;
  private attempt: AbortController | undefined;
  private session: LinkSession | undefined;
  private relay: Relay | undefined;
  private liveness: LinkLiveness | undefined;
  private operationalSinceMs = 0;
  private pumping = false;
  private readonly refusals: BackOff;
  private lastRefusalMs = Number.NEGATIVE_INFINITY;
  private retryTimer: Timer | undefined;
  /** Refusals that have been told, as command and reason. */
  private readonly toldRefusals = new Set<string>();
  private detachMs = 0;
  /** Read at each attempt to connect. */
  private idle: { readonly min: number; readonly max: number } = { min: 0, max: 0 };
  private lastError: string | undefined;
  private toldError: string | undefined;

  constructor(private readonly options: LinkOptions) {
    const { settings, random } = options;
    this.source = options.source;
    this.config = options.config;
    const maxSeconds = () => settings.reconnectMaxSeconds;
    this.backOff = new BackOff(() => ({ minSeconds: settings.reconnectMinSeconds, maxSeconds: maxSeconds() }), random);
    this.refusals = new BackOff(
      () => ({ minSeconds: Math.min(REFUSED_MIN_SECONDS, maxSeconds()), maxSeconds: maxSeconds() }),
      random,
    );
  }

  get state(): LinkState {
    return {
      address: this.config.address,
      state: this.phase,
      ...(this.session ? { protocolVersion: this.session.protocolVersion } : {}),
      ...(this.lastError === undefined ? {} : { lastError: this.lastError }),
    };
  }

  get isOperational(): boolean {
    return this.phase === "operational";
  }

  /** Makes the first attempt. Once. */
  start(): void {
    this.take("due");
  }

  /** A service is new or was changed. While there is no connection there is nothing to do: the next one sends everything. */
  publish(service: Service): void {
    this.relay?.publish(service);
    this.pumpSoon();
  }

  unpublish(id: bigint): void {
    this.relay?.unpublish(id);
    this.pumpSoon();
  }

  subscribe(subscription: RelayedSubscription): void {
    this.relay?.subscribe(subscription);
    this.pumpSoon();
  }

  unsubscribe(id: bigint): void {
    this.relay?.unsubscribe(id);
    this.pumpSoon();
  }

  /** Takes back every service, for at most `limitMs`, and leaves. Without a connection it leaves at once. */
  detach(limitMs: number): void {
    this.detachMs = limitMs;
    this.take("detach");
  }

  /** Leaves at once; what is published becomes orphans. */
  stop(): void {
    this.take("stop");
  }

  // --- states -------------------------------------------------------------------------------------------------------

  private take(input: LinkInput): void {
    const transition = LINK[`${this.phase}/${input}`];
    if (!transition) {
      this.options.log.debug(() => `${input} while ${this.phase}: nothing to do.`);
      return;
    }
    this.phase = transition.next;
    for (const effect of transition.effects) this.effects[effect]();
  }

  private readonly effects: Readonly<Record<LinkEffect, () => void>> = {
    connect: () => this.connect(),
    begin: () => this.begin(),
    close: () => this.close(),
    settle: () => {
      const { clock, settings } = this.options;
      // Not by the hello alone: a server that drops us soon after it would be reconnected to at once for ever (5.1).
      const goodMs = clock.monotonicMs() - this.operationalSinceMs;
      if (goodMs >= settings.reconnectMaxSeconds * 1000) this.backOff.reset();
    },
    "forget-matches": () => this.options.owner.onDown(this.source, this.phase === "detached"),
    "arm-greeting": () => {
      this.idle = this.idleLimits();
      const seconds = this.idle.min;
      this.arm("greeting", seconds * 1000, () => this.fail("timeout", `no answer to hello within ${seconds} s`));
    },
    "arm-retry": () => this.arm("reconnect", this.backOff.next(), () => this.take("due")),
    withdraw: () => {
      this.relay!.withdraw();
      this.pump();
    },
    "arm-detach": () =>
      this.arm("detach", this.detachMs, () => {
        this.options.log.warning(() => `Not all services were taken back within ${this.detachMs} ms.`);
        this.take("timeout");
      }),
    finish: () => {
      this.timer?.cancel();
      this.options.owner.onDetached(this);
    },
  };

  private arm(name: string, delayMs: number, fire: () => void): void {
    this.timer?.cancel();
    this.timer = this.options.timers.after(name, delayMs, fire);
  }

  /** `why` is told once, until it changes or the link has been up meanwhile. */
  private fail(input: "lost" | "timeout", why: string): void {
    this.lastError = why;
    const { log } = this.options;
    if (this.phase === "operational" || this.phase === "detaching") log.warning(() => `Connection lost: ${why}.`);
    else if (why === this.toldError) log.debug(() => `Still not connected: ${why}.`);
    else log.warning(() => `Not connected: ${why}.`);
    this.toldError = why;
    this.take(input);
  }

  // --- the connection -----------------------------------------------------------------------------------------------

  private connect(): void {
    const attempt = new AbortController();
    const isCurrent = () => this.attempt === attempt;
    this.attempt = attempt;
    this.dial(attempt).then(
      (session) => {
        // The attempt may have been given up, and its session made nevertheless.
        if (!isCurrent()) session.close();
        else this.established(session);
      },
      (error: unknown) => {
        if (isCurrent()) this.fail("lost", textOf(error));
      },
    );
  }

  private async dial(attempt: AbortController): Promise<LinkSession> {
    const { config, clientId, connect } = this.options;
    const minVersion = Math.max(MIN_VERSION, config.minProtocolVersion ?? MIN_VERSION);
    const maxVersion = Math.min(MAX_VERSION, config.maxProtocolVersion ?? MAX_VERSION);
    if (minVersion > maxVersion) {
      throw new RangeError(
        `of the protocol versions allowed for this server none is known (${MIN_VERSION} to ${MAX_VERSION} are)`,
      );
    }
    return connect(config, {
      clientId,
      minVersion,
      maxVersion,
      signal: attempt.signal,
      onConnected: () => {
        if (this.attempt === attempt && this.phase === "connecting") this.take("connected");
      },
      onHeard: () => {
        if (this.attempt === attempt) this.liveness?.heard();
      },
    });
  }

  private established(session: LinkSession): void {
    this.session = session;
    session.closed.then((error) => this.lost(session, error ? textOf(error) : "closed"));
    this.take("hello-complete");
  }

  private lost(session: LinkSession, why: string): void {
    if (this.session === session) this.fail("lost", why);
  }

  /** The order is that of 5.3. */
  private begin(): void {
    const { owner, clock, timers, random, log } = this.options;
    const session = this.session!;
    this.timer?.cancel();
    this.operationalSinceMs = clock.monotonicMs();
    this.toldError = undefined;
    log.info(() => `Connected (protocol version ${session.protocolVersion}).`);
    if (session.protocolVersion >= 3) {
      const liveness = new LinkLiveness({
        clock,
        timers,
        random,
        maxIdleSeconds: () => {
          const { min, max } = this.idle;
          return Math.max(min, Math.min(max, owner.lowestTtlSeconds()));
        },
        query: () => session.trackQuery(),
        onSilent: (why) => this.lost(session, why),
      });
      this.liveness = liveness;
      session.track().then(
        () => liveness.trackAccepted(),
        (error: unknown) => this.lost(session, textOf(error)),
      );
    }
    const relay = new Relay();
    this.relay = relay;
    for (const service of owner.services()) relay.publish(service);
    for (const subscription of owner.subscriptions()) relay.subscribe(subscription);
    this.pump();
  }

  private close(): void {
    const { attempt, session } = this;
    this.attempt = undefined;
    this.session = undefined;
    this.relay = undefined;
    this.liveness?.stop();
    this.liveness = undefined;
    this.retryTimer?.cancel();
    this.retryTimer = undefined;
    if (session) session.close();
    else attempt?.abort();
  }

  private idleLimits(): typeof this.idle {
    const { config, settings } = this.options;
    const min = config.minIdleSeconds ?? settings.idleMinSeconds;
    return { min, max: Math.max(min, config.maxIdleSeconds ?? settings.idleMaxSeconds) };
  }

  // --- operations ---------------------------------------------------------------------------------------------------

  /** Later in this turn, so that of several changes at once only the last state is sent. */
  private pumpSoon(): void {
    if (this.pumping || !this.relay) return;
    this.pumping = true;
    queueMicrotask(() => {
      this.pumping = false;
      this.pump();
    });
  }

  private pump(): void {
    const { relay, session } = this;
    if (!relay || !session) return;
    for (let pending = relay.next(); pending; pending = relay.next()) {
      const { operation, done, refused } = pending;
      this.send(session, operation).then(
        () => {
          if (this.relay !== relay) return;
          done();
          this.pump();
        },
        (error: unknown) => {
          // If the session has ended, that is the reason, and it is told elsewhere.
          if (this.relay !== relay || !isRefusal(error)) return;
          refused();
          this.onRefused(operation, error);
          this.pump();
        },
      );
    }
    if (this.phase === "detaching" && relay.withdrawn) this.take("withdrawn");
  }

  private send(session: LinkSession, operation: Operation): Promise<void> {
    switch (operation.type) {
      case "publish":
        return session.publish(operation.service);
      case "unpublish":
        return session.unpublish(operation.id);
      case "subscribe": {
        const { id, filter } = operation.subscription;
        const { owner } = this.options;
        return session.subscribe(
          id,
          filter,
          (match) => {
            if (this.session === session) owner.onMatch(this.source, id, match);
          },
          () => this.subscriptionEnded(id),
        );
      }
      case "unsubscribe":
        return session.unsubscribe(operation.id);
    }
  }

  private subscriptionEnded(id: bigint): void {
    if (this.phase !== "operational" || !this.options.owner.isSubscribed(id)) return;
    throw new ProtocolError("subscribe: the server ended a subscription on its own");
  }

  /** The link stays: the operation is tried again after a while, and with it all others that were refused (5.1, DEFECT). */
  private onRefused(operation: Operation, error: Error): void {
    const { clock, timers, settings, log } = this.options;
    const kind = `${operation.type}: ${error.message}`;
    const told = this.toldRefusals.has(kind) || this.toldRefusals.size === MAX_TOLD_REFUSALS;
    if (!told) this.toldRefusals.add(kind);
    const again = this.relay?.hasRefused ? "; it is tried again" : "";
    log[told ? "debug" : "warning"](() => `Refused ${describe(operation)}: ${error.message}${again}.`);
    const now = clock.monotonicMs();
    if (now - this.lastRefusalMs > 2000 * settings.reconnectMaxSeconds) this.refusals.reset();
    this.lastRefusalMs = now;
    if (this.retryTimer || !this.relay?.hasRefused) return;
    this.retryTimer = timers.after("retry refused", this.refusals.next(), () => {
      this.retryTimer = undefined;
      this.relay?.retry();
      this.pump();
    });
  }
}

const isRefusal = (error: unknown): error is Error =>
  error instanceof RequestError || (error instanceof TransportError && error.code === "EMSGSIZE");

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function describe(operation: Operation): string {
  const id =
    "id" in operation ? operation.id : ("service" in operation ? operation.service : operation.subscription).id;
  return `${operation.type} of 0x${id.toString(16)}`;
}
