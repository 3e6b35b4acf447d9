/**
 * One board's part in a federation: several boards, one directory, joined by a broker that keeps what each board tells.
 *
 * Knows no broker library: messages come in through `message`, and go out through `publish`.
 */

import type { Clock, Timer, Timers } from "../../../core/clock.js";
import type { Directory, Match, ServiceState, Subscription } from "../../../core/directory-access.js";
import { type Logger, logStack } from "../../../core/log.js";
import { Dropped } from "../../dropped.js";
import { Publications } from "../../publications.js";
import { responsible } from "../../rendezvous.js";
import { AnnouncementError, show } from "../announced.js";
import { Complaints } from "../complaints.js";
import { Exports, type SendResult } from "./exports.js";
import { Imports } from "./imports.js";
import { type FederatedService, ORIGIN, readRecord } from "./record.js";
import { type FederationTopics, federationTopics } from "./topics.js";

export interface FederationOptions {
  /** Of the federation, and of this board: see `FEDERATION_NAME`. */
  readonly name: string;
  readonly board: string;
  /** First level(s) of its topics. */
  readonly root: string;
  /** Which services are told to the others; `undefined`: all. */
  readonly filter: string | undefined;
  readonly maxBoards: number;
  readonly maxServicesPerBoard: number;
}

export interface FederationContext {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  /** Sends a retained message. */
  readonly publish: (topic: string, payload: string) => SendResult;
  /** Has the broker tell once more what it keeps of the boards' services. */
  readonly replay: () => void;
}

/** A presence: `1;<start>;<services>` is complete, `2;…` has only just come, `0` (its will) is gone. */
const PRESENCE = /^([12]);([0-9]{1,12});([0-9]{1,9})$/;
const GONE = "0";

/** In milliseconds. */
export const PRESENCE_TIMES = {
  /** Until a presence that somebody else has overwritten, or that could not be sent, is told again. */
  correctionMs: 1000,
  /** Until a changed number of services is told: the others compare it with what they have heard. */
  countMs: 10_000,
  /** Without a word from the broker after connecting: then we are not allowed to write, or to read. */
  silenceMs: 30_000,
} as const;

/** Boards that were not heard completely share a replay. */
const REPLAY_MS = 1000;

/** Messages a second with which the leftovers of a board that is gone for good are removed. */
const CLEARED_PER_SECOND = 50;

export class Federation {
  readonly topics: FederationTopics;
  readonly dropped = new Dropped();
  /** To be left with the broker, for the case that this board is lost. */
  readonly will: { readonly topic: string; readonly payload: string };
  private readonly exports: Exports;
  private readonly imports: Imports;
  private readonly complaints: Complaints;
  private readonly start: number;
  private subscriptions: Subscription[] = [];
  private isConnected = false;
  private isComplete = false;
  /** Our own presence has come back. */
  private isHeard = false;
  private isRivalTold = false;
  private isStopped = false;
  /** Messages since the last look at whether there are any. */
  private messages = 0;
  private toldSize = 0;
  private presenceTimer: Timer | undefined;
  private isCorrecting = false;
  private silenceTimer: Timer | undefined;
  private replayTimer: Timer | undefined;
  private clearing: { readonly of: string; readonly topic: string }[] = [];
  private clearTimer: Timer | undefined;

  /** Throws a `RangeError` for a root that cannot be one. */
  constructor(
    private readonly options: FederationOptions,
    private readonly context: FederationContext,
  ) {
    const { name, board, root, maxBoards, maxServicesPerBoard } = options;
    const { directory, clock, timers, log, publish } = context;
    const { dropped } = this;
    this.topics = federationTopics(root, name);
    this.will = { topic: this.topics.presence(board), payload: GONE };
    this.start = Math.floor(clock.unixSeconds());
    this.complaints = new Complaints(clock, log);
    this.exports = new Exports({
      ...{ name, board, timers, dropped, limit: maxServicesPerBoard },
      publish: (id, payload) => publish(this.topics.service(board, id), payload),
      onComplete: () => {
        this.isComplete = true;
        this.tellPresence();
        log.info(
          () => `${this.exports.size} services told; with ${this.imports.present.join(", ") || "no other board"}.`,
        );
      },
    });
    const limit = maxBoards * maxServicesPerBoard;
    this.imports = new Imports({
      ...{ name, board, clock, timers, dropped, maxBoards, maxServicesPerBoard },
      publications: new Publications({ directory, clock, log, limit, yieldsTo: (present) => this.isLocal(present) }),
      onForgotten: (gone, ids) => this.clear(gone, ids),
      onMissed: () => this.replaySoon(),
      onIncomplete: (from, heard, claims) =>
        log.warning(
          () =>
            `The broker told ${heard} of the ${claims} services of ${from}: ` +
            "does it keep fewer messages for a client (mosquitto: max_queued_messages)?",
        ),
    });
  }

  get counts(): Readonly<Record<string, number>> {
    return { boards: this.imports.present.length, imported: this.imports.size, exported: this.exports.size };
  }

  /** Begins to follow the directory. Throws a `FilterSyntaxError`. */
  follow(): void {
    const { directory } = this.context;
    const { filter } = this.options;
    const noteLocal = (match: Match) => {
      if (match.type === "disappeared") this.imports.localService(match.serviceId, false);
      else this.imports.localService(match.service.id, this.isLocal(match.service));
    };
    if (filter === undefined) {
      const both = (match: Match) => {
        noteLocal(match);
        this.export(match);
      };
      this.subscriptions = [directory.subscribe(undefined, both)];
    } else {
      const exported = directory.subscribe(filter, (match) => this.export(match));
      this.subscriptions = [exported, directory.subscribe(undefined, noteLocal)];
    }
  }

  private export(match: Match): void {
    this.exports.match(match);
    if (this.isComplete && this.exports.size !== this.toldSize) this.tellPresenceSoon(PRESENCE_TIMES.countMs);
  }

  /** The broker is there, and nothing has been subscribed to yet: our own presence comes back behind all that it keeps. */
  connected(): void {
    if (this.isStopped) return;
    this.isConnected = true;
    this.isComplete = false;
    this.isHeard = false;
    this.imports.connected();
    this.exports.connected();
    this.tellPresence();
    this.messages = 0;
    this.awaitEcho();
  }

  disconnected(): void {
    this.isConnected = false;
    this.clearing = [];
    this.cancelTimers();
    this.exports.disconnected();
    this.imports.disconnected();
  }

  /** Before the connection is closed: tells that this board leaves. What it published stays in the directory. */
  stop(): void {
    this.isStopped = true;
    if (this.isConnected) this.context.publish(this.will.topic, GONE);
    for (const subscription of this.subscriptions) subscription.cancel();
    this.subscriptions = [];
    this.exports.stop();
    this.imports.stop();
    this.cancelTimers();
  }

  private cancelTimers(): void {
    for (const timer of [this.presenceTimer, this.silenceTimer, this.replayTimer, this.clearTimer]) timer?.cancel();
    this.presenceTimer = this.silenceTimer = this.replayTimer = this.clearTimer = undefined;
    this.isCorrecting = false;
  }

  /** Takes in one message; whatever it is, it costs nothing but itself. */
  message(topic: string, payload: Uint8Array): void {
    if (this.isStopped) return;
    this.messages++;
    try {
      const parsed = this.topics.parse(topic);
      if (parsed.kind === "foreign") throw new AnnouncementError(parsed.reason);
      const isOwn = parsed.board === this.options.board;
      if (parsed.kind === "presence") {
        const text = Buffer.from(payload.subarray(0, 40)).toString("latin1");
        if (isOwn) this.ownPresence(text);
        else this.imports.presence(parsed.board, ...presenceOf(text));
      } else if (isOwn) {
        this.exports.heard(parsed.id, Buffer.from(payload).toString("utf8"));
      } else {
        this.told(parsed.board, parsed.id, payload);
      }
    } catch (error) {
      if (error instanceof AnnouncementError) {
        this.dropped.add("not understood");
        this.complaints.add(() => `Topic ${show(topic)} ignored: ${error.message}.`);
      } else logStack(this.context.log, `Topic ${show(topic)}`, error);
    }
  }

  /** Somebody here publishes it. Whose owner has gone may be taken over by who publishes it on another board. */
  private isLocal({ properties, orphanSince }: ServiceState): boolean {
    return orphanSince === undefined && properties.get(ORIGIN.name)?.includes(this.options.name) !== true;
  }

  private told(board: string, id: bigint, payload: Uint8Array): void {
    let service: FederatedService | undefined;
    try {
      service = payload.length === 0 ? undefined : readRecord(payload);
    } catch (error) {
      this.imports.unusable(board, id);
      throw error;
    }
    this.imports.told(board, id, service, payload.length);
  }

  private tellPresence(): void {
    const { size } = this.exports;
    const result = this.context.publish(this.will.topic, `${this.isComplete ? 1 : 2};${this.start};${size}`);
    if (result === "sent") this.toldSize = size;
    else if (this.isConnected) this.tellPresenceSoon(PRESENCE_TIMES.correctionMs);
  }

  private tellPresenceSoon(delayMs: number): void {
    if (this.presenceTimer && delayMs === PRESENCE_TIMES.countMs) return;
    this.presenceTimer?.cancel();
    this.presenceTimer = this.context.timers.after("federation presence", delayMs, () => {
      this.presenceTimer = undefined;
      this.isCorrecting = false;
      this.tellPresence();
    });
  }

  /**
   * The echo of what we said, which says that the broker has told us all it keeps; or something else. That may be what
   * another broker of a bridge kept of us, an old connection's will, or a rival; which of two rivals is there longer is
   * silent, so that they do not answer each other for ever.
   */
  private ownPresence(text: string): void {
    const [, state, digits] = PRESENCE.exec(text) ?? [];
    const start = digits === undefined ? undefined : Number(digits);
    if (start === this.start) {
      const wasComplete = this.isComplete;
      this.isHeard = true;
      this.exports.synced();
      if (wasComplete && state !== "1") this.correctPresence(); // another broker of a bridge had kept it
      return;
    }
    if (start !== undefined && start > this.start && !this.isRivalTold) {
      this.isRivalTold = true;
      this.context.log.warning(
        () => `Another gateway calls itself ${this.options.board}, too: each needs a name of its own (board).`,
      );
    }
    // Without an echo we would wait for ever.
    if (!this.isComplete || start === undefined || start < this.start) this.correctPresence();
  }

  /** Not at once: somebody may go on to overwrite it. */
  private correctPresence(): void {
    if (this.isCorrecting) return;
    this.isCorrecting = true;
    this.tellPresenceSoon(PRESENCE_TIMES.correctionMs);
  }

  /**
   * Brokers may accept a subscription and deliver nothing, or take a message and drop it, where an access list forbids it;
   * and what is replayed may be dropped where too much of it waits. So it is told again until it comes back.
   */
  private awaitEcho(isTold = false): void {
    this.silenceTimer = this.context.timers.after("federation silence", PRESENCE_TIMES.silenceMs, () => {
      if (this.isHeard) return;
      const isSilent = this.messages === 0;
      if (isSilent && !isTold) this.context.log.warning(() => noEcho(this.will.topic));
      this.messages = 0;
      this.tellPresence();
      this.awaitEcho(isTold || isSilent);
    });
  }

  private replaySoon(): void {
    this.replayTimer ??= this.context.timers.after("federation replay", REPLAY_MS, () => {
      this.replayTimer = undefined;
      this.context.replay();
    });
  }

  /** What a board that is gone for good left with the broker is removed by one of those that are there. */
  private clear(gone: string, ids: readonly bigint[]): void {
    const { board } = this.options;
    if (!this.isConnected || responsible([board, ...this.imports.present], gone) !== board) return;
    this.context.log.info(() => `Removing what the broker keeps of ${gone}, which is long gone.`);
    const topics = [...ids.map((id) => this.topics.service(gone, id)), this.topics.presence(gone)];
    for (const topic of topics) this.clearing.push({ of: gone, topic });
    this.clearSome();
  }

  private clearSome(): void {
    this.clearTimer?.cancel();
    this.clearTimer = undefined;
    const back = new Set(this.imports.present);
    this.clearing = this.clearing.filter(({ of }) => !back.has(of));
    let sent = 0;
    for (const { topic } of this.clearing.slice(0, CLEARED_PER_SECOND)) {
      if (this.context.publish(topic, "") === "not-connected") break;
      sent++;
    }
    this.clearing.splice(0, sent);
    if (this.clearing.length === 0) return;
    this.clearTimer = this.context.timers.after("federation clearing", 1000, () => this.clearSome());
  }
}

const noEcho = (topic: string) =>
  `What this board writes to ${topic} does not come back from the broker, so nothing is told to other boards: ` +
  "is it allowed to write there, and to read?";

/** What it says of the board, and the number of its services. */
function presenceOf(text: string): ["says-arriving" | "says-complete" | "says-gone", number] {
  if (text === "" || text === GONE) return ["says-gone", 0];
  const [, state, , services] = PRESENCE.exec(text) ?? [];
  if (state === undefined)
    throw new AnnouncementError(`presence ${show(text)}: expected 0, 1;<start>;<services> or 2;…`);
  return [state === "1" ? "says-complete" : "says-arriving", Number(services)];
}
