/**
 * One link: keeps one server up to date with what a domain publishes and subscribes to, and connects to it again and
 * again (libpaf-client.md, 5, 6, 8 and 10). What happens when stands in link-states.ts; here it is carried out.
 */

import type { Clock, Random, Timer, Timers } from "../core/clock.js";
import type { Service, ServiceState } from "../core/directory-access.js";
import type { Logger } from "../core/log.js";
import { printable } from "../core/printable.js";
import { BackOff } from "./back-off.js";
import { toError } from "./link-errors.js";
import { LinkLiveness } from "./link-liveness.js";
import { LinkOperations } from "./link-operations.js";
import type { LinkOwner, LinkSettings, LinkState } from "./link-owner.js";
import { idOf, LinkRefusals } from "./link-refusals.js";
import type { ConnectSession, LinkSession } from "./link-session.js";
import { LINK, type LinkEffect, type LinkInput, type LinkPhase } from "./link-states.js";
import { offeredVersions } from "./protocol-versions.js";
import type { RelayedSubscription } from "./relay.js";
import type { ServerConfig } from "./server-config.js";
import { ServerLimitError } from "./server-limits.js";
import { MAX_VERSION, MIN_VERSION } from "./session.js";

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
  /** Every message is told at debug level. */
  readonly traceMessages?: boolean;
}

/** A handshake needs some time: a shorter least idle time, of a domain file, counts as this (4). */
const SHORTEST_IDLE_SECONDS = 1;

export class Link {
  readonly source: number;
  readonly config: ServerConfig;
  private phase: LinkPhase = "waiting";
  private timer: Timer | undefined;
  private readonly backOff: BackOff;
  private attempt: AbortController | undefined;
  private session: LinkSession | undefined;
  private operations: LinkOperations | undefined;
  private liveness: LinkLiveness | undefined;
  private operationalSinceMs = 0;
  private readonly refusals: LinkRefusals;
  private detachMs = 0;
  /** Read at each attempt to connect. */
  private idle: { readonly min: number; readonly max: number } = { min: 0, max: 0 };
  private lastError: Error | undefined;
  /** Made once per failure, not whenever somebody looks. */
  private lastErrorText = "";
  private toldError: string | undefined;
  private toldPhase: LinkPhase = "waiting";

  constructor(private readonly options: LinkOptions) {
    const { settings, clock, random, log } = options;
    this.source = options.source;
    this.config = options.config;
    const maxSeconds = () => settings.reconnectMaxSeconds;
    this.backOff = new BackOff(() => ({ minSeconds: settings.reconnectMinSeconds, maxSeconds: maxSeconds() }), random);
    this.refusals = new LinkRefusals({ maxSeconds, clock, random, log });
  }

  get state(): LinkState {
    return {
      address: this.config.address,
      state: this.phase,
      ...(this.session ? { protocolVersion: this.session.protocolVersion } : {}),
      ...(this.lastError === undefined ? {} : { lastError: this.lastErrorText, cause: this.lastError }),
    };
  }

  /** Makes the first attempt. Once. */
  start(): void {
    this.take("due");
  }

  /** A service is new or was changed. While there is no connection there is nothing to do: the next one sends everything. */
  publish(service: Service): void {
    this.operations?.publish(service);
  }

  unpublish(id: bigint): void {
    this.operations?.unpublish(id);
  }

  /** The server keeps the service, of which nothing is wanted any more. */
  forget(id: bigint): void {
    this.operations?.forget(id);
  }

  subscribe(subscription: RelayedSubscription): void {
    this.operations?.subscribe(subscription);
  }

  unsubscribe(id: bigint): void {
    this.operations?.unsubscribe(id);
  }

  /** Whether the server has a service as it is wanted, or why it refuses it. */
  publication(id: bigint): ReturnType<LinkOperations["publication"]> {
    return this.operations?.publication(id) ?? { isPublished: false };
  }

  /** What the server has now; rejects if the connection ends. `undefined`: there is none. */
  listServices(): Promise<readonly ServiceState[]> | undefined {
    return this.operations && this.session?.services();
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
    // An effect may have led on to another state, which was told then.
    if (this.toldPhase === this.phase) return;
    this.toldPhase = this.phase;
    this.options.owner.onLinkState(this.state);
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
      this.arm("greeting", seconds * 1000, () =>
        this.fail("timeout", new Error(`no answer to hello within ${seconds} s`)),
      );
    },
    "arm-retry": () => this.arm("reconnect", this.backOff.next(), () => this.take("due")),
    withdraw: () => this.operations!.withdraw(),
    "arm-detach": () =>
      this.arm("detach", this.detachMs, () => {
        this.options.log.warning(() => `Not all services were taken back within ${this.detachMs} ms.`);
        this.take("timeout");
      }),
    finish: () => {
      this.timer?.cancel();
      this.options.owner.onDetached(this.source);
    },
  };

  private arm(name: string, delayMs: number, fire: () => void): void {
    this.timer?.cancel();
    this.timer = this.options.timers.after(name, delayMs, fire);
  }

  /** Why is told once, until it changes or the link has been up meanwhile. */
  private fail(input: "lost" | "timeout", error: Error): void {
    this.lastError = error;
    this.lastErrorText = printable(error.message);
    const { log, owner } = this.options;
    const why = error.message;
    if (this.phase === "operational" || this.phase === "detaching") log.warning(() => `Connection lost: ${why}.`);
    else if (why === this.toldError) log.debug(() => `Still not connected: ${why}.`);
    else log.warning(() => `Not connected: ${why}.`);
    this.toldError = why;
    if (error instanceof ServerLimitError) owner.onDistrusted(this.source);
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
        if (isCurrent()) this.fail("lost", toError(error));
      },
    );
  }

  private async dial(attempt: AbortController): Promise<LinkSession> {
    const { config, clientId, connect, log, traceMessages } = this.options;
    const { min: minVersion, max: maxVersion } = offeredVersions(config);
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
      ...(traceMessages ? { trace: (direction, text) => log.debug(() => `${direction} ${text()}`) } : {}),
    });
  }

  private established(session: LinkSession): void {
    this.session = session;
    session.closed.then((error) => this.lost(session, error ?? new Error("closed")));
    this.take("hello-complete");
  }

  private lost(session: LinkSession, error: Error): void {
    if (this.session === session) this.fail("lost", error);
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
        onSilent: (why) => this.lost(session, new Error(why)),
      });
      this.liveness = liveness;
      session.track().then(
        () => liveness.trackAccepted(),
        (error: unknown) => this.lost(session, toError(error)),
      );
    }
    this.operations = new LinkOperations(
      {
        session,
        refusals: this.refusals,
        timers,
        onMatch: (id, match) => owner.onMatch(this.source, id, match),
        onPublished: (id) => owner.onPublished(id),
        onRefused: (operation, error) =>
          owner.onRefused({ address: this.config.address, command: operation.type, id: idOf(operation), error }),
        onOutcome: (operation, refusal) => owner.onOutcome(operation, refusal),
        onWithdrawn: () => this.take("withdrawn"),
        onBroken: (error) => this.lost(session, error),
      },
      owner.services(),
      owner.subscriptions(),
    );
  }

  private close(): void {
    const { attempt, session } = this;
    this.attempt = undefined;
    this.session = undefined;
    this.operations?.stop();
    this.operations = undefined;
    this.liveness?.stop();
    this.liveness = undefined;
    if (session) session.close();
    else attempt?.abort();
  }

  private idleLimits(): typeof this.idle {
    const { config, settings } = this.options;
    const min = Math.max(SHORTEST_IDLE_SECONDS, config.minIdleSeconds ?? settings.idleMinSeconds);
    return { min, max: Math.max(min, config.maxIdleSeconds ?? settings.idleMaxSeconds) };
  }
}
