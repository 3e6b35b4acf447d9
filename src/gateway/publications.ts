/**
 * What a gateway wants to be in the directory, and the keeping of it there: compares what is wanted with what the
 * directory was last told, and sends the difference.
 *
 * Generations rise over updates and over restarts (architecture: "Generations survive a restart"): the first one of a
 * service in this process is the time in milliseconds since 1970, each change adds at least one. If the directory
 * nevertheless knows a later one (a board whose clock starts in 1970), the next is one above that.
 */

import type { Clock } from "../core/clock.js";
import type { Directory, ServiceState } from "../core/directory-access.js";
import type { Logger } from "../core/log.js";
import { type Properties, sameProperties } from "../core/properties.js";

interface Published {
  readonly state: "published";
  readonly ttlSeconds: bigint;
  readonly properties: Properties;
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
}

export interface PublicationsOptions {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly log: Logger;
  /** At most so many services; further ones are refused with a warning. */
  readonly limit: number;
  /** A service that is there already and is neither replaced nor removed, although it has the id of one of ours. */
  readonly yieldsTo?: (present: ServiceState) => boolean;
  /**
   * Somebody else may have published these services before: the first publish goes on from what is there, with the same
   * generation if nothing differs, which takes one question more. Default: false.
   */
  readonly continues?: boolean;
}

export class Publications {
  private readonly publications = new Map<bigint, Publication>();
  private refusals = 0;

  constructor(private readonly options: PublicationsOptions) {}

  /** Number of services that are (or are about to be) in the directory because of this gateway. */
  get size(): number {
    return this.publications.size;
  }

  /** Makes the directory show this service, with a new generation if anything differs. False: the limit is reached. */
  publish(id: bigint, ttlSeconds: bigint, properties: Properties): boolean {
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
      };
      this.publications.set(id, publication);
    }
    this.want(id, publication, { state: "published", ttlSeconds, properties });
    return true;
  }

  /** Removes the service from the directory. */
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

  /** Gives the service up: it stays, as an orphan unless somebody else has taken it over. */
  release(id: bigint): void {
    const publication = this.publications.get(id);
    if (publication) this.want(id, publication, { state: "released" });
  }

  /** Removes a service that somebody else of this user published, and no longer can remove. */
  async removeForeign(id: bigint): Promise<void> {
    const { directory, log } = this.options;
    try {
      if (!this.publications.has(id) && (await directory.find(id))) await directory.unpublish(id);
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
      this.want(id, publication, wanted);
    }
  }

  private want(id: bigint, publication: Publication, wanted: Wanted): void {
    publication.wanted = wanted;
    if (publication.busy) return;
    publication.busy = true;
    void this.settle(id, publication);
  }

  /**
   * Sends differences until there is none: what is wanted may change while the directory answers. What the directory
   * refuses is not sent again before it changes.
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
    if (wanted.state !== "published" && wanted.state !== "orphaned") this.publications.delete(id);
  }

  private async tell(id: bigint, publication: Publication, wanted: Wanted): Promise<void> {
    const { told } = publication;
    if (wanted.state === "withdrawn") {
      publication.told = undefined;
      if (told) await this.options.directory.unpublish(id, this.options.yieldsTo);
    } else if (wanted.state === "forgotten") {
      return;
    } else if (wanted.state === "released") {
      publication.told = undefined;
      if (told && !told.orphaned) await this.options.directory.orphan(id);
    } else if (wanted.state === "orphaned") {
      if (!told || told.orphaned) return;
      await this.options.directory.orphan(id);
      publication.told = { ...told, orphaned: true };
    } else {
      const { ttlSeconds, properties } = wanted;
      const same = told && told.ttlSeconds === ttlSeconds && sameProperties(told.properties, properties);
      if (same && !told.orphaned) return;
      if (!same) publication.generation += 1n;
      if (!told && this.options.continues) await this.goOn(id, publication, wanted);
      const { forgotten } = publication;
      if ((await this.send(id, publication, ttlSeconds, properties)) && forgotten === publication.forgotten) {
        publication.told = { ttlSeconds, properties, orphaned: false };
      }
    }
  }

  /** Takes over the generation of what the directory has, one above it if that differs. */
  private async goOn(id: bigint, publication: Publication, { ttlSeconds, properties }: Published): Promise<void> {
    const present = await this.options.directory.find(id);
    if (!present) return;
    const same = present.ttlSeconds === ttlSeconds && sameProperties(present.properties, properties);
    if (same) publication.generation = present.generation;
    else if (publication.generation <= present.generation) publication.generation = present.generation + 1n;
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
