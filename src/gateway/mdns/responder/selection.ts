/** The services of the directory that are to be published: what the rules choose, within a limit, and not too often. */

import type { Clock, Timer, Timers } from "../../../core/clock.js";
import type { Directory, Match, Subscription } from "../../../core/directory-access.js";
import type { Logger } from "../../../core/log.js";
import type { Properties } from "../../../core/properties.js";
import { Damping } from "../../damping.js";
import type { Dropped } from "../../dropped.js";
import { type LeftOut, type Marks, type PublishRule, type Refusal, sdidOf, wantedService } from "./publish-rule.js";
import type { WantedService } from "./publisher.js";
import { type Named, SelectionComplaints } from "./selection-complaints.js";

export interface SelectionOptions {
  readonly rules: readonly PublishRule[];
  readonly marks: Marks;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly dropped: Dropped;
  /** Services published at most. */
  readonly limit: number;
  readonly publisher: { put(key: string, wanted: WantedService): void; drop(key: string): void };
}

/** Changes of one service within this time are published as one. */
const SETTLE_MS = 500;

interface Candidate {
  readonly rule: number;
  readonly id: bigint;
  readonly properties: Properties;
}

export class Selection {
  private readonly candidates = new Map<string, Candidate>();
  /** What was published last, as text, to see whether a change is one. */
  private readonly published = new Map<string, string>();
  /** Told to change too often. */
  private readonly told = new Set<string>();
  /** Candidates for which there was no room. */
  private readonly waiting = new Set<string>();
  /** Settling, by key. */
  private readonly settling = new Map<string, Timer>();
  private readonly damping: Damping;
  private readonly complaints: SelectionComplaints;
  private subscriptions: Subscription[] = [];
  private isLimitTold = false;
  private isStopped = false;

  constructor(private readonly options: SelectionOptions) {
    this.damping = new Damping(2 * options.limit);
    this.complaints = new SelectionComplaints(options.clock, options.log, options.dropped);
  }

  start(): void {
    const { rules, directory } = this.options;
    this.subscriptions = rules.map(({ filter }, rule) =>
      directory.subscribe(filter, (match) => {
        if (!this.isStopped) this.onMatch(rule, match);
      }),
    );
  }

  stop(): void {
    this.isStopped = true;
    for (const subscription of this.subscriptions) subscription.cancel();
    for (const timer of this.settling.values()) timer.cancel();
  }

  /** Not published because of the limit. */
  get waitingForRoom(): number {
    return this.waiting.size;
  }

  private onMatch(rule: number, match: Match): void {
    const id = match.type === "disappeared" ? match.serviceId : match.service.id;
    const key = `${sdidOf(id)} ${rule}`;
    if (match.type === "disappeared") {
      this.candidates.delete(key);
      this.settling.get(key)?.cancel();
      this.settling.delete(key);
      this.told.delete(key);
      this.complaints.forget(key);
      this.withdraw(key);
      return;
    }
    const { properties } = match.service;
    this.candidates.set(key, { rule, id, properties });
    if (match.type === "modified") this.later(key, SETTLE_MS);
    else if (!this.settling.has(key)) this.consider(key);
  }

  /** Looks at the candidate in a while, unless that is going to happen anyhow. */
  private later(key: string, delayMs: number): void {
    if (this.settling.has(key)) return;
    const timer = this.options.timers.after("mdns publish settle", delayMs, () => {
      this.settling.delete(key);
      this.consider(key);
    });
    this.settling.set(key, timer);
  }

  /** Publishes what changed, unless it changed too often; only what others would notice counts as a change. */
  private consider(key: string): void {
    const { clock, dropped, log } = this.options;
    const nowMs = clock.monotonicMs();
    const leftOut: LeftOut[] = [];
    const wanted = this.wanted(key, leftOut);
    if (wanted && typeof wanted !== "string") this.complaints.leftOut(key, this.named(key), leftOut);
    if (!wanted || this.published.get(key) === fingerprint(wanted)) return;
    const waitMs = this.damping.waitMs(key, nowMs);
    if (waitMs <= 0 || typeof wanted === "string") {
      this.apply(key, wanted);
      return;
    }
    this.later(key, waitMs);
    if (!this.damping.isHeld(key, nowMs)) return;
    dropped.add("changes too often");
    if (this.told.has(key)) return;
    this.told.add(key);
    log.info(() => `service ${key.split(" ")[0]} changes too often: not published anew for 60 s.`);
  }

  private apply(key: string, wanted: WantedService | Refusal): void {
    const { clock, dropped, limit, publisher, log } = this.options;
    if (typeof wanted === "string") {
      this.complaints.refused(key, this.named(key), wanted);
      this.withdraw(key);
      return;
    }
    if (!this.published.has(key) && this.published.size >= limit) {
      if (!this.waiting.has(key)) dropped.add("more services than max_published");
      this.waiting.add(key);
      if (!this.isLimitTold) log.warning(() => `more than ${limit} services to publish; further ones wait for room.`);
      this.isLimitTold = true;
      return;
    }
    this.waiting.delete(key);
    this.published.set(key, fingerprint(wanted));
    this.damping.changed(key, clock.monotonicMs());
    publisher.put(key, wanted);
  }

  private wanted(key: string, leftOut: LeftOut[]): WantedService | Refusal | undefined {
    const { rules, marks } = this.options;
    const candidate = this.candidates.get(key);
    if (!candidate) return undefined;
    const { rule, id, properties } = candidate;
    return wantedService(rules[rule], id, properties, marks, (left) => void leftOut.push(left));
  }

  private named(key: string): Named {
    const [sdid, rule] = key.split(" ");
    const name = this.candidates.get(key)?.properties.get("name")?.[0];
    return { sdid, rule: Number(rule), name: name === undefined ? undefined : String(name) };
  }

  private withdraw(key: string): void {
    this.waiting.delete(key);
    if (!this.published.delete(key)) return;
    this.options.publisher.drop(key);
    for (const next of [...this.waiting]) {
      if (this.published.size >= this.options.limit) return;
      this.waiting.delete(next);
      this.consider(next);
    }
  }
}

/** Equal for what looks the same from outside. */
function fingerprint(wanted: WantedService | Refusal): string {
  if (typeof wanted === "string") return wanted;
  return JSON.stringify({ ...wanted, txt: wanted.txt.map((string) => string.toString("latin1")) });
}
