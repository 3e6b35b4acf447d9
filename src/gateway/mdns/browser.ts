/**
 * The browser of one interface: asks for the wanted types and for what is missing of each instance, and knows which
 * instances are complete (RFC 6763, section 4; timing from RFC 6762, section 5.2).
 *
 * Pure: messages come in through `receive`, questions go out through `send`, time through the injected clock. IPv4 and
 * IPv6 of one interface share a browser, since both are the same link.
 */

import type { Clock, Random, Timer, Timers } from "../../core/clock.js";
import { Backoff } from "./backoff.js";
import { type CacheChanges, type CachedRecord, type CacheLimits, RecordCache } from "./cache.js";
import { nameKey } from "./names.js";
import { type KnownAnswer, packQuestions, type QueryMessage, type Question, questionKey } from "./questions.js";
import type { HeardRecord } from "./records.js";
import {
  type BrowseName,
  browseNameOf,
  DOMAIN,
  type InstanceName,
  instanceNameOf,
  META_QUERY,
} from "./service-names.js";

export interface BrowserLimits extends CacheLimits {
  /** Instances known on this interface; further ones are ignored until one goes. */
  readonly instances: number;
  /** Types learnt through the meta-query; further ones are ignored until one goes. */
  readonly types: number;
}

export interface BrowserOptions {
  readonly interfaceName: string;
  /** "all": whatever the meta-query brings. */
  readonly browse: readonly BrowseName[] | "all";
  readonly limits: BrowserLimits;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Whether an address that a record states can be a host's on this interface. */
  readonly acceptsAddress: (address: string) => boolean;
  readonly send: (message: QueryMessage) => void;
  /** Something about this instance (key: see `nameKey`) may have changed; `view` tells what it is now. */
  readonly onChange: (instanceKey: string) => void;
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
interface Browse {
  readonly name: BrowseName | "meta";
  readonly question: Question;
  readonly backoff: Backoff;
}

interface Instance {
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

const MESSAGES_PER_FLUSH = 10;
const FLUSH_GAP_MS = 100;
/** Questions waiting for their turn; further ones are dropped, and asked at their next turn. */
const OUTBOX_LIMIT = 1024;
/** How often the other address family is asked for, when one is known already. */
const SECOND_FAMILY_ATTEMPTS = 2;

export class Browser {
  private readonly cache: RecordCache;
  private readonly browses = new Map<string, Browse>();
  private readonly instances = new Map<string, Instance>();
  /** From a host's key to the keys of the instances on it. */
  private readonly hosts = new Map<string, Set<string>>();
  private readonly outbox = new Map<string, Question>();
  private sendNotBeforeMs = Number.NEGATIVE_INFINITY;
  private timer: Timer | undefined;
  private timerAtMs = Number.POSITIVE_INFINITY;

  constructor(private readonly options: BrowserOptions) {
    this.cache = new RecordCache(options.limits, options.random, (record) => this.isNeeded(record));
  }

  /** Asks for everything from the start: at first, and again after the interface got another address. */
  restart(): void {
    if (this.options.browse === "all") this.addBrowse("meta");
    else for (const name of this.options.browse) this.addBrowse(name);
    for (const { backoff } of this.browses.values()) backoff.restart(this.now);
    for (const instance of this.instances.values()) instance.resolve?.backoff.restart(this.now);
    this.arm();
  }

  /** Sends nothing any more and forgets everything; each instance it knew is reported as changed. */
  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    const known = [...this.instances.keys()];
    this.instances.clear();
    for (const key of known) this.options.onChange(key);
  }

  /** Takes in the records of one response; `source` is the address it came from, in any form. */
  receive(records: readonly HeardRecord[], source: string): void {
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
    this.report(dirty);
    this.arm();
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

  /** For diagnostics and tests. */
  get counts(): { readonly records: number; readonly refused: number; readonly instances: number } {
    return { records: this.cache.size, refused: this.cache.refused, instances: this.instances.size };
  }

  private get now(): number {
    return this.options.clock.monotonicMs();
  }

  // What is of interest

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
    return this.instances.has(nameKey(data.target)) || this.instances.size < this.options.limits.instances;
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

  // What changes in the cache means

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

  private report(dirty: ReadonlySet<string>): void {
    for (const key of dirty) {
      const instance = this.instances.get(key);
      if (instance) this.resolve(instance);
      this.options.onChange(key);
    }
  }

  /** Begins to ask for what is missing; a question that is new (the host's address, say) starts the schedule again. */
  private resolve(instance: Instance): void {
    const missing = this.missing(instance, !instance.isResolved).map(questionKey);
    if (missing.every((question) => instance.resolve?.asked.has(question))) return;
    instance.resolve = { backoff: new Backoff(this.options.random, this.now), asked: new Set(missing) };
  }

  // Asking

  /** What to ask for next to complete the instance; on request also for the family its host shows no address of. */
  private missing({ name: { name } }: Instance, withSecondFamily: boolean): Question[] {
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

  private wake(): void {
    this.timer = undefined;
    this.timerAtMs = Number.POSITIVE_INFINITY;
    const dirty = new Set<string>();
    const { changes, refresh } = this.cache.wake(this.now);
    this.apply(changes, dirty);
    this.report(dirty);
    for (const { name, data } of refresh) this.ask({ name, type: data.type });
    for (const { question, backoff } of this.browses.values()) if (backoff.isDue(this.now)) this.ask(question);
    for (const instance of this.instances.values()) {
      const backoff = instance.resolve?.backoff;
      if (!backoff?.isDue(this.now)) continue;
      const withSecondFamily = !instance.isResolved && backoff.attempts <= SECOND_FAMILY_ATTEMPTS;
      const questions = this.missing(instance, withSecondFamily);
      if (questions.length === 0) {
        instance.resolve = undefined;
        instance.isResolved = true;
      }
      for (const question of questions) this.ask(question);
    }
    this.flush();
    this.arm();
  }

  private ask(question: Question): void {
    if (this.outbox.size < OUTBOX_LIMIT) this.outbox.set(questionKey(question), question);
  }

  private flush(): void {
    if (this.outbox.size === 0 || this.now < this.sendNotBeforeMs) return;
    const messages = packQuestions([...this.outbox.values()], (question) => this.knownAnswers(question));
    this.outbox.clear();
    // A chain of known answers stays together, with its question first; what is too much waits for the next flush.
    const isTooMuch = (message: QueryMessage, i: number) => i >= MESSAGES_PER_FLUSH && message.questions.length > 0;
    const firstLeft = messages.findIndex(isTooMuch);
    const now = firstLeft < 0 ? messages : messages.slice(0, firstLeft);
    const later = firstLeft < 0 ? [] : messages.slice(firstLeft);
    for (const message of now) this.options.send(message);
    for (const question of later.flatMap(({ questions }) => questions)) this.ask(question);
    this.sendNotBeforeMs = this.now + FLUSH_GAP_MS;
  }

  private knownAnswers({ name, type }: Question): KnownAnswer[] {
    if (type !== "PTR") return [];
    return this.cache.of("PTR", name).flatMap((record) => {
      const leftMs = record.heardMs + record.lifeMs - this.now;
      if (record.data.type !== "PTR" || record.dying || leftMs <= record.lifeMs / 2) return [];
      return { name: record.name, target: record.data.target, ttlSeconds: Math.floor(leftMs / 1000) };
    });
  }

  /** Sets the timer to the first thing that happens. */
  private arm(): void {
    let atMs = this.cache.dueMs;
    for (const { backoff } of this.browses.values()) atMs = Math.min(atMs, backoff.nextMs);
    for (const { resolve } of this.instances.values()) if (resolve) atMs = Math.min(atMs, resolve.backoff.nextMs);
    if (this.outbox.size > 0) atMs = Math.min(atMs, this.sendNotBeforeMs);
    if (atMs >= this.timerAtMs || atMs === Number.POSITIVE_INFINITY) return;
    this.timer?.cancel();
    this.timerAtMs = atMs;
    this.timer = this.options.timers.after(`mdns ${this.options.interfaceName}`, atMs - this.now, () => this.wake());
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
