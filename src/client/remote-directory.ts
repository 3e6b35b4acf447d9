/**
 * The directory of a remote domain, at the counter at which gateways stand (core/directory-access.ts): what they publish
 * is kept true on every server, across reconnects, as for any client of the library.
 *
 * Where it differs from the directory of this process: `publish` waits for the first server's answer, so it may take as
 * long as no server can be reached; `orphan` takes the service back when its TTL has passed, since a client can not give
 * up a service and stay (a connection that is made meanwhile does not publish it again); what a caller yields to is known
 * only as well as the servers' last news; and whether a service is still ours to be taken back is asked of each server
 * first, so that who takes it over in the time of that answer loses it.
 */

import type { Clock, Timer, Timers } from "../core/clock.js";
import type { Directory, Match, Service, ServiceState, Subscription } from "../core/directory-access.js";
import type { PublishOutcome, UnpublishOutcome } from "../core/fail-reason.js";
import type { AttachedDomain, ServerServices } from "./attached-domain.js";
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
  /** Set while it runs out; `since`: in seconds since 1970. */
  orphan: { readonly since: number; readonly timer: Timer } | undefined;
}

type RemoteDomain = Pick<
  AttachedDomain,
  "clientId" | "put" | "lapse" | "forget" | "subscribeStates" | "listServices" | "abandon" | "links"
>;

export class RemoteDirectory implements Directory {
  private readonly held = new Map<bigint, Held>();
  /** What the domain has, by id; kept only while somebody subscribes to everything. Only properties are up to date. */
  private readonly seen = new Map<bigint, ServiceState>();
  private followers = 0;
  /** The lists that are being asked for, and those after them: who asks meanwhile must not get an older state. */
  private lists: Promise<readonly ServerServices[]> | undefined;
  private nextLists: Promise<readonly ServerServices[]> | undefined;
  private isClosed = false;

  constructor(
    private readonly domain: RemoteDomain,
    private readonly time: { readonly clock: Clock; readonly timers: Timers },
  ) {}

  /** Services that were published here and not taken back, orphans included. */
  get serviceCount(): number {
    return this.held.size;
  }

  get clientId(): bigint {
    return this.domain.clientId;
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
    before?.orphan?.timer.cancel();
    before?.answer?.("ok"); // it counts no more
    return new Promise((answer) => {
      this.held.set(service.id, { service, answer, orphan: undefined });
      this.domain.put(service);
    });
  }

  async unpublish(
    serviceId: bigint,
    takes: (present: ServiceState) => boolean = () => false,
  ): Promise<UnpublishOutcome | "yielded"> {
    if (!this.held.has(serviceId)) {
      const present = await this.find(serviceId);
      if (!present || this.held.has(serviceId)) return "non-existent-service-id";
      if (!takes(present)) return "yielded";
      // A server lets go only of what this client has told it of.
      const outcome = await this.publish(present);
      if (this.held.get(serviceId)?.service !== present) return "yielded"; // it was published here meanwhile
      if (outcome !== "ok") {
        this.forget(serviceId); // or the next connection would publish it
        return outcome === "permission-denied" ? outcome : "yielded";
      }
    }
    return this.takeBack(serviceId, takes);
  }

  async orphan(serviceId: bigint): Promise<void> {
    const held = this.held.get(serviceId);
    if (!held || held.orphan) return;
    const ttlMs = Math.min(Number(held.service.ttlSeconds) * 1000, LONGEST_DELAY_MS);
    this.domain.lapse(serviceId);
    const { clock, timers } = this.time;
    const timer = timers.after("remote orphan", ttlMs, () => void this.takeBack(serviceId));
    held.orphan = { since: Math.floor(clock.unixSeconds()), timer };
  }

  forget(serviceId: bigint): void {
    const held = this.held.get(serviceId);
    if (!held) return;
    held.orphan?.timer.cancel();
    held.answer?.("ok"); // it counts no more
    this.held.delete(serviceId);
    this.domain.forget(serviceId);
  }

  async find(serviceId: bigint): Promise<ServiceState | undefined> {
    let latest: ServiceState | undefined;
    for (const { services } of await this.freshLists()) {
      const present = services.get(serviceId);
      if (present && !(latest && latest.generation >= present.generation)) latest = present;
    }
    // The servers can not know that we have given it up.
    const orphan = latest?.owner === this.clientId ? this.held.get(serviceId)?.orphan : undefined;
    return latest && orphan ? { ...latest, orphanSince: orphan.since } : latest;
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
    else if (held.orphan)
      return; // it is to run out there, too
    else if (reason === "old-generation" || reason === "same-generation-but-different") void this.reclaim(held);
  }

  /** Leaves at once: what is published becomes orphans, as that of any client that goes. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const { orphan, answer } of this.held.values()) {
      orphan?.timer.cancel();
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

  /** All who ask while lists are on their way share the next ones. */
  private freshLists(): Promise<readonly ServerServices[]> {
    if (this.lists) {
      this.nextLists ??= this.lists.then(() => this.freshLists());
      return this.nextLists;
    }
    this.nextLists = undefined;
    this.lists = this.domain.listServices().finally(() => {
      this.lists = undefined;
    });
    return this.lists;
  }

  /** From each server on which it is ours, or which has one that `takes` says true of; elsewhere it is left to its owner. */
  private async takeBack(
    serviceId: bigint,
    takes: (present: ServiceState) => boolean = () => false,
  ): Promise<"ok" | "yielded"> {
    const held = this.held.get(serviceId);
    held?.orphan?.timer.cancel();
    held?.answer?.("ok"); // it counts no more
    this.held.delete(serviceId);
    this.domain.lapse(serviceId);
    const servers = await this.freshLists();
    if (this.held.has(serviceId)) return "ok"; // it was published again meanwhile
    let outcome: "ok" | "yielded" = "ok";
    for (const { services, unpublish, forget } of servers) {
      const present = services.get(serviceId);
      if (!present || present.owner === this.clientId || takes(present)) unpublish(serviceId);
      else {
        forget(serviceId);
        outcome = "yielded";
      }
    }
    return outcome;
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
