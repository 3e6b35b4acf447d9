/**
 * The subscriptions with which a large, changing set of topics is heard: one for each topic, or, where many differ in one
 * level only (`tele/plug-1/LWT`, `tele/plug-2/LWT`, …), one for all of them. A broker with thousands of devices is asked for
 * a handful of filters.
 */

import type { FilterBudget } from "./filter-budget.js";
import { matchesFilter } from "./topic-filter.js";

/** So many topics that differ in one level make it `+`; below the second number it is undone. */
const FOLD_AT = 16;
const UNFOLD_BELOW = 4;

export class FoldedFilters {
  private readonly topics = new Set<string>();
  /** Topics by what they become with one level replaced. */
  private readonly byMask = new Map<string, Set<string>>();
  private readonly folded = new Set<string>();
  private readonly subscribed = new Set<string>();
  /** Topics for which there was no subscription left; who waits longest comes first. */
  private readonly unheard = new Set<string>();

  constructor(
    /** What is subscribed to anyway. */
    private readonly fixed: readonly string[],
    private readonly budget: FilterBudget,
    private readonly onChange: (added: readonly string[], removed: readonly string[]) => void,
  ) {}

  get filters(): readonly string[] {
    return [...this.subscribed];
  }

  /** False: there are too many subscriptions; the topic will not be heard before there are fewer, or others cover it. */
  add(topic: string): boolean {
    if (this.topics.has(topic)) return true;
    this.topics.add(topic);
    if (this.fixed.some((filter) => matchesFilter(filter, topic))) return true;
    const masks = masksOf(topic);
    for (const mask of masks) {
      const alike = this.byMask.get(mask);
      if (alike) alike.add(topic);
      else this.byMask.set(mask, new Set([topic]));
    }
    return masks.some((mask) => this.folded.has(mask)) || this.hear(topic, masks);
  }

  remove(topic: string): void {
    if (!this.topics.delete(topic)) return;
    this.unheard.delete(topic);
    if (this.subscribed.has(topic)) this.change([], [topic]);
    for (const mask of masksOf(topic)) {
      const alike = this.byMask.get(mask);
      if (!alike?.delete(topic)) continue;
      if (alike.size === 0) this.byMask.delete(mask);
      if (alike.size < UNFOLD_BELOW && this.folded.has(mask)) this.unfold(mask, alike);
    }
  }

  /** Waits for nothing any more. */
  stop(): void {
    this.unheard.clear();
    this.budget.forget(this.retry);
  }

  /** Subscribes to the topic, or to what covers it and others. False: there is no subscription left. */
  private hear(topic: string, masks: readonly string[]): boolean {
    const full = masks.find((mask) => this.byMask.get(mask)!.size >= FOLD_AT);
    if (full !== undefined && this.fold(full)) return true;
    if (this.budget.left <= 0) {
      this.await(topic);
      return false;
    }
    this.change([topic], []);
    return true;
  }

  private await(topic: string): void {
    this.unheard.add(topic);
    this.budget.wait(this.retry);
  }

  private readonly retry = (): void => {
    for (const topic of this.unheard) {
      if (this.budget.left <= 0) {
        this.budget.wait(this.retry);
        return;
      }
      this.unheard.delete(topic);
      this.hear(topic, masksOf(topic));
    }
  };

  private fold(mask: string): boolean {
    const alike = this.byMask.get(mask)!;
    const isFree = this.budget.left > 0;
    // with nothing left it must take the place of another one; if it could not at first, it can not later
    if (!isFree && alike.size > FOLD_AT) return false;
    const covered = [...alike].filter((topic) => this.subscribed.has(topic));
    if (!isFree && covered.length === 0) return false;
    for (const topic of alike) this.unheard.delete(topic);
    this.folded.add(mask);
    this.change([mask], covered);
    return true;
  }

  private unfold(mask: string, alike: ReadonlySet<string>): void {
    this.folded.delete(mask);
    const covered = (topic: string) => masksOf(topic).some((other) => this.folded.has(other));
    const wanted = [...alike].filter((topic) => !covered(topic));
    const room = Math.max(0, this.budget.left + 1);
    for (const topic of wanted.slice(room)) this.await(topic);
    this.change(wanted.slice(0, room), [mask]);
  }

  private change(added: readonly string[], removed: readonly string[]): void {
    for (const filter of removed) this.subscribed.delete(filter);
    for (const filter of added) this.subscribed.add(filter);
    this.budget.take(added.length);
    this.onChange(added, removed);
    if (removed.length > 0) this.budget.give(removed.length);
  }
}

/** The topic with each of its levels replaced; never one without a fixed level. */
function masksOf(topic: string): string[] {
  const levels = topic.split("/");
  if (levels.length < 2 || levels.length > 16) return [];
  return levels.map((_, at) => levels.map((level, i) => (i === at ? "+" : level)).join("/"));
}
