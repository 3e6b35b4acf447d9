/** Which service types are asked for on one link: those that were configured, or whatever is learnt there. Pure. */

import type { Clock } from "../../core/clock.js";
import type { Schedule } from "./backoff.js";
import type { RecordCache } from "./cache.js";
import type { Asker, Browse } from "./instance-view.js";
import { nameKey } from "./names.js";
import type { Question } from "./questions.js";
import { type BrowseName, browseNameOf, META_QUERY } from "./service-names.js";

export interface WantedTypesOptions {
  /** "all": whatever the meta-query brings. */
  readonly browse: readonly BrowseName[] | "all";
  /** Types learnt through the meta-query; further ones are ignored until one goes. */
  readonly limits: { readonly types: number };
  readonly clock: Clock;
  readonly schedule: Schedule<Asker>;
  readonly cache: RecordCache;
}

export class WantedTypes {
  /** Wanted types and the meta-query, by the key of their name. */
  readonly browses = new Map<string, Browse>();

  constructor(private readonly options: WantedTypesOptions) {
    if (options.browse === "all") this.add("meta");
    else for (const name of options.browse) this.add(name);
  }

  /**
   * The wanted type of this name. With "all" that is any type while there is room for it, even one that the meta-query
   * did not bring: some devices never answer it, but announce their instances.
   */
  of(name: string): BrowseName | undefined {
    const browse = this.browses.get(nameKey(name));
    if (browse) return browse.name === "meta" ? undefined : browse.name;
    if (this.options.browse !== "all" || this.browses.size > this.options.limits.types) return undefined;
    const learnt = browseNameOf(name);
    return learnt && learnt.subtype === undefined && nameKey(learnt.name) === nameKey(name) ? learnt : undefined;
  }

  add(name: BrowseName | "meta"): void {
    const { schedule, clock } = this.options;
    const text = name === "meta" ? META_QUERY : name.name;
    if (this.browses.has(nameKey(text))) return;
    const question: Question = { name: text, type: "PTR" };
    this.browses.set(nameKey(text), { name, question, backoff: schedule.start(question, clock.monotonicMs()) });
  }

  /** A learnt type goes when neither the meta-query nor any instance shows it any more. */
  dropUnlessShown(key: string): void {
    const { browse: wanted, cache, schedule } = this.options;
    const browse = this.browses.get(key);
    if (!browse || browse.name === "meta" || wanted !== "all" || cache.has("PTR", key)) return;
    const shown = cache.of("PTR", META_QUERY);
    if (shown.some(({ data }) => data.type === "PTR" && nameKey(data.target) === key)) return;
    schedule.stop(browse.backoff);
    this.browses.delete(key);
  }
}
