/**
 * The browser of one interface: asks for the wanted types and for what is missing of each instance, and knows which
 * instances are complete (RFC 6763, section 4; timing from RFC 6762, section 5.2).
 *
 * Pure: messages come in through `receive`, questions go out through `send`, time through the injected clock. IPv4 and
 * IPv6 of one interface share a browser, since both are the same link.
 */

import { isIPv6 } from "node:net";
import type { Timer, Timers } from "../../core/clock.js";
import { Schedule } from "./backoff.js";
import { ForeignQueries } from "./foreign-queries.js";
import type { Instance, InstanceView } from "./instance-view.js";
import type { Family, Peer } from "./link.js";
import { LinkState, type LinkStateOptions } from "./link-state.js";
import { nameKey } from "./names.js";
import { OverheardQuestions } from "./overheard-questions.js";
import { packQuestions, type QueryMessage, type Question, questionKey } from "./questions.js";
import { type DecodedMessage, type HeardRecord, MDNS_PORT } from "./records.js";

export interface BrowserOptions extends LinkStateOptions {
  readonly timers: Timers;
  /** By all address families, unless it is for one. */
  readonly send: (message: QueryMessage, over?: Family) => void;
  /** The address families that `send` reaches. */
  readonly families: () => readonly Family[];
  /** Something about this instance (key: see `nameKey`) may have changed; `view` tells what it is now. */
  readonly onChange: (instanceKey: string) => void;
}

const MESSAGES_PER_FLUSH = 10;
const FLUSH_GAP_MS = 100;
/** Questions waiting for their turn; further ones are dropped, and asked at their next turn. */
const OUTBOX_LIMIT = 1024;
/** How often all is asked by an address family that came back, while the other was there. */
const CATCH_UP_ATTEMPTS = 3;
/** How often the other address family is asked for, when one is known already. */
const SECOND_FAMILY_ATTEMPTS = 2;
/** After something found no room, everything is asked for again once there is room, but not more often than this. */
const ASK_AGAIN_MS = 60_000;
/** Instances that are doubted a second, where all are: their questions, each asked twice, fit into the outbox. */
const DOUBTS_PER_SECOND = 150;

interface Outgoing {
  readonly question: Question;
  /** By this family only. */
  readonly over?: Family | undefined;
}

export class Browser {
  private readonly state: LinkState;
  private readonly outbox = new Map<string, Outgoing>();
  /** Families by which everything wanted is to be asked for besides. */
  private readonly catchUps: Schedule<Family>;
  private readonly foreign = new ForeignQueries();
  private readonly overheard = new OverheardQuestions();
  private sendNotBeforeMs = Number.NEGATIVE_INFINITY;
  private timer: Timer | undefined;
  private timerAtMs = Number.POSITIVE_INFINITY;
  private refusedBefore = 0;
  private askedAgainMs = Number.NEGATIVE_INFINITY;
  /** Keys of instances whose turn to be doubted is still to come, and when it is that of the next ones. */
  private doubtful: string[] = [];
  private doubtAtMs = Number.POSITIVE_INFINITY;

  constructor(private readonly options: BrowserOptions) {
    this.state = new LinkState(options);
    this.catchUps = new Schedule(options.random);
  }

  /** Asks for everything from the start: at first, and again after the interface got another address. */
  restart(): void {
    this.state.schedule.restart(this.now);
    this.arm();
  }

  /**
   * The link may lead elsewhere now, or time passed of which nothing was noticed: everything is asked for from the start,
   * and what does not answer two questions within ten seconds is gone (RFC 6762, 10.3 and 10.4).
   */
  recheck(): void {
    this.doubtful = [...this.state.instances.keys()];
    this.doubtAtMs = this.now;
    this.restart();
  }

  /** This family came back, and the other was there all the time: its questions go on as they are, and this one catches up. */
  catchUp(family: Family): void {
    this.catchUps.start(family, this.now);
    this.arm();
  }

  /** Sends nothing any more and forgets everything; each instance it knew is reported as changed. */
  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    const known = [...this.state.instances.keys()];
    this.state.instances.clear();
    for (const key of known) this.options.onChange(key);
  }

  /** Takes in the records of one response; `source` is the address it came from, in any form. */
  receive(records: readonly HeardRecord[], source: string): void {
    this.report(this.state.hear(records, source));
    this.arm();
  }

  /**
   * Takes in another host's query: what it asks need not be asked by us (RFC 6762, 7.3), and what nobody answers is gone
   * (10.5). Legacy queries (not from port 5353) are left out: their answers go to the asker alone.
   */
  overhear(query: DecodedMessage, { address, port }: Peer): void {
    if (query.type !== "query" || port !== MDNS_PORT) return;
    const whole = this.foreign.take(query, address, this.now);
    if (!whole) return;
    const family = isIPv6(address.split("%")[0]) ? 6 : 4;
    for (const [key, question] of whole.questions) {
      if (this.state.heardQuestion(question, whole, family)) this.countAsAsked(key, question.name, family);
    }
    this.arm();
  }

  /** The instance as it is now; `undefined` unless it is complete. */
  view(instanceKey: string): InstanceView | undefined {
    return this.state.view(instanceKey);
  }

  /** What is stored, and how much was not because of a limit. */
  get counts(): { readonly records: number; readonly instances: number; readonly refused: number } {
    const { cache, instances, refused } = this.state;
    return { records: cache.size, instances: instances.size, refused: refused.full + refused.ofOne };
  }

  private get now(): number {
    return this.options.clock.monotonicMs();
  }

  private report(dirty: ReadonlySet<string>): void {
    for (const key of dirty) {
      const instance = this.state.instances.get(key);
      if (instance) this.resolve(instance);
      this.options.onChange(key);
    }
  }

  /** Begins to ask for what is missing; a question that is new (the host's address, say) starts the schedule again. */
  private resolve(instance: Instance): void {
    const missing = this.state.missing(instance, !instance.isResolved).map(questionKey);
    if (missing.length === 0) instance.isResolved = true;
    if (missing.every((question) => instance.resolve?.asked.has(question))) return;
    const { schedule } = this.state;
    if (instance.resolve) schedule.stop(instance.resolve.backoff);
    instance.resolve = { backoff: schedule.start(instance, this.now), asked: new Set(missing) };
  }

  private wake(): void {
    this.timer = undefined;
    this.timerAtMs = Number.POSITIVE_INFINITY;
    this.doubt();
    this.askAgainAfterRefusals();
    const { schedule } = this.state;
    const { dirty, refresh } = this.state.wake();
    this.report(dirty);
    for (const { name, data } of refresh) this.ask({ name, type: data.type });
    for (let due = schedule.takeDue(this.now); due; due = schedule.takeDue(this.now)) {
      if ("type" in due.subject) this.ask(due.subject);
      else this.askForMissing(due.subject);
    }
    for (let due = this.catchUps.takeDue(this.now); due; due = this.catchUps.takeDue(this.now)) {
      for (const { question } of this.state.types.browses.values()) this.ask(question, due.subject);
      if (due.attempts >= CATCH_UP_ATTEMPTS) this.catchUps.stop(due);
    }
    this.flush();
    this.arm();
  }

  private askForMissing(instance: Instance): void {
    const { backoff } = instance.resolve!;
    const withSecondFamily = !instance.isResolved && backoff.attempts <= SECOND_FAMILY_ATTEMPTS;
    const questions = this.state.missing(instance, withSecondFamily);
    if (questions.length === 0) {
      this.state.schedule.stop(backoff);
      instance.resolve = undefined;
      instance.isResolved = true;
    }
    for (const question of questions) this.ask(question);
  }

  /** Another host has asked this over one family, for us as well. */
  private countAsAsked(key: string, name: string, family: Family): void {
    const { options, overheard, state, now } = this;
    const families = options.families();
    overheard.add(key, family, now);
    if (overheard.has(key, families, now)) this.outbox.delete(key);
    const browse = state.types.browses.get(nameKey(name));
    if (!browse || questionKey(browse.question) !== key) return;
    if (browse.backoff.isAskedByOthers(family, families, now)) state.schedule.asked(browse.backoff, now);
  }

  private askAgainAfterRefusals(): void {
    const { schedule, refused, hasRoom } = this.state;
    if (refused.full === this.refusedBefore || !hasRoom || this.now - this.askedAgainMs < ASK_AGAIN_MS) return;
    this.refusedBefore = refused.full;
    this.askedAgainMs = this.now;
    schedule.restart(this.now, (asker) => "type" in asker);
  }

  private doubt(): void {
    if (this.now < this.doubtAtMs) return;
    for (const key of this.doubtful.splice(0, DOUBTS_PER_SECOND)) this.state.reconfirm(key);
    this.doubtAtMs = this.doubtful.length > 0 ? this.now + 1000 : Number.POSITIVE_INFINITY;
  }

  private ask(question: Question, over?: Family): void {
    const key = questionKey(question);
    const families = over === undefined ? this.options.families() : [over];
    if (this.overheard.has(key, families, this.now) || this.outbox.has(key)) return;
    const outgoing: Outgoing = { question, over };
    if (this.outbox.size < OUTBOX_LIMIT) this.outbox.set(over === undefined ? key : `${key} ${over}`, outgoing);
  }

  private flush(): void {
    if (this.outbox.size === 0 || this.now < this.sendNotBeforeMs) return;
    const waiting = [...this.outbox.values()];
    this.outbox.clear();
    const messages = [undefined, 4 as const, 6 as const].flatMap((over) => {
      const questions = waiting.flatMap((outgoing) => (outgoing.over === over ? outgoing.question : []));
      return packQuestions(questions, (question) => this.state.knownAnswers(question)).map((message) => ({
        message,
        over,
      }));
    });
    // A chain of known answers stays together, with its question first; what is too much waits for the next flush.
    const firstLeft = messages.findIndex(({ message }, i) => i >= MESSAGES_PER_FLUSH && message.questions.length > 0);
    const now = firstLeft < 0 ? messages : messages.slice(0, firstLeft);
    const later = firstLeft < 0 ? [] : messages.slice(firstLeft);
    for (const { message, over } of now) this.options.send(message, over);
    for (const { message, over } of later) for (const question of message.questions) this.ask(question, over);
    this.sendNotBeforeMs = this.now + FLUSH_GAP_MS;
  }

  /** Sets the timer to the first thing that happens. */
  private arm(): void {
    const { cache, schedule } = this.state;
    // What is due before the next message may go out waits for that moment.
    const questionMs = this.outbox.size > 0 ? this.now : Math.min(schedule.dueMs, this.catchUps.dueMs);
    const atMs = Math.min(cache.dueMs, this.doubtAtMs, Math.max(questionMs, this.sendNotBeforeMs));
    if (atMs === this.timerAtMs) return;
    this.timer?.cancel();
    this.timer = undefined;
    this.timerAtMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.timer = this.options.timers.after(`mdns ${this.options.interfaceName}`, atMs - this.now, () => this.wake());
  }
}
