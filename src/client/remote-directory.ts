/**
 * The directory of a remote domain, at the counter at which gateways stand (core/directory-access.ts): what they publish
 * is kept true on every server, across reconnects, as for any client of the library.
 *
 * Where it differs from the directory of this process: `publish` waits for the first server's answer, so it may take as
 * long as no server can be reached; `orphan` takes the service back when its TTL has passed, since a client can not give
 * up a service and stay; and what a caller yields to is known only as well as the servers' last news.
 */

import type { Timer, Timers } from "../core/clock.js";
import type { Directory, Match, Service, ServiceState, Subscription } from "../core/directory-access.js";
import type { PublishOutcome, UnpublishOutcome } from "../core/fail-reason.js";
import type { AttachedDomain } from "./attached-domain.js";
import type { LinkState } from "./link-owner.js";
import type { Operation } from "./relay.js";
import { RequestError } from "./session-errors.js";

export type YieldsTo = (present: ServiceState) => boolean;

/** Timers of the event loop end here (2^31-1 ms); a TTL that is longer counts as this. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

interface Held {
  service: Service;
  /** Waits for the first answer to this state. */
  answer: ((outcome: PublishOutcome) => void) | undefined;
  /** Set while it runs out. */
  orphanTimer: Timer | undefined;
}

type RemoteDomain = Pick<
  AttachedDomain,
  "clientId" | "put" | "take" | "forget" | "subscribeStates" | "listServices" | "abandon" | "links"
>;

export class RemoteDirectory implements Directory {
  private readonly held = new Map<bigint, Held>();
  /** What the domain has, by id; kept only while somebody subscribes to everything. Only properties are up to date. */
  private readonly seen = new Map<bigint, ServiceState>();
  private followers = 0;
  /** The list that is being asked for, and the one after it: who asks meanwhile must not get an older state. */
  private list: Promise<ReadonlyMap<bigint, ServiceState>> | undefined;
  private nextList: Promise<ReadonlyMap<bigint, ServiceState>> | undefined;
  private isClosed = false;

  constructor(
    private readonly domain: RemoteDomain,
    private readonly timers: Timers,
  ) {}

  /** Services that were published here and not taken back, orphans included. */
  get serviceCount(): number {
    return this.held.size;
  }

  get links(): readonly LinkState[] {
    return this.domain.links;
  }

  /** A server answers, as far as we know. */
  get isReachable(): boolean {
    return this.links.some(({ state }) => state === "operational");
  }

  async publish(service: Service, yieldsTo?: YieldsTo): Promise<PublishOutcome | "yielded"> {
    if (this.isClosed) throw new Error("this access to the directory was closed");
    const present = this.seen.get(service.id);
    if (yieldsTo && present && present.owner !== this.domain.clientId && yieldsTo(present)) return "yielded";
    const before = this.held.get(service.id);
    before?.orphanTimer?.cancel();
    before?.answer?.("ok"); // it counts no more
    return new Promise((answer) => {
      this.held.set(service.id, { service, answer, orphanTimer: undefined });
      this.domain.put(service);
    });
  }

  async unpublish(serviceId: bigint, yieldsTo?: YieldsTo): Promise<UnpublishOutcome | "yielded"> {
    const held = this.held.get(serviceId);
    if (!held) return "non-existent-service-id";
    const present = this.seen.get(serviceId);
    if (yieldsTo && present && present.owner !== this.domain.clientId && yieldsTo(present)) return "yielded";
    this.drop(serviceId, held);
    return "ok";
  }

  async orphan(serviceId: bigint): Promise<void> {
    const held = this.held.get(serviceId);
    if (!held || held.orphanTimer) return;
    const ttlMs = Math.min(Number(held.service.ttlSeconds) * 1000, LONGEST_DELAY_MS);
    held.orphanTimer = this.timers.after("remote orphan", ttlMs, () => void this.expire(serviceId, held));
  }

  forget(serviceId: bigint): void {
    const held = this.held.get(serviceId);
    if (!held) return;
    held.orphanTimer?.cancel();
    held.answer?.("ok"); // it counts no more
    this.held.delete(serviceId);
    this.domain.forget(serviceId);
  }

  async find(serviceId: bigint): Promise<ServiceState | undefined> {
    return (await this.freshList()).get(serviceId);
  }

  subscribe(filter: string | undefined, onMatch: (match: Match) => void): Subscription {
    if (filter !== undefined) return this.domain.subscribeStates(filter, onMatch);
    this.followers++;
    let isFollowing = true;
    const subscription = this.domain.subscribeStates(undefined, (match) => {
      if (match.type === "disappeared") this.seen.delete(match.serviceId);
      else this.seen.set(match.service.id, match.service);
      onMatch(match);
    });
    return {
      cancel: () => {
        subscription.cancel();
        if (isFollowing && --this.followers === 0) this.seen.clear();
        isFollowing = false;
      },
    };
  }

  /** The answer of a server: to be called by the domain for each. */
  outcome(operation: Operation, refusal: Error | undefined): void {
    if (operation.type !== "publish") return;
    const held = this.held.get(operation.service.id);
    if (held?.service !== operation.service) return;
    const reason = refusal instanceof RequestError ? refusal.failReason : undefined;
    const answer = held.answer;
    held.answer = undefined;
    if (!refusal) answer?.("ok");
    else if (answer) answer(isPublishOutcome(reason) ? reason : "insufficient-resources");
    else if (reason === "old-generation" || reason === "same-generation-but-different") void this.reclaim(held);
  }

  /** Leaves at once: what is published becomes orphans, as that of any client that goes. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const { orphanTimer, answer } of this.held.values()) {
      orphanTimer?.cancel();
      answer?.("ok");
    }
    this.held.clear();
    this.domain.abandon();
  }

  /**
   * A server has a later state of what we hold, from somebody else: as long as that one lives it is left alone, and
   * asked about again each time the server refuses ours. When it is gone (an orphan), ours takes its place.
   */
  private async reclaim(held: Held): Promise<void> {
    const { id } = held.service;
    const present = await this.find(id);
    if (this.held.get(id) !== held || !present) return;
    if (present.orphanSince === undefined && present.owner !== this.domain.clientId) return;
    held.service = { ...held.service, generation: present.generation + 1n };
    this.domain.put(held.service);
  }

  /** All who ask while one list is on its way share the next one. */
  private freshList(): Promise<ReadonlyMap<bigint, ServiceState>> {
    if (this.list) {
      this.nextList ??= this.list.then(() => this.freshList());
      return this.nextList;
    }
    this.nextList = undefined;
    this.list = this.domain.listServices().finally(() => {
      this.list = undefined;
    });
    return this.list;
  }

  /** An orphan's time is up. Somebody else may have taken it over meanwhile, and keeps it. */
  private async expire(serviceId: bigint, held: Held): Promise<void> {
    const present = await this.find(serviceId);
    if (this.held.get(serviceId) !== held) return;
    if (present && present.owner !== this.domain.clientId) this.forget(serviceId);
    else this.drop(serviceId, held);
  }

  private drop(serviceId: bigint, held: Held): void {
    held.orphanTimer?.cancel();
    held.answer?.("ok");
    this.held.delete(serviceId);
    this.domain.take(serviceId);
  }
}

function isPublishOutcome(reason: string | undefined): reason is PublishOutcome {
  return (
    reason === "old-generation" ||
    reason === "same-generation-but-different" ||
    reason === "permission-denied" ||
    reason === "insufficient-resources"
  );
}
