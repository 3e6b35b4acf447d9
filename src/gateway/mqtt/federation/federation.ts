/**
 * One board's part in a federation: several boards, one directory, joined by a broker that keeps what each board tells.
 *
 * Knows no broker library: messages come in through `message`, and go out through `publish`.
 */

import type { Clock, Random, Timer, Timers } from "../../../core/clock.js";
import type { Directory, Match, ServiceState, Subscription } from "../../../core/directory-access.js";
import { type Logger, logStack } from "../../../core/log.js";
import { Complaints } from "../../complaints.js";
import { Dropped } from "../../dropped.js";
import { Publications } from "../../publications.js";
import { responsible } from "../../rendezvous.js";
import { AnnouncementError, show } from "../announced.js";
import { Exports, type SendResult } from "./exports.js";
import { Imports } from "./imports.js";
import { OwnPresence } from "./own-presence.js";
import { farewellOf, instanceOf, readWord, WORD_BYTES } from "./presence.js";
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
  /** Least time between two words of this board. */
  readonly heartbeatSeconds: number;
  readonly maxBoards: number;
  readonly maxServicesPerBoard: number;
}

export interface FederationContext {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  /** Sends a retained message; with `expirySeconds` (MQTT 5 only) nobody gets it later than that. */
  readonly publish: (topic: string, payload: string, expirySeconds?: number) => SendResult;
  /** Has the broker tell once more what it keeps of the boards' services. */
  readonly replay: () => void;
}

/** Boards that were not heard completely share a replay. */
const REPLAY_MS = 1000;

/** Messages a second with which the leftovers of a board that is gone for good are removed. */
const CLEARED_PER_SECOND = 50;

/**
 * A bridge that was cut for so long keeps them in its queue, and hands them on when it is mended: to the board itself, which
 * has only been cut off, and to all that show what it tells.
 */
const CLEARING_EXPIRES_SECONDS = 60;

export class Federation {
  readonly topics: FederationTopics;
  readonly dropped = new Dropped();
  /** Tells this process from all others, also of boards with the same name. */
  readonly instance: string;
  /** To be left with the broker, for the case that this board is lost. */
  readonly will: { readonly topic: string; readonly payload: string };
  private readonly exports: Exports;
  private readonly imports: Imports;
  private readonly complaints: Complaints;
  private readonly presence: OwnPresence;
  private subscriptions: Subscription[] = [];
  private isConnected = false;
  private isStopped = false;
  private replayTimer: Timer | undefined;
  private clearing: { readonly of: string; readonly topic: string }[] = [];
  private clearTimer: Timer | undefined;

  /** Throws a `RangeError` for a root that cannot be one. */
  constructor(
    private readonly options: FederationOptions,
    private readonly context: FederationContext,
  ) {
    const { name, board, root, heartbeatSeconds, maxBoards, maxServicesPerBoard } = options;
    const { directory, clock, timers, random, log, publish } = context;
    const { dropped } = this;
    this.topics = federationTopics(root, name);
    const instance = instanceOf(random);
    this.instance = instance;
    this.will = { topic: this.topics.presence(board), payload: farewellOf(instance) };
    this.complaints = new Complaints(clock, log);
    this.exports = new Exports({
      ...{ name, board, clock, timers, dropped, limit: maxServicesPerBoard },
      onHeld: (id) => this.complaints.add(() => `Service ${id.toString(16)} changes all the time; held for a minute.`),
      publish: (id, payload) => publish(this.topics.service(board, id), payload),
      onComplete: () => {
        this.presence.complete();
        log.info(() => `${this.exports.size} services told to the other boards.`);
      },
    });
    this.presence = new OwnPresence({
      ...{ topic: this.will.topic, board, instance, heartbeatSeconds, publish, clock, timers, log },
      size: () => this.exports.size,
      boards: () => this.imports.present.length,
      onHeard: () => this.exports.synced(),
      onListened: (ms) => this.imports.listened(ms),
      onYield: () => this.exports.pause(),
    });
    const limit = maxBoards * maxServicesPerBoard;
    this.imports = new Imports({
      ...{ name, board, clock, timers, dropped, maxBoards, maxServicesPerBoard },
      publications: new Publications({
        ...{ directory, clock, timers, log, limit },
        yieldsTo: (present) => this.isLocal(present),
      }),
      isLeftover: (id) => this.exports.isLeftover(id),
      onForgotten: (gone, ids) => this.clear(gone, ids),
      onSilent: (silent) =>
        log.warning(() => `Nothing new is heard of board ${silent}: what it had told runs out with its TTL.`),
      onMissed: () => this.replaySoon(),
      onIncomplete: (from, heard, claims) =>
        log.warning(
          () =>
            `The broker told ${heard} of the ${claims} services of ${from}: ` +
            "does it keep fewer messages for a client (mosquitto: max_queued_messages)?",
        ),
    });
  }

  /** The broker takes what this board says, and tells what the others do. */
  get isHeard(): boolean {
    return this.presence.isHeard;
  }

  get counts(): Readonly<Record<string, number>> {
    return { boards: this.imports.present.length, imported: this.imports.size, exported: this.exports.size };
  }

  /** Begins to follow the directory. Throws a `FilterSyntaxError`. */
  follow(): void {
    const { directory } = this.context;
    const { filter } = this.options;
    const noteLocal = (match: Match) => {
      if (match.type === "disappeared") this.imports.localGone(match.serviceId);
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
    this.presence.look();
  }

  /** The broker is there, and nothing has been subscribed to yet: our own presence comes back behind all that it keeps. */
  connected(): void {
    if (this.isStopped) return;
    this.isConnected = true;
    this.imports.connected();
    this.exports.connected();
    this.presence.connected();
  }

  disconnected(): void {
    this.isConnected = false;
    this.clearing = [];
    this.cancelTimers();
    this.presence.disconnected();
    this.exports.disconnected();
    this.imports.disconnected();
  }

  /** Before the connection is closed: tells that this board leaves. What it published stays in the directory. */
  stop(): void {
    this.isStopped = true;
    this.presence.leave();
    for (const subscription of this.subscriptions) subscription.cancel();
    this.subscriptions = [];
    this.exports.stop();
    this.imports.stop();
    this.cancelTimers();
  }

  private cancelTimers(): void {
    this.replayTimer?.cancel();
    this.clearTimer?.cancel();
    this.replayTimer = this.clearTimer = undefined;
  }

  /**
   * Takes in one message; whatever it is, it costs nothing but itself. `isKept`: the broker says that it had kept it before we
   * subscribed.
   */
  message(topic: string, payload: Uint8Array, isKept: boolean): void {
    if (this.isStopped) return;
    this.presence.noteMessage();
    try {
      const parsed = this.topics.parse(topic);
      if (parsed.kind === "foreign") throw new AnnouncementError(parsed.reason);
      const isOwn = parsed.board === this.options.board;
      if (parsed.kind === "presence") {
        const text = Buffer.from(payload.subarray(0, WORD_BYTES)).toString("latin1");
        if (isOwn) this.presence.heard(text);
        else this.imports.presence(parsed.board, readWord(text), isKept);
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
      if (this.context.publish(topic, "", CLEARING_EXPIRES_SECONDS) === "not-connected") break;
      sent++;
    }
    this.clearing.splice(0, sent);
    if (this.clearing.length === 0) return;
    this.clearTimer = this.context.timers.after("federation clearing", 1000, () => this.clearSome());
  }
}
