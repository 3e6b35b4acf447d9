/**
 * What one interface has shown: which types, which instances of them, on which hosts; derived from its record cache and
 * kept in step with it. Decides which records are of interest at all. Pure.
 */

import type { Clock, Random } from "../../core/clock.js";
import { Backoff } from "./backoff.js";
import { type CacheChanges, type CachedRecord, type CacheLimits, RecordCache } from "./cache.js";
import { nameKey } from "./names.js";
import type { KnownAnswer, Question } from "./questions.js";
import type { HeardRecord } from "./records.js";
import {
  type BrowseName,
  browseNameOf,
  DOMAIN,
  type InstanceName,
  instanceNameOf,
  META_QUERY,
} from "./service-names.js";

export interface LinkLimits extends CacheLimits {
  /** Instances known on this interface; further ones are ignored until one goes. */
  readonly instances: number;
  /** Types learnt through the meta-query; further ones are ignored until one goes. */
  readonly types: number;
}

export interface LinkStateOptions {
  readonly interfaceName: string;
  /** "all": whatever the meta-query brings. */
  readonly browse: readonly BrowseName[] | "all";
  readonly limits: LinkLimits;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether an address that a record states can be a host's on this interface. */
  readonly acceptsAddress: (address: string) => boolean;
}

/** A complete instance as one interface shows it. */
export interface InstanceView extends InstanceName {
  readonly interfaceName: string;
  readonly subtypes: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
  readonly txt: readonly Buffer[];
  readonly addresses: readonly string[];
}

/** A continuous PTR question. */
export interface Browse {
  readonly name: BrowseName | "meta";
  readonly question: Question;
  readonly backoff: Backoff;
}

export interface Instance {
  readonly name: InstanceName;
  /** Keys of the live PTR records that name it: its type's, and its subtypes'. */
  readonly pointers: Map<string, BrowseName>;
  /** Keys of the hosts that its SRV records name. */
  hosts: readonly string[];
  /** Asking for what is missing; absent while nothing is. */
  resolve: { readonly backoff: Backoff; readonly asked: ReadonlySet<string> } | undefined;
  /** It has been complete, or at least asked for, once: an absent address family is not asked for again. */
  isResolved: boolean;
}

export class LinkState {
  readonly cache: RecordCache;
  /** Wanted types and the meta-query, by the key of their name. */
  readonly browses = new Map<string, Browse>();
  /** By the key of their full name. */
  readonly instances = new Map<string, Instance>();
  /** How often a pointer to one more instance than allowed was heard. */
  refusedInstances = 0;
  /** From a host's key to the keys of the instances on it. */
  private readonly hosts = new Map<string, Set<string>>();

  constructor(private readonly options: LinkStateOptions) {
    this.cache = new RecordCache(options.limits, options.random, (record) => this.isNeeded(record));
    if (options.browse === "all") this.addBrowse("meta");
    else for (const name of options.browse) this.addBrowse(name);
  }

  /** Takes in the records of one response; the keys of the instances that may have changed. */
  hear(records: readonly HeardRecord[], source: string): Set<string> {
    const dirty = new Set<string>();
    // Pointers first: they decide which of the other records are of interest. The meta-query's decide about pointers.
    const meta: HeardRecord[] = [];
    const pointers: HeardRecord[] = [];
    const others: HeardRecord[] = [];
    for (const record of records) {
      if (record.data.type !== "PTR") others.push(record);
      else if (nameKey(record.name) === META_QUERY) meta.push(record);
      else pointers.push(record);
    }
    for (const record of [...meta, ...pointers]) {
      if (this.accepts(record)) this.apply(this.cache.hear([record], source, this.now), dirty);
    }
    const wanted = others.filter((record) => this.accepts(record));
    this.apply(this.cache.hear(wanted, source, this.now), dirty);
    return dirty;
  }

  /** Lets records expire: the keys of the instances that may have changed, and the records to ask for again. */
  wake(): { readonly dirty: Set<string>; readonly refresh: readonly CachedRecord[] } {
    const dirty = new Set<string>();
    const { changes, refresh } = this.cache.wake(this.now);
    this.apply(changes, dirty);
    return { dirty, refresh };
  }

  /** The instance as it is now; `undefined` unless PTR, SRV, TXT and an address of its host are known. */
  view(instanceKey: string): InstanceView | undefined {
    const instance = this.instances.get(instanceKey);
    if (!instance) return undefined;
    const { name } = instance.name;
    const txt = newest(this.cache.of("TXT", name));
    const srv = preferred(this.cache.of("SRV", name));
    if (txt?.type !== "TXT" || !srv) return undefined;
    const addresses = [...this.cache.of("A", srv.target), ...this.cache.of("AAAA", srv.target)].flatMap(({ data }) =>
      data.type === "A" || data.type === "AAAA" ? data.address : [],
    );
    if (addresses.length === 0) return undefined;
    return {
      ...instance.name,
      interfaceName: this.options.interfaceName,
      subtypes: [...instance.pointers.values()].flatMap(({ subtype }) => subtype ?? []),
      host: srv.target,
      port: srv.port,
      priority: srv.priority,
      weight: srv.weight,
      txt: txt.strings,
      addresses,
    };
  }

  /** What to ask for next to complete the instance; on request also for the family its host shows no address of. */
  missing({ name: { name } }: Instance, withSecondFamily: boolean): Question[] {
    const questions: Question[] = [];
    const srv = preferred(this.cache.of("SRV", name));
    if (!this.cache.has("SRV", name)) questions.push({ name, type: "SRV" });
    if (!this.cache.has("TXT", name)) questions.push({ name, type: "TXT" });
    if (!srv) return questions;
    const absent = (["A", "AAAA"] as const).filter((type) => !this.cache.has(type, srv.target));
    if (absent.length === 2 || withSecondFamily) {
      for (const type of absent) questions.push({ name: srv.target, type });
    }
    return questions;
  }

  /** Cached pointers with more than half of their life left (RFC 6762, 7.1). */
  knownAnswers({ name, type }: Question): KnownAnswer[] {
    if (type !== "PTR") return [];
    return this.cache.of("PTR", name).flatMap((record) => {
      const leftMs = record.heardMs + record.lifeMs - this.now;
      if (record.data.type !== "PTR" || record.dying || leftMs <= record.lifeMs / 2) return [];
      return { name: record.name, target: record.data.target, ttlSeconds: Math.floor(leftMs / 1000) };
    });
  }

  private get now(): number {
    return this.options.clock.monotonicMs();
  }

  private accepts({ name, data }: HeardRecord): boolean {
    if (data.type === "A" || data.type === "AAAA") {
      return nameKey(name).endsWith(`.${DOMAIN}`) && this.options.acceptsAddress(data.address);
    }
    if (data.type !== "PTR") return this.instances.has(nameKey(name));
    if (nameKey(name) === META_QUERY) {
      return this.options.browse === "all" && this.browseOf(data.target) !== undefined;
    }
    const instance = instanceNameOf(data.target);
    const browse = this.browseOf(name);
    if (!instance || !browse || nameKey(browse.type) !== nameKey(instance.type)) return false;
    if (this.instances.has(nameKey(data.target)) || this.instances.size < this.options.limits.instances) return true;
    this.refusedInstances++;
    return false;
  }

  /**
   * The wanted type of this name. With "all" that is any type while there is room for it, even one that the meta-query
   * did not bring: some devices never answer it, but announce their instances.
   */
  private browseOf(name: string): BrowseName | undefined {
    const browse = this.browses.get(nameKey(name));
    if (browse) return browse.name === "meta" ? undefined : browse.name;
    if (this.options.browse !== "all" || this.browses.size > this.options.limits.types) return undefined;
    const learnt = browseNameOf(name);
    return learnt && learnt.subtype === undefined && nameKey(learnt.name) === nameKey(name) ? learnt : undefined;
  }

  private isNeeded({ name, data }: CachedRecord): boolean {
    if (data.type === "PTR") {
      return (
        nameKey(name) === META_QUERY || this.instances.get(nameKey(data.target))?.pointers.has(nameKey(name)) === true
      );
    }
    if (data.type === "A" || data.type === "AAAA") return this.hosts.has(nameKey(name));
    return this.instances.has(nameKey(name));
  }

  private addBrowse(name: BrowseName | "meta"): void {
    const text = name === "meta" ? META_QUERY : name.name;
    if (this.browses.has(nameKey(text))) return;
    const backoff = new Backoff(this.options.random, this.now);
    this.browses.set(nameKey(text), { name, question: { name: text, type: "PTR" }, backoff });
  }

  /** A learnt type goes when neither the meta-query nor any instance shows it any more. */
  private dropBrowse(key: string): void {
    const browse = this.browses.get(key);
    if (!browse || browse.name === "meta" || this.options.browse !== "all" || this.cache.has("PTR", key)) return;
    const shown = this.cache.of("PTR", META_QUERY);
    if (!shown.some(({ data }) => data.type === "PTR" && nameKey(data.target) === key)) this.browses.delete(key);
  }

  private apply({ added, removed, revived }: CacheChanges, dirty: Set<string>): void {
    for (const record of added) this.applyOne(record, true, dirty);
    for (const record of removed) this.applyOne(record, false, dirty);
    for (const record of revived) this.markDirty(record, dirty);
  }

  private applyOne(record: CachedRecord, isAdded: boolean, dirty: Set<string>): void {
    const { name, data } = record;
    if (data.type !== "PTR") {
      if (data.type === "SRV") this.linkHosts(nameKey(name));
      this.markDirty(record, dirty);
      return;
    }
    const key = nameKey(name);
    const target = nameKey(data.target);
    if (key === META_QUERY) {
      const type = this.browseOf(data.target);
      if (isAdded && type) this.addBrowse(type);
      else if (!isAdded) this.dropBrowse(target);
      return;
    }
    const browse = this.browseOf(name);
    if (isAdded && browse) this.addPointer(browse, data.target);
    else if (!isAdded) this.removePointer(key, target);
    dirty.add(target);
  }

  private markDirty({ name, data }: CachedRecord, dirty: Set<string>): void {
    if (data.type === "PTR") dirty.add(nameKey(data.target));
    else if (data.type === "SRV" || data.type === "TXT") dirty.add(nameKey(name));
    else for (const instanceKey of this.hosts.get(nameKey(name)) ?? []) dirty.add(instanceKey);
  }

  private addPointer(browse: BrowseName, target: string): void {
    this.addBrowse(browse);
    const name = instanceNameOf(target);
    if (!name) return;
    const key = nameKey(target);
    let instance = this.instances.get(key);
    if (!instance) {
      instance = { name, pointers: new Map(), hosts: [], resolve: undefined, isResolved: false };
      this.instances.set(key, instance);
    }
    instance.pointers.set(nameKey(browse.name), browse);
    this.linkHosts(key);
  }

  private removePointer(pointerKey: string, key: string): void {
    const instance = this.instances.get(key);
    instance?.pointers.delete(pointerKey);
    if (instance?.pointers.size === 0) {
      this.instances.delete(key);
      this.unlinkHosts(key, instance);
    }
    this.dropBrowse(pointerKey);
  }

  private linkHosts(key: string): void {
    const instance = this.instances.get(key);
    if (!instance) return;
    this.unlinkHosts(key, instance);
    const records = this.cache.of("SRV", instance.name.name);
    instance.hosts = records.flatMap(({ data }) => (data.type === "SRV" ? nameKey(data.target) : []));
    for (const host of instance.hosts) {
      const on = this.hosts.get(host);
      if (on) on.add(key);
      else this.hosts.set(host, new Set([key]));
    }
  }

  private unlinkHosts(key: string, instance: Instance): void {
    for (const host of instance.hosts) {
      const on = this.hosts.get(host);
      on?.delete(key);
      if (on?.size === 0) this.hosts.delete(host);
    }
    instance.hosts = [];
  }
}

/** Of several records the one stated last, and none that is about to go if another one is not. */
function newest(records: readonly CachedRecord[]): CachedRecord["data"] | undefined {
  const order = (a: CachedRecord, b: CachedRecord) =>
    Number(a.dying) - Number(b.dying) || b.firstHeardMs - a.firstHeardMs;
  return [...records].sort(order)[0]?.data;
}

/** The lowest priority, then the highest weight (RFC 2782); port 0 and the target "." say "not offered". */
function preferred(records: readonly CachedRecord[]): Extract<CachedRecord["data"], { type: "SRV" }> | undefined {
  const lasting = records.some(({ dying }) => !dying) ? records.filter(({ dying }) => !dying) : records;
  return lasting
    .flatMap(({ data }) => (data.type === "SRV" && data.port !== 0 && data.target !== "." ? data : []))
    .sort((a, b) => a.priority - b.priority || b.weight - a.weight || (a.target < b.target ? -1 : 1))[0];
}
