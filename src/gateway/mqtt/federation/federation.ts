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
import { ORIGIN, readRecord } from "./record.js";
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
}

/** A presence: `1;<start>;<services>` is complete, `2;…` has only just come, `0` (its will) is gone. */
const PRESENCE = /^([12]);([0-9]{1,12});[0-9]{1,9}$/;
const GONE = "0";

/** Between two presences, when the broker has another one of this board. */
const TELL_AGAIN_MS = 1000;

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
  private isRivalTold = false;
  private again: Timer | undefined;
  private clearing: string[] = [];
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
        this.exports.match(match);
      };
      this.subscriptions = [directory.subscribe(undefined, both)];
    } else {
      const exported = directory.subscribe(filter, (match) => this.exports.match(match));
      this.subscriptions = [exported, directory.subscribe(undefined, noteLocal)];
    }
  }

  /** The broker is there, and nothing has been subscribed to yet: our own presence comes back behind all that it keeps. */
  connected(): void {
    this.isConnected = true;
    this.isComplete = false;
    this.imports.connected();
    this.exports.connected();
    this.tellPresence();
  }

  disconnected(): void {
    this.isConnected = false;
    this.cancelAgain();
    this.exports.disconnected();
    this.imports.disconnected();
  }

  /** Before the connection is closed: tells that this board leaves. What it published stays in the directory. */
  stop(): void {
    if (this.isConnected) this.context.publish(this.will.topic, GONE);
    for (const subscription of this.subscriptions) subscription.cancel();
    this.subscriptions = [];
    this.cancelAgain();
    this.exports.stop();
    this.imports.stop();
    this.clearTimer?.cancel();
  }

  /** Takes in one message; whatever it is, it costs nothing but itself. */
  message(topic: string, payload: Uint8Array): void {
    try {
      const parsed = this.topics.parse(topic);
      if (parsed.kind === "foreign") throw new AnnouncementError(parsed.reason);
      const isOwn = parsed.board === this.options.board;
      if (parsed.kind === "presence") {
        const text = Buffer.from(payload.subarray(0, 40)).toString("latin1");
        if (isOwn) this.ownPresence(text);
        else this.imports.presence(parsed.board, presenceOf(text));
      } else if (isOwn) {
        this.exports.heard(parsed.id, Buffer.from(payload).toString("utf8"));
      } else {
        this.imports.told(parsed.board, parsed.id, payload.length === 0 ? undefined : readRecord(payload));
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

  private tellPresence(): void {
    const state = this.isComplete ? 1 : 2;
    this.context.publish(this.will.topic, `${state};${this.start};${this.exports.size}`);
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
      this.exports.synced();
      if (this.isComplete && state !== "1") this.tellAgain();
      return;
    }
    if (start !== undefined && start > this.start && !this.isRivalTold) {
      this.isRivalTold = true;
      this.context.log.warning(
        () => `Another gateway calls itself ${this.options.board}, too: each needs a name of its own (board).`,
      );
    }
    // Without an echo we would wait for ever.
    if (!this.isComplete || start === undefined || start < this.start) this.tellAgain();
  }

  private tellAgain(): void {
    this.again ??= this.context.timers.after("federation presence", TELL_AGAIN_MS, () => {
      this.again = undefined;
      this.tellPresence();
    });
  }

  private cancelAgain(): void {
    this.again?.cancel();
    this.again = undefined;
  }

  /** What a board that is gone for good left with the broker is removed by one of those that are there. */
  private clear(gone: string, ids: readonly bigint[]): void {
    const { board } = this.options;
    if (!this.isConnected || responsible([board, ...this.imports.present], gone) !== board) return;
    this.context.log.info(() => `Removing what the broker keeps of ${gone}, which is long gone.`);
    this.clearing.push(...ids.map((id) => this.topics.service(gone, id)), this.topics.presence(gone));
    this.clearSome();
  }

  private clearSome(): void {
    this.clearTimer?.cancel();
    this.clearTimer = undefined;
    for (const topic of this.clearing.splice(0, CLEARED_PER_SECOND)) this.context.publish(topic, "");
    if (this.clearing.length === 0) return;
    this.clearTimer = this.context.timers.after("federation clearing", 1000, () => this.clearSome());
  }
}

function presenceOf(text: string): "says-arriving" | "says-complete" | "says-gone" {
  if (text === "" || text === GONE) return "says-gone";
  const [, state] = PRESENCE.exec(text) ?? [];
  if (state === undefined)
    throw new AnnouncementError(`presence ${show(text)}: expected 0, 1;<start>;<services> or 2;…`);
  return state === "1" ? "says-complete" : "says-arriving";
}
