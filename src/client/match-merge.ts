/**
 * What several servers report for one subscription, merged into the one story that the application is told
 * (libpaf-client.md, 7). Pure: time comes in as a clock and timers, and what is to be told goes out through `announce`.
 *
 * A source is one link that has reported a service; links have a number each that is never used again.
 */

import type { Clock, Timer, Timers } from "../core/clock.js";
import type { Match, ServiceState } from "../core/directory-access.js";
import { type Properties, sameProperties } from "../core/properties.js";
import { ProtocolError } from "../wire/protocol-error.js";

/** What the application is told of a service. Generation, TTL, owner and orphan state stay behind (2). */
export type DomainMatch =
  | { readonly type: "appeared" | "modified"; readonly serviceId: bigint; readonly properties: Properties }
  | { readonly type: "disappeared"; readonly serviceId: bigint };

/** How long a service that is gone is remembered, so that the old news of a slow server do not bring it back (7.4). */
export const STALE_SECONDS = 30;

interface Source {
  /** The last one it reported. */
  generation: bigint;
  /** It says that the service is there; else it said `disappeared`, or its connection was lost. */
  connected: boolean;
  /** Seconds since the UNIX epoch; `undefined`: not an orphan. */
  orphanSince: number | undefined;
  /** Its link will not come back. */
  removed: boolean;
}

interface Merged {
  readonly serviceId: bigint;
  readonly sources: Map<number, Source>;
  state: "initial" | "announced" | "unpublished" | "orphaned-out";
  /** As announced last. */
  generation: bigint;
  properties: Properties;
  ttlSeconds: bigint;
  /** Announced: the end of the TTL of an unconnected orphan. Gone: the end of its record. */
  timer: Timer | undefined;
}

export interface MatchMergeOptions {
  /** Called from within `report` and from timers. */
  readonly announce: (match: DomainMatch) => void;
  readonly clock: Clock;
  /** Of wall-clock time, in which orphans age (7.5). At most one timer is set per service. */
  readonly timers: Timers;
}

export class MatchMerge {
  private readonly services = new Map<bigint, Merged>();

  constructor(private readonly options: MatchMergeOptions) {}

  /** Services known, also those that are remembered as gone. */
  get size(): number {
    return this.services.size;
  }

  /** A server's notification. Throws a `ProtocolError` if it does not follow from what the server said before. */
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
      if (service.state === "initial") this.forget(service);
      else this.watch(service);
    }
  }

  /** Forgets everything, and stops its timers. */
  clear(): void {
    for (const { timer } of this.services.values()) timer?.cancel();
    this.services.clear();
  }

  private appeared(number: number, reported: ServiceState): void {
    const service = this.services.get(reported.id) ?? this.create(reported);
    const known = service.sources.get(number);
    if (known?.connected) throw violation(reported.id, "appeared, but it had appeared before");
    if (known && reported.generation < known.generation) throw goneBack(reported, known);
    this.refresh(service, number, known, reported);
    const { state, generation } = service;
    const isNews =
      state === "initial" ||
      reported.generation > generation ||
      (reported.generation === generation && state === "orphaned-out");
    if (isNews) this.takeOver(service, reported);
    else this.watch(service);
  }

  private modified(number: number, reported: ServiceState): void {
    const service = this.services.get(reported.id);
    const known = service?.sources.get(number);
    if (!service || !known?.connected) throw violation(reported.id, "modified, but it is not there");
    if (reported.generation < known.generation) throw goneBack(reported, known);
    this.refresh(service, number, known, reported);
    if (service.state === "initial" || reported.generation > service.generation) this.takeOver(service, reported);
    else this.watch(service);
  }

  private disappeared(number: number, serviceId: bigint): void {
    const service = this.services.get(serviceId);
    const known = service?.sources.get(number);
    if (!service || !known) throw violation(serviceId, "disappeared, but it had not appeared");
    known.connected = false;
    if (service.state === "initial") this.forget(service);
    if (service.state !== "announced") return;
    const current = [...service.sources.values()].filter(({ generation }) => generation === service.generation);
    if (current.some(({ connected }) => connected)) return;
    const allOrphans = current.every(({ orphanSince }) => orphanSince !== undefined);
    this.gone(service, allOrphans ? "orphaned-out" : "unpublished");
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

  private refresh(service: Merged, number: number, known: Source | undefined, reported: ServiceState): void {
    const since = reported.orphanSince;
    if (known) {
      known.generation = reported.generation;
      known.connected = true;
      known.orphanSince = since === undefined ? undefined : Math.min(since, known.orphanSince ?? since);
      return;
    }
    service.sources.set(number, {
      generation: reported.generation,
      connected: true,
      orphanSince: since,
      removed: false,
    });
    // A link that is gone for good has nothing to say besides one that knows as much; so the list stays short.
    for (const [other, source] of service.sources) {
      if (source.removed && source.generation <= reported.generation) service.sources.delete(other);
    }
  }

  /** `reported` is what the application is to know now. */
  private takeOver(service: Merged, { generation, ttlSeconds, properties }: ServiceState): void {
    const wasAnnounced = service.state === "announced";
    const isSame = wasAnnounced && sameProperties(service.properties, properties);
    service.generation = generation;
    service.ttlSeconds = ttlSeconds;
    service.properties = properties;
    service.state = "announced";
    this.watch(service);
    if (isSame) return;
    this.options.announce({ type: wasAnnounced ? "modified" : "appeared", serviceId: service.serviceId, properties });
  }

  private gone(service: Merged, state: "unpublished" | "orphaned-out"): void {
    service.state = state;
    this.setTimer(service, "stale match", STALE_SECONDS, () => this.forget(service));
    this.options.announce({ type: "disappeared", serviceId: service.serviceId });
  }

  /**
   * The next report of it is news, whatever its generation. Sources that are connected are kept: what they say next must
   * still follow from what they said. (libpaf forgets them too, and restarts their links when they speak.)
   */
  private forget(service: Merged): void {
    service.state = "initial";
    service.timer = undefined;
    for (const [number, { connected }] of service.sources) if (!connected) service.sources.delete(number);
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
    this.setTimer(service, "unconnected orphan", leftSeconds, () => this.gone(service, "orphaned-out"));
  }

  private setTimer(service: Merged, name: string, seconds: number, fire: () => void): void {
    service.timer?.cancel();
    service.timer = this.options.timers.after(name, seconds * 1000, fire);
  }
}

/**
 * When the service became an orphan that no connected server knows: the latest orphan time of the sources that have its
 * generation; `undefined` if one of them is connected. Those with an older generation have no part in it, nor has one
 * that said `disappeared`: in libpaf that one would hold the service for ever once the others are lost.
 */
function unconnectedOrphanSince({ sources, generation }: Merged): number | undefined {
  let latest: number | undefined;
  for (const source of sources.values()) {
    if (source.generation !== generation) continue;
    if (source.connected) return undefined;
    if (source.orphanSince !== undefined) latest = Math.max(latest ?? source.orphanSince, source.orphanSince);
  }
  return latest;
}

const violation = (serviceId: bigint, what: string): ProtocolError =>
  new ProtocolError(`subscribe notify: service 0x${serviceId.toString(16)} ${what}`);

const goneBack = ({ id, generation }: ServiceState, known: Source): ProtocolError =>
  violation(id, `has generation ${generation}, after ${known.generation}`);
