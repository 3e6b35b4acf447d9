/**
 * That this board is there, as the others hear it (presence.ts): told when it comes, when it has told everything, and from
 * then on once in a heartbeat. It is told until it comes back from the broker, which says that the broker has told all that
 * it keeps; and again when something else stands in its place.
 */

import type { Clock, Timer, Timers } from "../../../core/clock.js";
import type { Logger } from "../../../core/log.js";
import { Damping } from "../../damping.js";
import { AnnouncementError } from "../announced.js";
import { TIMES } from "../times.js";
import type { SendResult } from "./exports.js";
import { Namesakes } from "./namesakes.js";
import { farewellOf, HEARTBEAT, readWord, type Word, writeWord } from "./presence.js";

/** In milliseconds. */
export const PRESENCE_TIMES = {
  /** Until a presence that somebody else has overwritten, or that could not be sent, is told again. */
  correctionMs: 1000,
  /** Until a changed number of services is told: the others compare it with what they have heard. */
  countMs: 10_000,
  /** Without a word from the broker after connecting: then we are not allowed to write, or to read. */
  silenceMs: 30_000,
  /** A board that comes is no more than arriving for so long: one of the same name that was there before has answered. */
  arrivingMs: 3000,
} as const;

export interface OwnPresenceOptions {
  readonly topic: string;
  readonly board: string;
  /** Tells this process from all others: 12 digits of 0-9 a-f. */
  readonly instance: string;
  /** Least time between two words. */
  readonly heartbeatSeconds: number;
  /** The number of services that this board has. */
  readonly size: () => number;
  /** The number of boards that are there, without this one. */
  readonly boards: () => number;
  readonly publish: (topic: string, payload: string) => SendResult;
  /** It has come back. */
  readonly onHeard: () => void;
  /** For so long we have heard the broker, without a pause. */
  readonly onListened: (ms: number) => void;
  /** Another board has our name, and it stays: nothing more is to be told of ours. */
  readonly onYield: () => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
}

export class OwnPresence {
  private readonly bornMs: number;
  private isConnected = false;
  private isComplete = false;
  /** A word of this connection has come back from the broker. */
  private hasEcho = false;
  /** Of the last word told, and of the last one that came back. */
  private toldAge = -1;
  private heardAge = -1;
  private arrivedMs = 0;
  private toldState: Word["state"] = "arriving";
  private toldSize = 0;
  /** Messages of any kind since the last look at whether there are any. */
  private messages = 0;
  /** Since the last heartbeat. */
  private hasHeard = false;
  private readonly namesakes: Namesakes;
  private heartbeatSeconds: number;
  private timer: Timer | undefined;
  private timerMs = 0;
  private isCorrecting = false;
  private readonly damping = new Damping(1);
  private silenceTimer: Timer | undefined;
  private heartbeat: Timer | undefined;

  constructor(private readonly options: OwnPresenceOptions) {
    this.bornMs = options.clock.monotonicMs();
    this.heartbeatSeconds = options.heartbeatSeconds;
    this.namesakes = new Namesakes(options.board, options.instance, options.log);
  }

  /** The broker takes what we say, and nobody else says it in our name. */
  get isHeard(): boolean {
    return this.hasEcho && !this.namesakes.haveYielded;
  }

  connected(): void {
    this.isConnected = true;
    this.arrive();
    this.messages = 0;
    this.awaitEcho();
    if (!this.heartbeat) this.beat();
  }

  /** Everything has been told. */
  complete(): void {
    this.isComplete = true;
    this.tell();
  }

  /** The number of services may have changed. */
  look(): void {
    if (this.isComplete && this.options.size() !== this.toldSize) this.tellWithin(PRESENCE_TIMES.countMs);
  }

  /** The broker has said something, whatever it is. */
  noteMessage(): void {
    this.messages++;
    this.hasHeard = true;
  }

  disconnected(): void {
    this.isConnected = false;
    this.hasEcho = false;
    this.namesakes.forget();
    this.silenceTimer?.cancel();
    this.silenceTimer = undefined;
    this.stopTelling();
  }

  /** Leaves in order: the last word before the connection is closed. */
  leave(): void {
    const { publish, topic, instance } = this.options;
    if (this.isConnected && !this.namesakes.haveYielded) publish(topic, farewellOf(instance));
    this.disconnected();
    this.heartbeat?.cancel();
  }

  /**
   * The echo of what we said, or something else: what another broker of a bridge kept of us, an old connection's will, or a
   * board of the same name.
   */
  heard(text: string): void {
    const word = understood(text);
    if (word && word.state !== "gone" && word.instance === this.options.instance) {
      if (word.ageSeconds > this.toldAge) {
        this.heardForged(word);
        return;
      }
      this.heardAge = Math.max(this.heardAge, word.ageSeconds);
    }
    if (this.namesakes.haveYielded) {
      if (word && this.namesakes.isFarewell(word)) this.takeOver();
    } else if (!word || word.state === "gone") this.correct();
    else if (word.instance !== this.options.instance) this.heardNamesake(word);
    else {
      this.hasEcho = true;
      this.options.onHeard();
      if (word.ageSeconds < this.toldAge)
        this.correct(); // another broker of a bridge had kept it, unless ours follows
      else if (this.isCorrecting) this.stopCorrecting();
    }
  }

  /** We never said that, but the others take what we say for old until we are as old as that. */
  private heardForged({ ageSeconds }: Word): void {
    this.toldAge = Math.min(ageSeconds, HEARTBEAT.oldestSeconds - 1);
    this.correct();
  }

  // --- telling ----------------------------------------------------------------------------------------------------------

  private arrive(): void {
    this.isComplete = false;
    this.hasEcho = false;
    this.namesakes.forget();
    this.arrivedMs = this.options.clock.monotonicMs();
    this.tell();
  }

  private tell(): void {
    if (this.namesakes.haveYielded) return;
    this.say();
  }

  private say(): void {
    const { topic, instance, clock, publish } = this.options;
    const services = this.options.size();
    const state = this.isComplete && this.arrivingMs <= 0 ? "complete" : "arriving";
    const ageMs = clock.monotonicMs() - this.bornMs;
    const ageSeconds = Math.min(Math.max(this.toldAge + 1, Math.floor(ageMs / 1000)), HEARTBEAT.oldestSeconds);
    const { heartbeatSeconds } = this;
    const namesake = this.namesakes.named;
    const result = publish(topic, writeWord({ state, instance, ageSeconds, heartbeatSeconds, services, namesake }));
    if (result === "sent") {
      this.namesakes.said();
      this.toldAge = ageSeconds;
      this.toldSize = services;
      this.toldState = state;
      if (this.isComplete && state === "arriving") this.tellWithin(this.arrivingMs);
    } else if (this.isConnected) this.tellWithin(PRESENCE_TIMES.correctionMs);
  }

  private tellWithin(delayMs: number): void {
    const { clock, timers } = this.options;
    const atMs = clock.monotonicMs() + delayMs;
    if (this.timer && this.timerMs <= atMs) return;
    this.timer?.cancel();
    this.timerMs = atMs;
    this.timer = timers.after("federation presence", delayMs, () => {
      this.timer = undefined;
      if (this.isCorrecting) this.damping.changed("", clock.monotonicMs());
      this.isCorrecting = false;
      this.tell();
    });
  }

  /** Not at once: somebody may go on to overwrite it. And no more than a few times a minute. */
  private correct(): void {
    if (this.isCorrecting) return;
    this.isCorrecting = true;
    const waitMs = this.damping.waitMs("", this.options.clock.monotonicMs());
    this.tellWithin(Math.max(PRESENCE_TIMES.correctionMs, waitMs));
  }

  /** What is to be told for another reason is told a little later, or with the next heartbeat. */
  private stopCorrecting(): void {
    this.isCorrecting = false;
    this.timer?.cancel();
    this.timer = undefined;
    if (this.isComplete && this.toldState === "arriving") this.tellWithin(Math.max(0, this.arrivingMs));
    this.look();
  }

  /** Until it may say that it has told everything. */
  private get arrivingMs(): number {
    return this.arrivedMs + PRESENCE_TIMES.arrivingMs - this.options.clock.monotonicMs();
  }

  /** The only wake-up of a board where nothing happens: it speaks, and looks for those who do not. */
  private beat(): void {
    const { options } = this;
    const { clock, timers } = options;
    const shared = (options.boards() + 1) * HEARTBEAT.perBoardSeconds;
    this.heartbeatSeconds = Math.min(Math.max(options.heartbeatSeconds, shared), HEARTBEAT.mostSeconds);
    const ms = this.heartbeatSeconds * 1000;
    const dueMs = clock.monotonicMs() + ms;
    this.heartbeat = timers.after("federation heartbeat", ms, () => {
      // Who stood still has not read yet what others said meanwhile; and a broker that is frozen tells nothing. Where we are
      // not allowed to write, it has to have told something else.
      const hearsBroker = this.hasEcho ? this.heardAge === this.toldAge : this.hasHeard;
      const isAttentive = clock.monotonicMs() - dueMs < TIMES.stalledMs && hearsBroker;
      this.hasHeard = false;
      this.beat();
      if (!this.isConnected) return;
      this.namesakes.named = undefined;
      if (this.namesakes.passed(ms)) this.takeOver();
      else this.tell();
      if (isAttentive) options.onListened(ms);
    });
  }

  // --- others of this name ----------------------------------------------------------------------------------------------

  private heardNamesake(word: Word): void {
    const verdict = this.namesakes.heard(word, this.toldState);
    if (verdict === "answer") {
      this.correct();
      return;
    }
    if (verdict === "last-word") this.say();
    this.stopTelling();
    this.options.onYield();
  }

  private stopTelling(): void {
    this.isComplete = false;
    this.isCorrecting = false;
    this.timer?.cancel();
    this.timer = undefined;
  }

  private takeOver(): void {
    this.options.log.info(
      () => `The other gateway that calls itself ${this.options.board} is gone: this one tells again.`,
    );
    this.arrive();
  }

  /**
   * Brokers may accept a subscription and deliver nothing, or take a message and drop it, where an access list forbids it;
   * and what is replayed may be dropped where too much of it waits. So it is told again until it comes back; where others
   * are heard meanwhile, once more before that is a reason to worry.
   */
  private awaitEcho(attempt = 0, isTold = false): void {
    const { timers, log, topic } = this.options;
    this.silenceTimer = timers.after("federation silence", PRESENCE_TIMES.silenceMs, () => {
      if (this.hasEcho || this.namesakes.haveYielded) return;
      const isTroubling = this.messages === 0 || attempt > 0;
      if (isTroubling && !isTold) log.warning(() => noEcho(topic));
      this.messages = 0;
      this.tell();
      this.awaitEcho(attempt + 1, isTold || isTroubling);
    });
  }
}

const noEcho = (topic: string) =>
  `What this board writes to ${topic} does not come back from the broker, so nothing is told to other boards: ` +
  "is it allowed to write there, and to read?";

/** `undefined`: whatever it is, it stands in the place of what we said. */
function understood(text: string) {
  try {
    return readWord(text);
  } catch (error) {
    if (error instanceof AnnouncementError) return undefined;
    throw error;
  }
}
