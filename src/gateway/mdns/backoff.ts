/** When to ask a continuous question: after 20–120 ms, then with gaps of 1, 2, 4 … 3600 s (RFC 6762, section 5.2). */

import type { Random } from "../../core/clock.js";
import { Heap, type HeapItem } from "../../core/heap.js";
import type { Family } from "./link.js";

const FIRST_MS = { least: 20, most: 120 };
const GAP_MS = { least: 1000, most: 3_600_000 };

const NO_FAMILY: readonly Family[] = [];

/** The schedule of what `subject` asks. */
export class Backoff<Subject> implements HeapItem {
  heapIndex = -1;
  attempts = 0;
  nextMs = 0;
  /** The gap that ends at `nextMs`. */
  private gapMs = 0;
  /** The address families over which somebody else asked the same in the latter half of this gap. */
  private overheardOver: readonly Family[] = NO_FAMILY;

  constructor(readonly subject: Subject) {}

  restart(nowMs: number, random: Random): void {
    this.attempts = 0;
    this.gapMs = FIRST_MS.least + random() * (FIRST_MS.most - FIRST_MS.least);
    this.nextMs = nowMs + this.gapMs;
    this.overheardOver = NO_FAMILY;
  }

  /** It has been asked: the next gap begins. */
  asked(nowMs: number): void {
    this.gapMs = this.attempts === 0 ? GAP_MS.least : Math.min(2 * this.gapMs, GAP_MS.most);
    this.attempts++;
    this.nextMs = nowMs + this.gapMs;
    this.overheardOver = NO_FAMILY;
  }

  /**
   * Somebody else has asked the same over this family. True if that counts as ours: in the latter half of the gap, and
   * over every family that we would ask over.
   */
  isAskedByOthers(family: Family, families: readonly Family[], nowMs: number): boolean {
    if (nowMs < this.nextMs - this.gapMs / 2) return false;
    if (!this.overheardOver.includes(family)) this.overheardOver = [...this.overheardOver, family];
    return families.every((wanted) => this.overheardOver.includes(wanted));
  }
}

/** Every continuous question of a link, the next one first. */
export class Schedule<Subject> {
  private readonly heap = new Heap<Backoff<Subject>>((a, b) => a.nextMs < b.nextMs);

  constructor(private readonly random: Random) {}

  /** When the next question is to be asked; infinity if there is none. */
  get dueMs(): number {
    return this.heap.first?.nextMs ?? Number.POSITIVE_INFINITY;
  }

  start(subject: Subject, nowMs: number): Backoff<Subject> {
    const backoff = new Backoff(subject);
    backoff.restart(nowMs, this.random);
    this.heap.put(backoff);
    return backoff;
  }

  stop(backoff: Backoff<Subject>): void {
    this.heap.remove(backoff);
  }

  /** Those that `which` chooses begin from the start. */
  restart(nowMs: number, which: (subject: Subject) => boolean = () => true): void {
    for (const backoff of [...this.heap.values()]) {
      if (!which(backoff.subject)) continue;
      backoff.restart(nowMs, this.random);
      this.heap.put(backoff);
    }
  }

  /** The next one that is due, whose next gap then begins. */
  takeDue(nowMs: number): Backoff<Subject> | undefined {
    const first = this.heap.first;
    if (!first || first.nextMs > nowMs) return undefined;
    this.asked(first, nowMs);
    return first;
  }

  /** Its next gap begins. */
  asked(backoff: Backoff<Subject>, nowMs: number): void {
    backoff.asked(nowMs);
    this.heap.put(backoff);
  }
}
