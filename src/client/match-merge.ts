/**
 * What several servers report for one subscription, merged into the one story that the application is told
 * (libpaf-client.md, 7). Pure: time comes in as a clock and timers, and what is to be told goes out through `announce`.
 *
 * A source is one link that has reported a service; links have a number each that is never used again.
 */

import type { Clock, Timers } from "../core/clock.js";
import type { Match, ServiceState } from "../core/directory-access.js";
import { type Properties, sameProperties } from "../core/properties.js";
import { ProtocolError } from "../wire/protocol-error.js";
import { KeyedQueue } from "./keyed-queue.js";
import { type MatchClaim, MatchClaims } from "./match-claims.js";
import { currentSources, howGone, type Merged, type Source, unconnectedOrphanSince } from "./merged-service.js";
import type { ServerLimits } from "./server-limits.js";

/** What the servers together say of a service. Generation, TTL, owner and orphan state stay behind (2). */
export type MergedMatch =
  | {
      readonly type: "appeared" | "modified";
      readonly serviceId: bigint;
      readonly properties: Properties;
      /** As a server has reported it. */
      readonly service: ServiceState;
    }
  | { readonly type: "disappeared"; readonly serviceId: bigint };

/** How long a service that is gone is remembered, so that the old news of a slow server do not bring it back (7.4). */
export const STALE_SECONDS = 30;
/** Most such records; the oldest is forgotten early then. It costs nothing but that protection. */
export const MAX_STALE_RECORDS = 100_000;
/** What is gone holds no properties. */
const NO_PROPERTIES: Properties = new Map();

export interface MatchMergeOptions {
  /** Called from within `report` and from timers. */
  readonly announce: (match: MergedMatch) => void;
  readonly clock: Clock;
  /** Of wall-clock time, in which orphans age (7.5). At most one timer is set per service. */
  readonly timers: Timers;
  /** Those of one source. */
  readonly limits: Pick<ServerLimits, "matchedServices" | "matchedBytes">;
  /** Of the source's server, for errors. */
  readonly addressOf: (source: number) => string;
}

export class MatchMerge {
  private readonly services = new Map<bigint, Merged>();
  /** Gone, but remembered; oldest first. */
  private readonly stale = new KeyedQueue<bigint, Merged>();
  private readonly claims: MatchClaims;

  constructor(private readonly options: MatchMergeOptions) {
    this.claims = new MatchClaims(options.limits, options.addressOf);
  }

  /** Services known, also those that are remembered as gone. */
  get size(): number {
    return this.services.size;
  }

  /**
   * A server's notification. Throws a `ProtocolError` if it does not follow from what the server said before, and a
   * `ServerLimitError` if it would be too much to hold; nothing has changed then.
   */
  report(source: number, match: Match): void {
    if (match.type === "disappeared") this.disappeared(source, match.serviceId);
    else if (match.type === "appeared") this.appeared(source, match.service);
    else this.modified(source, match.service);
  }

  /**
   * The source's connection was lost (7.3): what it reported last stands until the TTL has passed, unless it comes back.
   * `removed`: it will not come back under this number.
   */
  disconnected(number: number, removed = false): void {
    const now = this.options.clock.unixSeconds();
    for (const service of this.services.values()) {
      const source = service.sources.get(number);
      if (!source) continue;
      source.removed ||= removed;
      if (!source.connected) continue;
      source.connected = false;
      source.orphanSince ??= now;
      if (service.state !== "announced") this.release(number, source);
      if (service.state === "initial") this.forget(service);
      else this.watch(service);
    }
  }

  /**
   * The source's server is not believed any more (it went beyond a limit), and its connection is over: what nobody else
   * reported as it was announced is gone at once, whatever TTL the server gave it.
   */
  discard(number: number): void {
    for (const service of this.services.values()) {
      const source = service.sources.get(number);
      if (!source) continue;
      this.drop(service, number, source);
      if (service.state === "announced") {
        if (currentSources(service).length === 0) this.gone(service, "orphaned-out");
        else this.watch(service);
      } else if (service.state === "initial") this.forget(service);
    }
  }

  /** Forgets everything, and stops its timers. */
  clear(): void {
    for (const { timer } of this.services.values()) timer?.cancel();
    this.services.clear();
    this.stale.clear();
    this.claims.clear();
  }

  private appeared(number: number, reported: ServiceState): void {
    const known = this.services.get(reported.id)?.sources.get(number);
    if (known?.connected) throw violation(reported.id, "appeared, but it had appeared before");
    if (known && reported.generation < known.generation) throw goneBack(reported, known);
    const claim = this.claims.replace(number, known?.claim, reported.properties);
    const service = this.services.get(reported.id) ?? this.create(reported);
    this.refresh(service, number, known, reported, claim);
    this.hear(service, reported);
  }

  private modified(number: number, reported: ServiceState): void {
    const service = this.services.get(reported.id);
    const known = service?.sources.get(number);
    if (!service || !known?.connected) throw violation(reported.id, "modified, but it is not there");
    if (reported.generation < known.generation) throw goneBack(reported, known);
    this.refresh(service, number, known, reported, this.claims.replace(number, known.claim, reported.properties));
    this.hear(service, reported);
  }

  /**
   * Rule 4 of `appeared` and rule 3 of `modified` (7.1), which are the same here. To the letter, `modified` to the very
   * generation that was orphaned out is silent; but then that server has just been given this generation by an owner
   * that is alive (it was at an older one, or the service would not have been gone), and libpaf hides what is published
   * until it changes again or that link is lost. As `appeared` does, so `modified` brings it back.
   */
  private hear(service: Merged, reported: ServiceState): void {
    const { state, generation } = service;
    const isNews =
      state === "initial" ||
      reported.generation > generation ||
      (reported.generation === generation && state === "orphaned-out");
    if (isNews) this.takeOver(service, reported);
    else this.watch(service);
  }

  private disappeared(number: number, serviceId: bigint): void {
    const service = this.services.get(serviceId);
    const known = service?.sources.get(number);
    if (!service || !known) throw violation(serviceId, "disappeared, but it had not appeared");
    known.connected = false;
    this.release(number, known);
    if (service.state === "initial") this.forget(service);
    if (service.state !== "announced") return;
    if (!currentSources(service).some(({ connected }) => connected)) this.gone(service, howGone(service));
  }

  private create({ id, properties }: ServiceState): Merged {
    const service: Merged = {
      serviceId: id,
      sources: new Map(),
      state: "initial",
      generation: 0n,
      properties,
      ttlSeconds: 0n,
      timer: undefined,
    };
    this.services.set(id, service);
    return service;
  }

  private refresh(
    service: Merged,
    number: number,
    known: Source | undefined,
    reported: ServiceState,
    claim: MatchClaim,
  ): void {
    const since = reported.orphanSince;
    if (known) {
      known.generation = reported.generation;
      known.connected = true;
      known.claim = claim;
      known.orphanSince = since === undefined ? undefined : Math.min(since, known.orphanSince ?? since);
      return;
    }
    service.sources.set(number, {
      generation: reported.generation,
      connected: true,
      orphanSince: since,
      removed: false,
      claim,
    });
    // A link that is gone for good has nothing to say besides one that knows as much; so the list stays short.
    for (const [other, source] of service.sources) {
      if (source.removed && source.generation <= reported.generation) this.drop(service, other, source);
    }
  }

  private release(number: number, source: Source): void {
    this.claims.release(number, source.claim);
    source.claim = undefined;
  }

  private drop(service: Merged, number: number, source: Source): void {
    this.release(number, source);
    service.sources.delete(number);
  }

  /** `reported` is what the application is to know now. */
  private takeOver(service: Merged, reported: ServiceState): void {
    const { generation, ttlSeconds, properties } = reported;
    const wasAnnounced = service.state === "announced";
    const isSame = wasAnnounced && sameProperties(service.properties, properties);
    service.generation = generation;
    service.ttlSeconds = ttlSeconds;
    service.properties = properties;
    service.state = "announced";
    this.stale.delete(service.serviceId);
    this.watch(service);
    if (isSame) return;
    const type = wasAnnounced ? "modified" : "appeared";
    this.options.announce({ type, serviceId: service.serviceId, properties, service: reported });
  }

  private gone(service: Merged, state: ReturnType<typeof howGone>): void {
    const { serviceId, sources } = service;
    service.state = state;
    service.properties = NO_PROPERTIES;
    for (const [number, source] of sources) if (!source.connected) this.release(number, source);
    this.setTimer(service, "stale match", STALE_SECONDS, () => this.forget(service));
    this.stale.set(serviceId, service);
    if (this.stale.size > MAX_STALE_RECORDS) this.forget(this.stale.shift()!);
    this.options.announce({ type: "disappeared", serviceId });
  }

  /**
   * The next report of it is news, whatever its generation. Sources that are connected are kept: what they say next must
   * still follow from what they said. (libpaf forgets them too, and restarts their links when they speak.)
   */
  private forget(service: Merged): void {
    service.state = "initial";
    service.timer?.cancel();
    service.timer = undefined;
    this.stale.delete(service.serviceId);
    for (const [number, source] of service.sources) if (!source.connected) this.drop(service, number, source);
    if (service.sources.size === 0) this.services.delete(service.serviceId);
  }

  /** Sets the timer of an unconnected orphan, or stops it if the service is none (any more). */
  private watch(service: Merged): void {
    if (service.state !== "announced") return; // the timer is that of its record
    const since = unconnectedOrphanSince(service);
    if (since === undefined) {
      service.timer?.cancel();
      service.timer = undefined;
      return;
    }
    const leftSeconds = since + Number(service.ttlSeconds) - this.options.clock.unixSeconds();
    this.setTimer(service, "unconnected orphan", leftSeconds, () => this.gone(service, howGone(service)));
  }

  private setTimer(service: Merged, name: string, seconds: number, fire: () => void): void {
    service.timer?.cancel();
    service.timer = this.options.timers.after(name, seconds * 1000, fire);
  }
}

const violation = (serviceId: bigint, what: string): ProtocolError =>
  new ProtocolError(`subscribe notify: service 0x${serviceId.toString(16)} ${what}`);

const goneBack = ({ id, generation }: ServiceState, known: Source): ProtocolError =>
  violation(id, `has generation ${generation}, after ${known.generation}`);
