/**
 * That this board is there, as the others hear it: `1;<start>;<services>` when it has told everything, `2;…` when it has
 * only just come, `0` (its will) when it is gone. It is told until it comes back from the broker, which says that the
 * broker has told all that it keeps; and again when something else stands in its place.
 */

import type { Timer, Timers } from "../../../core/clock.js";
import type { Logger } from "../../../core/log.js";
import { AnnouncementError, show } from "../announced.js";
import type { SendResult } from "./exports.js";

const PRESENCE = /^([12]);([0-9]{1,12});([0-9]{1,9})$/;
export const GONE = "0";

/** In milliseconds. */
export const PRESENCE_TIMES = {
  /** Until a presence that somebody else has overwritten, or that could not be sent, is told again. */
  correctionMs: 1000,
  /** Until a changed number of services is told: the others compare it with what they have heard. */
  countMs: 10_000,
  /** Without a word from the broker after connecting: then we are not allowed to write, or to read. */
  silenceMs: 30_000,
} as const;

export interface OwnPresenceOptions {
  readonly topic: string;
  readonly board: string;
  /** Seconds since the UNIX epoch, to tell this life of the board from another one. */
  readonly start: number;
  /** The number of services that this board has. */
  readonly size: () => number;
  readonly publish: (topic: string, payload: string) => SendResult;
  /** It has come back. */
  readonly onHeard: () => void;
  readonly timers: Timers;
  readonly log: Logger;
}

export class OwnPresence {
  private isConnected = false;
  private isComplete = false;
  /** It has come back from the broker. */
  isHeard = false;
  private isRivalTold = false;
  /** Messages of any kind since the last look at whether there are any. */
  private messages = 0;
  private toldSize = 0;
  private timer: Timer | undefined;
  private isCorrecting = false;
  private silenceTimer: Timer | undefined;

  constructor(private readonly options: OwnPresenceOptions) {}

  connected(): void {
    this.isConnected = true;
    this.isComplete = false;
    this.isHeard = false;
    this.tell();
    this.messages = 0;
    this.awaitEcho();
  }

  /** Everything has been told. */
  complete(): void {
    this.isComplete = true;
    this.tell();
  }

  /** The number of services may have changed. */
  look(): void {
    if (this.isComplete && this.options.size() !== this.toldSize) this.tellSoon(PRESENCE_TIMES.countMs);
  }

  /** The broker has said something, whatever it is. */
  noteMessage(): void {
    this.messages++;
  }

  disconnected(): void {
    this.isConnected = false;
    this.isHeard = false;
    this.timer?.cancel();
    this.silenceTimer?.cancel();
    this.timer = this.silenceTimer = undefined;
    this.isCorrecting = false;
  }

  /** Leaves in order: the last word before the connection is closed. */
  leave(): void {
    if (this.isConnected) this.options.publish(this.options.topic, GONE);
    this.disconnected();
  }

  /**
   * The echo of what we said, or something else: what another broker of a bridge kept of us, an old connection's will, or
   * a rival; which of two rivals is there longer is silent, so that they do not answer each other for ever.
   */
  heard(text: string): void {
    const { start: ourStart, board, onHeard, log } = this.options;
    const [, state, digits] = PRESENCE.exec(text) ?? [];
    const start = digits === undefined ? undefined : Number(digits);
    if (start === ourStart) {
      const wasComplete = this.isComplete;
      this.isHeard = true;
      onHeard();
      if (wasComplete && state !== "1") this.correct(); // another broker of a bridge had kept it
      return;
    }
    if (start !== undefined && start > ourStart && !this.isRivalTold) {
      this.isRivalTold = true;
      log.warning(() => `Another gateway calls itself ${board}, too: each needs a name of its own (board).`);
    }
    // Without an echo we would wait for ever.
    if (!this.isComplete || start === undefined || start < ourStart) this.correct();
  }

  private tell(): void {
    const { topic, start, publish } = this.options;
    const size = this.options.size();
    const result = publish(topic, `${this.isComplete ? 1 : 2};${start};${size}`);
    if (result === "sent") this.toldSize = size;
    else if (this.isConnected) this.tellSoon(PRESENCE_TIMES.correctionMs);
  }

  private tellSoon(delayMs: number): void {
    if (this.timer && delayMs === PRESENCE_TIMES.countMs) return;
    this.timer?.cancel();
    this.timer = this.options.timers.after("federation presence", delayMs, () => {
      this.timer = undefined;
      this.isCorrecting = false;
      this.tell();
    });
  }

  /** Not at once: somebody may go on to overwrite it. */
  private correct(): void {
    if (this.isCorrecting) return;
    this.isCorrecting = true;
    this.tellSoon(PRESENCE_TIMES.correctionMs);
  }

  /**
   * Brokers may accept a subscription and deliver nothing, or take a message and drop it, where an access list forbids it;
   * and what is replayed may be dropped where too much of it waits. So it is told again until it comes back; where others
   * are heard meanwhile, once more before that is a reason to worry.
   */
  private awaitEcho(attempt = 0, isTold = false): void {
    const { timers, log, topic } = this.options;
    this.silenceTimer = timers.after("federation silence", PRESENCE_TIMES.silenceMs, () => {
      if (this.isHeard) return;
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

/** What another board's presence says of it, and the number of its services. Throws an `AnnouncementError`. */
export function presenceOf(text: string): ["says-arriving" | "says-complete" | "says-gone", number] {
  if (text === "" || text === GONE) return ["says-gone", 0];
  const [, state, , services] = PRESENCE.exec(text) ?? [];
  if (state === undefined) {
    throw new AnnouncementError(`presence ${show(text)}: expected 0, 1;<start>;<services> or 2;…`);
  }
  return [state === "1" ? "says-complete" : "says-arriving", Number(services)];
}
