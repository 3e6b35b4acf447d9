/**
 * The questions that other hosts asked a moment ago: what would be asked now is asked already, and the answer goes to
 * everybody (RFC 6762, 7.3). Pure.
 */

import type { Family } from "./link.js";

/** The answers to a question that is older have come, or will not come. */
const FRESH_MS = 1000;
/** Questions remembered; further ones are asked by us, too. */
const QUESTIONS_LIMIT = 512;

export class OverheardQuestions {
  /** By `questionKey`, the oldest first. */
  private readonly heard = new Map<string, { readonly atMs: number; readonly over: readonly Family[] }>();

  add(questionKey: string, family: Family, nowMs: number): void {
    const before = this.heard.get(questionKey);
    const isFresh = before !== undefined && nowMs - before.atMs < FRESH_MS;
    if (isFresh && before.over.includes(family)) return;
    if (!isFresh) {
      this.heard.delete(questionKey); // it becomes the youngest
      this.prune(nowMs);
      if (this.heard.size >= QUESTIONS_LIMIT) return;
    }
    this.heard.set(
      questionKey,
      isFresh ? { ...before, over: [...before.over, family] } : { atMs: nowMs, over: [family] },
    );
  }

  /** Whether it was asked over each of these families. */
  has(questionKey: string, families: readonly Family[], nowMs: number): boolean {
    const heard = this.heard.get(questionKey);
    if (!heard || nowMs - heard.atMs >= FRESH_MS) return false;
    return families.every((family) => heard.over.includes(family));
  }

  private prune(nowMs: number): void {
    for (const [key, { atMs }] of this.heard) {
      if (nowMs - atMs < FRESH_MS) break;
      this.heard.delete(key);
    }
  }
}
