/**
 * Boards of one name (a copied image) would undo each other's work for ever. Each that hears another instance speak in its
 * name answers it by name, so that the other one knows that it is no leftover; among many, one also knows of whom it has heard
 * two words. A board that has told everything stays rather than one that has only just come, else the one whose instance is the
 * lowest. The others say a last word, fall silent, and look whether one that speaks is still there.
 */

import type { Logger } from "../../../core/log.js";
import { Liveness } from "./liveness.js";
import type { Farewell, Word } from "./presence.js";

/** What is to be done about a word: answer it, answer it and fall silent, or fall silent at once. */
export type Verdict = "answer" | "last-word" | "yield";

/** Boards of one name, whose ages are remembered. */
const INSTANCES = 100;

export class Namesakes {
  /** The age in the last word of each, those heard longest ago first. */
  private readonly ages = new Map<string, number>();
  /** The instance that was heard last, to be named in what we say. */
  named: string | undefined;
  /** The instance that was named last in what we did say. */
  private told: string | undefined;
  /** The one that stays rather than we. */
  private winner: { readonly instance: string; readonly liveness: Liveness } | undefined;
  /** The warnings that were given: whether we stay. */
  private readonly warned = new Set<boolean>();

  constructor(
    private readonly board: string,
    private readonly instance: string,
    private readonly log: Logger,
  ) {}

  /** Another one speaks for this board, and we do not. */
  get haveYielded(): boolean {
    return this.winner !== undefined;
  }

  /** We begin (again) to speak. */
  forget(): void {
    this.named = undefined;
    this.told = undefined;
    this.winner = undefined;
    this.ages.clear();
  }

  /** Something was said, with `named` in it. */
  said(): void {
    this.told = this.named ?? this.told;
  }

  /** A word of another instance; `state`: what we have said last of ourselves. */
  heard(word: Word, state: Word["state"]): Verdict {
    this.named = word.instance;
    // It may be what is kept of our former life, unless it has heard us, or goes on speaking.
    const goesOn = this.hasGrownOlder(word);
    if (word.namesake !== this.instance && !goesOn) return "answer";
    const stays = word.state === state ? this.instance < word.instance : state === "complete";
    this.warn(stays);
    if (stays) return "answer";
    this.follow(word);
    return this.told === word.instance ? "yield" : "last-word"; // or it would not know of us
  }

  /** While we are silent. True: the one that stays says that it is gone. */
  isFarewell(word: Word | Farewell): boolean {
    if (!this.winner) return false;
    if (word.instance === this.winner.instance) this.winner.liveness.heard(word, false);
    else if (word.state === "gone" || word.instance === this.instance) return false;
    else this.follow(word); // that one may fall silent for this one
    return word.state === "gone";
  }

  /** We have listened for so long. True: the other one has fallen silent. */
  passed(ms: number): boolean {
    return this.winner?.liveness.passed(ms) ?? false;
  }

  private follow(word: Word): void {
    const liveness = new Liveness();
    liveness.heard(word, false);
    this.winner = { instance: word.instance, liveness };
  }

  private hasGrownOlder({ instance, ageSeconds }: Word): boolean {
    const before = this.ages.get(instance);
    this.ages.delete(instance);
    this.ages.set(instance, Math.max(ageSeconds, before ?? 0));
    if (this.ages.size > INSTANCES) this.ages.delete(this.ages.keys().next().value!);
    return before !== undefined && ageSeconds > before;
  }

  private warn(stays: boolean): void {
    if (this.warned.has(stays)) return;
    this.warned.add(stays);
    const [one, other] = stays ? ["this", "that"] : ["that", "this"];
    this.log.warning(
      () =>
        `Another gateway calls itself ${this.board}, too: each needs a name of its own (board). ` +
        `Of the two, ${one} one tells its services, ${other} one does not.`,
    );
  }
}
