/** Topics in which devices say whether they are there: who waits for which, and what was last said there. */

import type { Dropped } from "../../dropped.js";
import type { FilterBudget } from "./filter-budget.js";
import { FoldedFilters } from "./folded-filters.js";
import { LIMITS } from "./limits.js";
import { usableTopic } from "./texts.js";
import { matchesFilter } from "./topic-filter.js";

/** Longer payloads are no presence. */
const PRESENCE_BYTES = 256;

export class PresenceTopics {
  /** Who waits for a topic. */
  private readonly subjects = new Map<string, Set<string>>();
  /** The same of topics beyond the limit; who waits longest comes first. */
  private readonly outside = new Map<string, Set<string>>();
  private readonly topicsOf = new Map<string, readonly string[]>();
  /** What was said where, also where nobody waits yet: it is not replayed when somebody does. */
  private readonly said = new Map<string, string>();
  private readonly folded: FoldedFilters;

  constructor(
    private readonly fixed: readonly string[],
    private readonly dropped: Dropped,
    budget: FilterBudget,
    onChange: (added: readonly string[], removed: readonly string[]) => void,
  ) {
    this.folded = new FoldedFilters(fixed, budget, onChange);
  }

  /** What to subscribe to besides the fixed filters. */
  get filters(): readonly string[] {
    return this.folded.filters;
  }

  /** From now on the subject waits for these topics and no others; unusable ones are left out. */
  watch(subject: string, wanted: readonly string[]): void {
    const topics = [...new Set(wanted.filter(usableTopic))];
    const before = this.topicsOf.get(subject) ?? [];
    if (topics.length === before.length && topics.every((topic) => before.includes(topic))) return;
    for (const topic of topics) this.enter(subject, topic);
    for (const topic of before) if (!topics.includes(topic)) this.leave(subject, topic);
    if (topics.length > 0) this.topicsOf.set(subject, topics);
    else this.topicsOf.delete(subject);
  }

  /** A message was heard on any topic. Returns who waits for it; its text is remembered. */
  heard(topic: string, text: string | undefined): ReadonlySet<string> {
    const subjects = this.subjects.get(topic);
    if (!subjects && !this.isCovered(topic)) return NOBODY;
    if (text === undefined || text.length > PRESENCE_BYTES) this.said.delete(topic);
    else {
      this.said.delete(topic);
      this.said.set(topic, text);
      if (this.said.size > LIMITS.presenceTopics) this.said.delete(this.said.keys().next().value!);
    }
    return subjects ?? NOBODY;
  }

  /** What was last said on a topic. */
  last(topic: string): string | undefined {
    return this.said.get(topic);
  }

  /** What was said before may no longer be true; what the broker kept will come again. */
  brokerBack(): void {
    this.said.clear();
  }

  stop(): void {
    this.folded.stop();
    this.subjects.clear();
    this.outside.clear();
    this.topicsOf.clear();
    this.said.clear();
  }

  private isCovered(topic: string): boolean {
    return [...this.fixed, ...this.folded.filters].some((filter) => matchesFilter(filter, topic));
  }

  private enter(subject: string, topic: string): void {
    const present = this.subjects.get(topic) ?? this.outside.get(topic);
    if (present) {
      present.add(subject);
    } else if (this.subjects.size >= LIMITS.presenceTopics) {
      this.dropped.add("too many presence topics");
      this.outside.set(topic, new Set([subject]));
    } else this.hear(topic, new Set([subject]));
  }

  private hear(topic: string, subjects: Set<string>): void {
    this.subjects.set(topic, subjects);
    if (!this.folded.add(topic)) this.dropped.add("too many subscriptions");
  }

  private leave(subject: string, topic: string): void {
    const waiting = this.outside.get(topic);
    if (waiting?.delete(subject) && waiting.size === 0) this.outside.delete(topic);
    const present = this.subjects.get(topic);
    if (!present?.delete(subject) || present.size > 0) return;
    this.subjects.delete(topic);
    this.folded.remove(topic);
    const [next] = this.outside;
    if (!next) return;
    this.outside.delete(next[0]);
    this.hear(...next);
  }
}

const NOBODY: ReadonlySet<string> = new Set();
