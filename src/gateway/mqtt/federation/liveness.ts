/**
 * Whether another board is there, from what is heard of it. A broker or a bridge may keep a word for ever, so a word that is
 * no news proves nothing: it is believed, provisionally, when our broker tells what it keeps, and not after the board has
 * fallen silent.
 */

import type { Farewell, Word } from "./presence.js";

/** Of one name, whose ages are remembered. */
const INSTANCES = 4;

export class Liveness {
  /** Of the board that has this name now. */
  private instance: string | undefined;
  /** The oldest word of each instance, those that were heard longest ago first. */
  private readonly ages = new Map<string, number>();
  /** It said farewell, or fell silent: only news is believed. */
  private isOver = false;
  private heartbeatMs = 0;
  /** How long we have listened since we heard something new. */
  private silentMs = 0;

  /** False: it means nothing. `isKept`: our broker says that it had kept it. */
  heard(word: Word | Farewell, isKept: boolean): boolean {
    const { instance } = word;
    if (word.state === "gone") {
      // The will of an older connection, of a process whose place has been taken.
      if (instance !== undefined && this.instance !== undefined && instance !== this.instance) return false;
      this.isOver = true;
      return true;
    }
    if (word.ageSeconds <= (this.ages.get(word.instance) ?? -1)) {
      return isKept && instance === this.instance && !this.isOver;
    }
    this.ages.delete(word.instance);
    this.ages.set(word.instance, word.ageSeconds);
    if (this.ages.size > INSTANCES) this.ages.delete(this.ages.keys().next().value!);
    this.instance = word.instance;
    this.isOver = false;
    this.heartbeatMs = word.heartbeatSeconds * 1000;
    this.silentMs = 0;
    return true;
  }

  /**
   * We have listened for so long, all the time. True: it has fallen silent. At least two of its words were due in that
   * time, since what began within our first interval is not counted; with the same heartbeat it is two to three of them.
   */
  passed(ms: number): boolean {
    this.silentMs += ms;
    if (this.silentMs - ms < 2 * this.heartbeatMs) return false;
    this.isOver = true;
    return true;
  }
}
