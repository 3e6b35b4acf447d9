/**
 * The browser of one interface: asks for the wanted types and for what is missing of each instance, and knows which
 * instances are complete (RFC 6763, section 4; timing from RFC 6762, section 5.2).
 *
 * Pure: messages come in through `receive`, questions go out through `send`, time through the injected clock. IPv4 and
 * IPv6 of one interface share a browser, since both are the same link.
 */

import type { Timer, Timers } from "../../core/clock.js";
import { Backoff } from "./backoff.js";
import { type Instance, type InstanceView, LinkState, type LinkStateOptions } from "./link-state.js";
import { packQuestions, type QueryMessage, type Question, questionKey } from "./questions.js";
import type { HeardRecord } from "./records.js";

export interface BrowserOptions extends LinkStateOptions {
  readonly timers: Timers;
  readonly send: (message: QueryMessage) => void;
  /** Something about this instance (key: see `nameKey`) may have changed; `view` tells what it is now. */
  readonly onChange: (instanceKey: string) => void;
}

const MESSAGES_PER_FLUSH = 10;
const FLUSH_GAP_MS = 100;
/** Questions waiting for their turn; further ones are dropped, and asked at their next turn. */
const OUTBOX_LIMIT = 1024;
/** How often the other address family is asked for, when one is known already. */
const SECOND_FAMILY_ATTEMPTS = 2;

export class Browser {
  private readonly state: LinkState;
  private readonly outbox = new Map<string, Question>();
  private sendNotBeforeMs = Number.NEGATIVE_INFINITY;
  private timer: Timer | undefined;
  private timerAtMs = Number.POSITIVE_INFINITY;

  constructor(private readonly options: BrowserOptions) {
    this.state = new LinkState(options);
  }

  /** Asks for everything from the start: at first, and again after the interface got another address. */
  restart(): void {
    for (const { backoff } of this.state.browses.values()) backoff.restart(this.now);
    for (const instance of this.state.instances.values()) instance.resolve?.backoff.restart(this.now);
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

  /** The instance as it is now; `undefined` unless it is complete. */
  view(instanceKey: string): InstanceView | undefined {
    return this.state.view(instanceKey);
  }

  /** What is stored, and how much was not because of a limit. */
  get counts(): { readonly records: number; readonly instances: number; readonly refused: number } {
    const { cache, instances, refusedInstances } = this.state;
    return { records: cache.size, instances: instances.size, refused: cache.refused + refusedInstances };
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
    if (missing.every((question) => instance.resolve?.asked.has(question))) return;
    instance.resolve = { backoff: new Backoff(this.options.random, this.now), asked: new Set(missing) };
  }

  private wake(): void {
    this.timer = undefined;
    this.timerAtMs = Number.POSITIVE_INFINITY;
    const { dirty, refresh } = this.state.wake();
    this.report(dirty);
    for (const { name, data } of refresh) this.ask({ name, type: data.type });
    for (const { question, backoff } of this.state.browses.values()) if (backoff.isDue(this.now)) this.ask(question);
    for (const instance of this.state.instances.values()) {
      const backoff = instance.resolve?.backoff;
      if (!backoff?.isDue(this.now)) continue;
      const withSecondFamily = !instance.isResolved && backoff.attempts <= SECOND_FAMILY_ATTEMPTS;
      const questions = this.state.missing(instance, withSecondFamily);
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
    const messages = packQuestions([...this.outbox.values()], (question) => this.state.knownAnswers(question));
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

  /** Sets the timer to the first thing that happens. */
  private arm(): void {
    let atMs = this.state.cache.dueMs;
    for (const { backoff } of this.state.browses.values()) atMs = Math.min(atMs, backoff.nextMs);
    for (const { resolve } of this.state.instances.values()) if (resolve) atMs = Math.min(atMs, resolve.backoff.nextMs);
    if (this.outbox.size > 0) atMs = Math.min(atMs, this.sendNotBeforeMs);
    if (atMs >= this.timerAtMs || atMs === Number.POSITIVE_INFINITY) return;
    this.timer?.cancel();
    this.timerAtMs = atMs;
    this.timer = this.options.timers.after(`mdns ${this.options.interfaceName}`, atMs - this.now, () => this.wake());
  }
}
