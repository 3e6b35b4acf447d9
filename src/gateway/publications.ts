/**
 * What a gateway wants to be in the directory, and the keeping of it there: compares what is wanted with what the
 * directory was last told, and sends the difference.
 *
 * Generations rise over updates and over restarts (architecture: "Generations survive a restart"): the first one of a
 * service in this process is the time in milliseconds since 1970, each change adds at least one. If the directory
 * nevertheless knows a later one (a board whose clock starts in 1970), the next is one above that.
 *
 * Several gateways may publish one service. Who publishes it last owns it, and only the owner takes it back: nobody
 * withdraws what another one publishes.
 */

import type { Clock, Timer, Timers } from "../core/clock.js";
import type { Directory, ServiceState } from "../core/directory-access.js";
import type { Logger } from "../core/log.js";
import { type Properties, sameProperties } from "../core/properties.js";

/**
 * How sure we are that a service is there. `usual`: sure enough to take it from another owner, once. `fresh`: it has
 * just been heard, so it is ours, whoever has it. `hearsay`: it is left to another owner as long as there is one.
 */
export type Claim = "usual" | "fresh" | "hearsay";

interface Published {
  readonly state: "published";
  readonly ttlSeconds: bigint;
  readonly properties: Properties;
  readonly claim: Claim;
}

type Wanted =
  | Published
  | { readonly state: "orphaned" }
  | { readonly state: "withdrawn" }
  | { readonly state: "released" }
  | { readonly state: "forgotten" };

interface Publication {
  wanted: Wanted;
  /** What the directory was last told successfully; `undefined` before the first publish. */
  told: { readonly ttlSeconds: bigint; readonly properties: Properties; readonly orphaned: boolean } | undefined;
  /** Of the last publish; each change adds one first. */
  generation: bigint;
  busy: boolean;
  /** How often it was given up: an answer to what was said before does not count. */
  forgotten: number;
  /** The last publish was refused, which has been told. */
  refused: boolean;
  /** It was not published, and is to be tried again: refused, or left to another owner. */
  pending: boolean;
}

/** After so long what was refused, or left to another owner, is tried again: that one may have given it up. */
export const RETRY_MS = 30_000;

export interface PublicationsOptions {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  /** At most so many services; further ones are refused with a warning. */
  readonly limit: number;
  /** There is room for one more service than before. */
  readonly onRoom?: () => void;
  /** A service that is there already and is neither replaced nor removed, although it has the id of one of ours. */
  readonly yieldsTo?: (present: ServiceState) => boolean;
  /** A service of another owner that is no evidence of its own: ours takes its place even if it is hearsay. */
  readonly isEcho?: (present: ServiceState) => boolean;
  /**
   * Somebody else may have published these services before: the first publish goes on from what is there, with the same
   * generation if nothing differs, which takes one question more. Default: false.
   */
  readonly continues?: boolean;
}

export class Publications {
  private readonly publications = new Map<bigint, Publication>();
  private refusals = 0;
  private retry: Timer | undefined;
  private isStopped = false;

  constructor(private readonly options: PublicationsOptions) {}

  /** Number of services that are (or are about to be) in the directory because of this gateway. */
  get size(): number {
    return this.publications.size;
  }

  /** Makes the directory show this service, with a new generation if anything differs. False: the limit is reached. */
  publish(id: bigint, ttlSeconds: bigint, properties: Properties, claim: Claim = "usual"): boolean {
    let publication = this.publications.get(id);
    if (!publication) {
      if (this.publications.size >= this.options.limit) {
        if (this.refusals++ === 0) {
          this.options.log.warning(
            () => `More than ${this.options.limit} services announced; further ones are ignored.`,
          );
        }
        return false;
      }
      const nowMs = Math.max(0, Math.floor(this.options.clock.unixSeconds() * 1000));
      publication = {
        wanted: { state: "withdrawn" },
        told: undefined,
        generation: BigInt(nowMs) - 1n,
        busy: false,
        forgotten: 0,
        refused: false,
        pending: false,
      };
      this.publications.set(id, publication);
    }
    this.want(id, publication, { state: "published", ttlSeconds, properties, claim });
    return true;
  }

  /** Removes the service from the directory, unless another client publishes it by now. */
  withdraw(id: bigint): void {
    const publication = this.publications.get(id);
    if (publication) this.want(id, publication, { state: "withdrawn" });
  }

  /** Gives the service up without a word: somebody else publishes it now, and may go on doing so. */
  forget(id: bigint): void {
    const publication = this.publications.get(id);
    if (!publication) return;
    // At once: it may be wanted again before what is under way now has been answered.
    publication.told = undefined;
    publication.forgotten++;
    this.options.directory.forget?.(id);
    this.want(id, publication, { state: "forgotten" });
  }

  /** Lets the service run out with its TTL, as if its owner had gone, unless it is published again before. */
  orphan(id: bigint): void {
    const publication = this.publications.get(id);
    if (publication && publication.wanted.state === "published") this.want(id, publication, { state: "orphaned" });
  }

  /**
   * Gives the service up: it stays, as an orphan unless somebody else has taken it over. Also for who can not know what
   * has become of it.
   */
  release(id: bigint): void {
    const publication = this.publications.get(id);
    if (publication) this.want(id, publication, { state: "released" });
  }

  /** Removes a service that somebody else of this user published, who is gone and can no longer remove it. */
  async removeOrphan(id: bigint): Promise<void> {
    const { directory, log } = this.options;
    try {
      if (!this.publications.has(id)) await directory.unpublish(id, (present) => this.isNobodys(present));
    } catch (error) {
      log.error(() => `Service ${id.toString(16)}: ${String(error)}`);
    }
  }

  /** Says again what was said of everything that is published: somebody else may have had it meanwhile, and given it up. */
  reassert(): void {
    for (const [id, publication] of this.publications) {
      const { told, wanted } = publication;
      if (!told || told.orphaned || wanted.state !== "published") continue;
      publication.told = { ...told, orphaned: true };
      this.want(id, publication, { ...wanted, claim: "hearsay" });
    }
  }

  /** Tries nothing again any more. What is published stays. */
  stop(): void {
    this.isStopped = true;
    this.retry?.cancel();
  }

  private want(id: bigint, publication: Publication, wanted: Wanted): void {
    publication.wanted = wanted;
    if (publication.busy) return;
    publication.busy = true;
    void this.settle(id, publication);
  }

  /**
   * Sends differences until there is none: what is wanted may change while the directory answers. What the directory
   * refuses is sent again when it changes, or after a while.
   */
  private async settle(id: bigint, publication: Publication): Promise<void> {
    let wanted: Wanted;
    do {
      wanted = publication.wanted;
      try {
        await this.tell(id, publication, wanted);
      } catch (error) {
        this.options.log.error(() => `Service ${id.toString(16)}: ${String(error)}`);
      }
    } while (publication.wanted !== wanted);
    // Nothing may run between the last comparison and this, or a change in between would be lost.
    publication.busy = false;
    if (wanted.state === "published" || wanted.state === "orphaned") return;
    this.publications.delete(id);
    this.options.onRoom?.();
  }

  private async tell(id: bigint, publication: Publication, wanted: Wanted): Promise<void> {
    const { told } = publication;
    if (wanted.state === "withdrawn") {
      publication.told = undefined;
      // An orphan's owner is gone: this one knows better what has become of it.
      if (told || publication.pending) {
        await this.options.directory.unpublish(id, (present) => isOrphan(present) && !this.yieldsTo(present));
      }
    } else if (wanted.state === "forgotten") {
      return;
    } else if (wanted.state === "released") {
      publication.told = undefined;
      if ((told && !told.orphaned) || publication.pending) await this.options.directory.orphan(id);
    } else if (wanted.state === "orphaned") {
      if (!told || told.orphaned) return;
      await this.options.directory.orphan(id);
      publication.told = { ...told, orphaned: true };
    } else {
      const { ttlSeconds, properties, claim } = wanted;
      const same = told && told.ttlSeconds === ttlSeconds && sameProperties(told.properties, properties);
      if (same && !told.orphaned && claim !== "fresh") return;
      if (!same) publication.generation += 1n;
      const { forgotten } = publication;
      const looksFirst = claim === "hearsay" || (!told && this.options.continues);
      const found = looksFirst ? await this.look(id, publication, wanted) : "free";
      const isDone = found === "free" ? await this.send(id, publication, ttlSeconds, properties) : found === "done";
      if (forgotten !== publication.forgotten) return;
      publication.pending = !isDone;
      if (isDone) publication.told = { ttlSeconds, properties, orphaned: false };
      else this.retryLater();
    }
  }

  /**
   * Takes over the generation of what the directory has, one above it if that differs. `done`: it is as it should be;
   * `taken`: another one publishes it, and is to go on.
   */
  private async look(id: bigint, publication: Publication, wanted: Published): Promise<"free" | "done" | "taken"> {
    const { directory } = this.options;
    const { ttlSeconds, properties, claim } = wanted;
    const present = await directory.find(id);
    if (!present) return "free";
    const isOurs = present.owner === directory.clientId;
    if (claim === "hearsay" && !isOurs && !this.isNobodys(present)) return "taken";
    const same = present.ttlSeconds === ttlSeconds && sameProperties(present.properties, properties);
    if (same) publication.generation = present.generation;
    else if (publication.generation <= present.generation) publication.generation = present.generation + 1n;
    return isOurs && same && !isOrphan(present) ? "done" : "free";
  }

  /** One timer for all: who waits, waits for an owner that is gone, or for room. */
  private retryLater(): void {
    if (this.isStopped) return;
    this.retry ??= this.options.timers.after("publications retry", RETRY_MS, () => {
      this.retry = undefined;
      for (const [id, publication] of this.publications) {
        const { pending, wanted } = publication;
        if (pending && wanted.state === "published") this.want(id, publication, { ...wanted, claim: "hearsay" });
      }
    });
  }

  private isNobodys(present: ServiceState): boolean {
    return isOrphan(present) || (this.options.isEcho?.(present) ?? false);
  }

  private yieldsTo(present: ServiceState): boolean {
    return this.options.yieldsTo?.(present) ?? false;
  }

  private async send(
    id: bigint,
    publication: Publication,
    ttlSeconds: bigint,
    properties: Properties,
  ): Promise<boolean> {
    const { directory, yieldsTo } = this.options;
    const { forgotten } = publication;
    for (let attempt = 0; attempt < 3; attempt++) {
      const outcome = await directory.publish(
        { id, generation: publication.generation, ttlSeconds, properties },
        yieldsTo,
      );
      if (outcome === "ok") {
        publication.refused = false;
        return true;
      }
      if (outcome === "yielded") return false;
      if (outcome !== "old-generation" && outcome !== "same-generation-but-different") {
        this.tellRefusal(publication, () => `Service ${id.toString(16)} was refused: ${outcome}.`);
        return false;
      }
      const present = await directory.find(id);
      if (publication.forgotten !== forgotten) return false;
      publication.generation = (present ? present.generation : publication.generation) + 1n;
    }
    const text = () => `Service ${id.toString(16)} was refused three times: somebody else keeps changing it.`;
    this.tellRefusal(publication, text);
    return false;
  }

  /** A warning for the first refusal; an announcer that changes all the time shall not fill the log. */
  private tellRefusal(publication: Publication, text: () => string): void {
    if (publication.refused) this.options.log.debug(text);
    else this.options.log.warning(text);
    publication.refused = true;
  }
}

const isOrphan = ({ orphanSince }: ServiceState): boolean => orphanSince !== undefined;
