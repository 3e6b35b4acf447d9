/**
 * What the other boards of a federation tell, brought into this board's directory. Of one service that several boards
 * tell, the board whose name comes first counts, so that no two boards disagree; what the directory has from elsewhere
 * is left alone, and what the federation has of it waits in its shadow.
 */

import type { Clock, Timers } from "../../../core/clock.js";
import type { Dropped } from "../../dropped.js";
import type { Publications } from "../../publications.js";
import { BOARD, type BoardEffect, type BoardInput } from "./boards.js";
import type { Liveness } from "./liveness.js";
import { OtherBoard } from "./other-board.js";
import type { Farewell, Word } from "./presence.js";
import { type FederatedService, isGatewayState, withOrigin } from "./record.js";

export const IMPORT_TIMES = {
  /** From a will (or the loss of our broker) until the board's services become orphans. */
  graceMs: 10_000,
  /** From the presence that says "that is all" until what was not told is withdrawn. */
  settleMs: 5_000,
  /** How long a board that we have heard less of than it has may take to tell the rest, or to correct its number. */
  doubtMs: 15_000,
  /** Least time between two replays for the sake of one board: the broker tells everything, of all boards. */
  askMs: 600_000,
  /** A board that is gone for longer is forgotten. */
  forgetMs: 3_600_000,
} as const;

export interface ImportsOptions {
  /** Of the federation, and of this board. */
  readonly name: string;
  readonly board: string;
  readonly publications: Publications;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly dropped: Dropped;
  readonly maxBoards: number;
  readonly maxServicesPerBoard: number;
  /** The broker keeps it of a former life of this board, and the others take it for ours still. */
  readonly isLeftover: (id: bigint) => boolean;
  /** A board has been gone for so long that the broker need not keep anything of it; `ids`: of its services. */
  readonly onForgotten: (board: string, ids: readonly bigint[]) => void;
  /** Nothing new is heard of a board: its services are orphans now. */
  readonly onSilent: (board: string) => void;
  /** Less was heard of a board than it has: the broker shall tell once more what it keeps. */
  readonly onMissed: () => void;
  /** That has not helped. */
  readonly onIncomplete: (board: string, heard: number, claims: number) => void;
}

export class Imports {
  private readonly boards = new Map<string, OtherBoard>();
  /** Which boards tell a service. */
  private readonly tellers = new Map<bigint, Set<OtherBoard>>();
  /** Boards that were forgotten, and when we heard of them: what the broker still keeps of them is no news. */
  private readonly forgotten = new Map<string, Liveness>();
  /** Services that the directory has from elsewhere. */
  private readonly local = new Set<bigint>();
  /** What we published, and from which board. */
  private readonly shown = new Map<bigint, OtherBoard>();
  private connection = 0;

  constructor(private readonly options: ImportsOptions) {}

  get size(): number {
    return this.shown.size;
  }

  /** Names of the boards that are there (this one not counted). */
  get present(): string[] {
    return [...this.boards.values()].filter(({ isThere }) => isThere).map(({ name }) => name);
  }

  connected(): void {
    this.connection++;
    for (const board of this.boards.values()) board.connected();
  }

  /** What is shown stays for a while: the broker may be back in a moment. */
  disconnected(): void {
    for (const board of [...this.boards.values()]) this.happen(board, "broker-lost");
  }

  /** Leaves everything as it is, with no timer left. */
  stop(): void {
    for (const { timer } of this.boards.values()) timer?.cancel();
    this.options.publications.stop();
    this.boards.clear();
  }

  /** The directory has (or has no more) a service from elsewhere than this federation. */
  localService(id: bigint, isThere: boolean): void {
    if (isThere === this.local.has(id)) return;
    if (isThere) this.local.add(id);
    else this.local.delete(id);
    this.choose(id);
  }

  /** It is gone from the directory, whoever had it: another user's orphan, for one, refuses what the federation has of it. */
  localGone(id: bigint): void {
    this.local.delete(id);
    this.choose(id);
  }

  /** `isKept`: our broker says that it had kept it. */
  presence(name: string, word: Word | Farewell, isKept: boolean): void {
    const isFarewell = word.state === "gone";
    const board = this.boards.get(name) ?? (isFarewell ? undefined : this.create(name));
    if (!board?.liveness.heard(word, isKept)) return;
    const claims = isFarewell ? 0 : word.services;
    const isMereHeartbeat = board.phase === "present" && word.state === "complete" && board.claims === claims;
    if (isMereHeartbeat) return; // and no reason to look whether we have heard everything
    board.claims = claims;
    this.happen(board, `says-${word.state}`);
  }

  /** We have listened to our broker for so long, all the time: who has fallen silent meanwhile is gone. */
  listened(ms: number): void {
    for (const board of this.boards.values()) {
      if ((board.phase !== "arriving" && board.phase !== "present") || !board.liveness.passed(ms)) continue;
      this.happen(board, "silent");
      this.options.onSilent(board.name);
    }
  }

  /** `undefined`: the board does not have it any more. */
  told(name: string, id: bigint, service: FederatedService | undefined, bytes: number): void {
    if (!service) {
      const board = this.boards.get(name);
      if (board) this.untold(board, id);
      return;
    }
    const board = this.acceptable(name, id, service, bytes);
    if (!board) {
      this.unusable(name, id);
      return;
    }
    board.tells(id, service, bytes, this.connection);
    const tellers = this.tellers.get(id);
    if (tellers) tellers.add(board);
    else this.tellers.set(id, new Set([board]));
    this.choose(id);
  }

  /** The board has such a service, but not one that can be shown; what it told of it before is not true any more. */
  unusable(name: string, id: bigint): void {
    const board = this.boards.get(name);
    if (board) this.untold(board, id, true);
  }

  /** The board that tells it; `undefined`: it is dropped. */
  private acceptable(name: string, id: bigint, service: FederatedService, bytes: number): OtherBoard | undefined {
    const { dropped, maxServicesPerBoard } = this.options;
    if (service.via.includes(this.options.board)) {
      dropped.add("came from here");
      return undefined;
    }
    if (service.path.at(-1) !== this.options.name || service.via.at(-1) !== name) {
      dropped.add("its origin contradicts its topic");
      return undefined;
    }
    if (isGatewayState(service)) {
      dropped.add("how a gateway is doing");
      return undefined;
    }
    const board = this.boards.get(name) ?? this.create(name);
    if (!board) return undefined;
    const refusal = board.refusal(id, bytes, maxServicesPerBoard);
    if (refusal === undefined) return board;
    dropped.add(refusal);
    return undefined;
  }

  private untold(board: OtherBoard, id: bigint, isUnusable = false): void {
    if (!board.untells(id, isUnusable)) return;
    const tellers = this.tellers.get(id);
    tellers?.delete(board);
    if (tellers?.size === 0) this.tellers.delete(id);
    this.choose(id);
  }

  private create(name: string): OtherBoard | undefined {
    if (this.boards.size >= this.options.maxBoards) {
      this.options.dropped.add("more boards than the limit");
      return undefined;
    }
    const board = new OtherBoard(name, this.forgotten.get(name));
    this.forgotten.delete(name);
    this.boards.set(name, board);
    this.await(board, IMPORT_TIMES.forgetMs);
    return board;
  }

  private happen(board: OtherBoard, input: BoardInput): void {
    const transition = BOARD[board.phase][input];
    if (!transition) return;
    board.phase = transition.next;
    for (const effect of transition.effects) this.effects[effect](board);
  }

  private readonly effects: Readonly<Record<BoardEffect, (board: OtherBoard) => void>> = {
    show: (board) => {
      for (const id of board.ids) this.choose(id);
    },
    "await-settled": (board) => this.await(board, IMPORT_TIMES.settleMs),
    "await-settled-too": (board) => {
      if (!board.timer) this.await(board, IMPORT_TIMES.settleMs);
    },
    sweep: (board) => this.sweep(board),
    "await-return": (board) => this.await(board, IMPORT_TIMES.graceMs),
    orphan: (board) => {
      board.goneMs = this.options.clock.monotonicMs();
      for (const id of board.ids) this.choose(id);
    },
    "await-forget": (board) => {
      let longestMs: number = IMPORT_TIMES.forgetMs;
      for (const id of board.ids) longestMs = Math.max(longestMs, board.ttlMs(id));
      this.await(board, longestMs);
    },
    forget: (board) => {
      this.boards.delete(board.name);
      this.forgotten.set(board.name, board.liveness);
      if (this.forgotten.size > this.options.maxBoards) this.forgotten.delete(this.forgotten.keys().next().value!);
      const ids = [...board.ids];
      for (const id of ids) this.untold(board, id);
      this.options.onForgotten(board.name, ids);
    },
    "stop-timer": (board) => {
      board.timer?.cancel();
      board.timer = undefined;
    },
  };

  /** Withdraws what the board has not told again; but if we have not heard everything it may be our ears. */
  private sweep(board: OtherBoard): void {
    const { old, heard } = board.inConnection(this.connection);
    if (heard >= board.claims) {
      board.isDoubted = false;
      for (const id of old) this.untold(board, id);
    } else if (!board.isDoubted) {
      board.isDoubted = true;
      this.ask(board);
      this.await(board, IMPORT_TIMES.doubtMs);
    } else if (!board.isIncompleteTold) {
      board.isIncompleteTold = true;
      this.options.onIncomplete(board.name, heard, board.claims);
    }
  }

  /** Not often: a board that claims now more, now fewer than it tells would have the broker repeat everything all the time. */
  private ask(board: OtherBoard): void {
    const nowMs = this.options.clock.monotonicMs();
    if (nowMs - board.askedMs < IMPORT_TIMES.askMs) return;
    board.askedMs = nowMs;
    this.options.onMissed();
  }

  private await(board: OtherBoard, delayMs: number): void {
    board.timer?.cancel();
    // Timers of the event loop end at 2^31 ms; a board that is forgotten a little early does no harm.
    board.timer = this.options.timers.after("federation board", Math.min(delayMs, 2 ** 31 - 1), () => {
      board.timer = undefined;
      this.happen(board, "deadline");
    });
  }

  /**
   * A board that is gone told it, and its TTL has not passed since: that another one untells it is not its end. Nor is it if it
   * does so because we seem to tell it.
   */
  private isOrphanElsewhere(id: bigint): boolean {
    if (this.options.isLeftover(id)) return true;
    const nowMs = this.options.clock.monotonicMs();
    return [...(this.tellers.get(id) ?? [])].some(
      (board) => board.phase === "gone" && nowMs - board.goneMs < board.ttlMs(id),
    );
  }

  /** Makes the directory show the service as the federation has it now. */
  private choose(id: bigint): void {
    const { publications, name } = this.options;
    const before = this.shown.get(id);
    if (this.local.has(id)) {
      // Somebody here publishes it, and owns it now: to unpublish it would take it from them.
      if (before) publications.forget(id);
      this.shown.delete(id);
      return;
    }
    const board = best(this.tellers.get(id));
    if (board) {
      const service = board.service(id)!;
      if (publications.publish(id, service.ttlSeconds, withOrigin(name, service))) this.shown.set(id, board);
      else this.options.dropped.add("more services than the federation's limit");
    } else if (before && (this.tellers.get(id)?.has(before) || this.isOrphanElsewhere(id))) {
      publications.orphan(id);
    } else if (before) {
      this.shown.delete(id);
      publications.withdraw(id);
    }
  }
}

/** The board whose telling counts: of those that are there the first by name; those in grace only if there is no other. */
function best(tellers: ReadonlySet<OtherBoard> | undefined): OtherBoard | undefined {
  const order = (a: OtherBoard, b: OtherBoard) =>
    Number(a.phase === "grace") - Number(b.phase === "grace") || (a.name < b.name ? -1 : 1);
  return [...(tellers ?? [])].filter(({ isThere }) => isThere).sort(order)[0];
}
