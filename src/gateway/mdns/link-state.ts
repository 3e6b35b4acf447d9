/**
 * What one interface has shown: which types, which instances of them, on which hosts; derived from its record cache and
 * kept in step with it. Decides which records are of interest at all. Pure.
 */

import type { Clock, Random } from "../../core/clock.js";
import { Schedule } from "./backoff.js";
import { type CacheChanges, type CacheLimits, RecordCache } from "./cache.js";
import type { CachedRecord } from "./cached-record.js";
import type { ForeignQuery } from "./foreign-queries.js";
import { HostIndex } from "./host-index.js";
import type { Asker, Instance, InstanceView } from "./instance-view.js";
import type { Family } from "./link.js";
import { nameKey } from "./names.js";
import { newest, preferred } from "./preference.js";
import { type KnownAnswer, type Question, questionKey } from "./questions.js";
import { type DecodedQuestion, dataKey, type HeardRecord } from "./records.js";
import { type BrowseName, DOMAIN, instanceNameOf, META_QUERY } from "./service-names.js";
import { isMarked } from "./translation.js";
import { WantedTypes } from "./wanted-types.js";

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
  /** An announcement is not taken, for this reason (a fixed text). */
  readonly onDropped: (reason: string) => void;
}

const ADDRESS_TYPES = ["A", "AAAA"] as const;
const NOTHING: ReadonlySet<string> = new Set();

export class LinkState {
  readonly cache: RecordCache;
  readonly types: WantedTypes;
  /** By the key of their full name. */
  readonly instances = new Map<string, Instance>();
  readonly schedule: Schedule<Asker>;
  /** How often a pointer to one more instance than allowed was heard. */
  private refusedInstances = 0;
  private readonly hosts = new HostIndex();

  constructor(private readonly options: LinkStateOptions) {
    this.schedule = new Schedule(options.random);
    this.cache = new RecordCache(options.limits, options.random, (record) => this.isNeeded(record));
    const { schedule, cache } = this;
    this.types = new WantedTypes({ ...options, schedule, cache });
  }

  /** How often something was not stored: because there is no room at all, or too much of one host or one name. */
  get refused(): { readonly full: number; readonly ofOne: number } {
    return { full: this.refusedInstances + this.cache.refusedFull, ofOne: this.cache.refusedOfOne };
  }

  /** Whether more could be stored now. */
  get hasRoom(): boolean {
    const { records, instances } = this.options.limits;
    return this.cache.size < records && this.instances.size < instances;
  }

  /** Takes in the records of one response; the keys of the instances that may have changed. */
  hear(records: readonly HeardRecord[], source: string): Set<string> {
    const dirty = new Set<string>();
    // Pointers first: they decide which of the other records are of interest. The meta-query's decide about pointers.
    const meta: HeardRecord[] = [];
    const pointers: HeardRecord[] = [];
    const others: HeardRecord[] = [];
    const denials: HeardRecord[] = [];
    for (const record of records) {
      if (record.data.type === "NSEC") denials.push(record);
      else if (record.data.type !== "PTR") others.push(record);
      else if (nameKey(record.name) === META_QUERY) meta.push(record);
      else pointers.push(record);
    }
    for (const record of [...meta, ...pointers]) {
      if (this.accepts(record)) this.apply(this.cache.hear([record], source, this.now), dirty);
    }
    for (const group of [others, denials]) {
      const wanted = group.filter((record) => this.accepts(record));
      if (wanted.length > 0) this.apply(this.cache.hear(wanted, source, this.now), dirty);
    }
    return dirty;
  }

  /** Lets records expire: the keys of the instances that may have changed, and the records to ask for again. */
  wake(): { readonly dirty: Set<string>; readonly refresh: readonly CachedRecord[] } {
    const dirty = new Set<string>();
    const { changes, refresh } = this.cache.wake(this.now);
    this.apply(changes, dirty);
    return { dirty, refresh };
  }

  /** Another host's question; true if it counts as ours, because the asker knows no answer that we do not know. */
  heardQuestion(question: DecodedQuestion, { known }: ForeignQuery, family: Family): boolean {
    const { type, name } = question;
    const theirs = known.get(questionKey(question)) ?? NOTHING;
    const isKnown = (record: CachedRecord) =>
      theirs.has(dataKey(record.data)) ||
      (type === "ANY" &&
        (known.get(questionKey({ ...question, type: record.data.type })) ?? NOTHING).has(dataKey(record.data)));
    this.cache.heardQuestion({ type, name, isIPv6: family === 6, isKnown }, this.now);
    return [...theirs].every((data) => this.isKnownAnswer(this.cache.get("PTR", name, data)) && type === "PTR");
  }

  /**
   * The instance may be out of reach: its SRV and its host's addresses are asked for twice, and dropped if they are not
   * heard within ten seconds (RFC 6762, 10.4).
   */
  reconfirm(instanceKey: string): void {
    const records = [...this.cache.of("SRV", instanceKey)];
    const hosts = this.instances.get(instanceKey)?.hosts ?? [];
    for (const host of hosts) records.push(...this.cache.of("A", host), ...this.cache.of("AAAA", host));
    for (const record of records) this.cache.doubt(record, this.now);
  }

  /** The instance as it is now; `undefined` unless PTR, SRV, TXT and an address of its host are known. */
  view(instanceKey: string): InstanceView | undefined {
    const instance = this.instances.get(instanceKey);
    if (!instance || instance.isMarked) return undefined;
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
  missing({ name: { name }, isMarked }: Instance, withSecondFamily: boolean): Question[] {
    const { cache } = this;
    if (isMarked) return [];
    const questions: Question[] = (["SRV", "TXT"] as const).flatMap((type) =>
      cache.has(type, name) ? [] : { name, type },
    );
    const host = preferred(cache.of("SRV", name))?.target;
    if (host !== undefined) {
      const absent = ADDRESS_TYPES.filter((type) => !cache.has(type, host));
      if (absent.length === 2 || withSecondFamily) questions.push(...absent.map((type) => ({ name: host, type })));
    }
    return questions.filter((question) => !cache.denies(question.type, question.name));
  }

  /** Cached pointers with more than half of their life left (RFC 6762, 7.1). */
  knownAnswers({ name, type }: Question): KnownAnswer[] {
    if (type !== "PTR") return [];
    return this.cache.of("PTR", name).flatMap((record) => {
      if (record.data.type !== "PTR" || !this.isKnownAnswer(record)) return [];
      const leftMs = record.heardMs + record.lifeMs - this.now;
      return { name: record.name, target: record.data.target, ttlSeconds: Math.floor(leftMs / 1000) };
    });
  }

  private isKnownAnswer(record: CachedRecord | undefined): boolean {
    return record !== undefined && !record.dying && record.heardMs + record.lifeMs / 2 > this.now;
  }

  private get now(): number {
    return this.options.clock.monotonicMs();
  }

  private accepts({ name, data }: HeardRecord): boolean {
    if (data.type === "A" || data.type === "AAAA") {
      return nameKey(name).endsWith(`.${DOMAIN}`) && this.options.acceptsAddress(data.address);
    }
    if (data.type === "NSEC") return this.instances.has(nameKey(name)) || this.hosts.has(nameKey(name));
    if (data.type !== "PTR") return this.instances.has(nameKey(name));
    if (nameKey(name) === META_QUERY) {
      return this.options.browse === "all" && this.types.of(data.target) !== undefined;
    }
    const instance = instanceNameOf(data.target);
    const browse = this.types.of(name);
    if (!instance || !browse || nameKey(browse.type) !== nameKey(instance.type)) return false;
    if (this.instances.has(nameKey(data.target)) || this.instances.size < this.options.limits.instances) return true;
    this.refusedInstances++;
    return false;
  }

  private isNeeded({ name, data }: CachedRecord): boolean {
    if (data.type === "PTR") {
      return (
        nameKey(name) === META_QUERY || this.instances.get(nameKey(data.target))?.pointers.has(nameKey(name)) === true
      );
    }
    if (data.type === "NSEC") return false; // asked for again, it would not come alone
    if (data.type === "A" || data.type === "AAAA") return this.hosts.has(nameKey(name));
    const instance = this.instances.get(nameKey(name));
    return instance !== undefined && (!instance.isMarked || data.type === "TXT");
  }

  private apply({ added, removed, revived }: CacheChanges, dirty: Set<string>): void {
    for (const record of added) this.applyOne(record, true, dirty);
    for (const record of removed) this.applyOne(record, false, dirty);
    for (const record of revived) this.markDirty(record, dirty);
  }

  private applyOne(record: CachedRecord, isAdded: boolean, dirty: Set<string>): void {
    const { name, data } = record;
    if (data.type !== "PTR") {
      const instance = this.instances.get(nameKey(name));
      if (instance && data.type === "SRV") this.linkHosts(instance);
      if (instance && data.type === "TXT") this.readMark(instance);
      this.markDirty(record, dirty);
      return;
    }
    const key = nameKey(name);
    const target = nameKey(data.target);
    if (key === META_QUERY) {
      const type = this.types.of(data.target);
      if (isAdded && type) this.types.add(type);
      else if (!isAdded) this.types.dropUnlessShown(target);
      return;
    }
    const browse = this.types.of(name);
    if (isAdded && browse) this.addPointer(browse, data.target);
    else if (!isAdded) this.removePointer(key, target);
    dirty.add(target);
  }

  private markDirty({ name, data }: CachedRecord, dirty: Set<string>): void {
    if (data.type === "PTR") dirty.add(nameKey(data.target));
    else if (this.instances.has(nameKey(name))) dirty.add(nameKey(name));
    else for (const instanceKey of this.hosts.instancesOn(nameKey(name))) dirty.add(instanceKey);
  }

  private addPointer(browse: BrowseName, target: string): void {
    this.types.add(browse);
    const name = instanceNameOf(target);
    if (!name) return;
    const key = nameKey(target);
    let instance = this.instances.get(key);
    if (!instance) {
      instance = { name, pointers: new Map(), hosts: [], resolve: undefined, isResolved: false, isMarked: false };
      this.instances.set(key, instance);
      this.linkHosts(instance);
      this.readMark(instance);
    }
    instance.pointers.set(nameKey(browse.name), browse);
  }

  private removePointer(pointerKey: string, key: string): void {
    const instance = this.instances.get(key);
    instance?.pointers.delete(pointerKey);
    if (instance?.pointers.size === 0) {
      this.instances.delete(key);
      this.hosts.move(key, instance.hosts, []);
      if (instance.resolve) this.schedule.stop(instance.resolve.backoff);
    }
    this.types.dropUnlessShown(pointerKey);
  }

  private linkHosts(instance: Instance): void {
    const { name } = instance.name;
    const records = instance.isMarked ? [] : this.cache.of("SRV", name); // a marked one's addresses are of no interest
    const hosts = records.flatMap(({ data }) => (data.type === "SRV" ? nameKey(data.target) : []));
    this.hosts.move(nameKey(name), instance.hosts, hosts);
    instance.hosts = hosts;
  }

  private readMark(instance: Instance): void {
    const txt = newest(this.cache.of("TXT", instance.name.name));
    const wasMarked = instance.isMarked;
    instance.isMarked = txt?.type === "TXT" && isMarked(txt.strings);
    if (instance.isMarked === wasMarked) return;
    this.linkHosts(instance);
    if (instance.isMarked) this.options.onDropped("carries sdid");
  }
}
