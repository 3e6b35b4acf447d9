/**
 * Flow control of one connection (pathfinder-protocol.md, 13.1): what it asked for is made as fast as it reads, while
 * too much waits for it to read, nothing is read from it, and it takes turns with the others.
 */

import type { Connection } from "../transport/transport.js";
import type { Listing } from "./listing.js";
import { Turn, type Turns, type Waiting } from "./turns.js";

/** While so much waits for the peer to read, nothing is read from it and no listing goes on. */
const MAX_QUEUED_MESSAGES = 128;
const MAX_QUEUED_BYTES = 256 * 1024;

export interface FlowOwner {
  /** The connection's turn has come again; the message that it put off, if any, is to be processed now. */
  onTurn(putOff: Uint8Array | undefined): void;
  /** What `onTurn`, or an answer that goes on then, throws. */
  onError(error: unknown): void;
}

export class FlowControl {
  /** Answers in progress, first come first served; meanwhile nothing is read. */
  private readonly listings: Listing[] = [];
  private readonly turn: Turn;
  /** Its place among those that wait for their next turn. */
  private waiting: Waiting | undefined;
  /** A message that is put off until then. */
  private putOff: Uint8Array | undefined;
  private paused = false;
  private closed = false;

  constructor(
    private readonly transport: Connection,
    private readonly turns: Turns,
    private readonly owner: FlowOwner,
  ) {
    this.turn = new Turn(turns);
  }

  /** Begins an answer of many messages. */
  list(listing: Listing): void {
    this.listings.push(listing);
    this.proceed();
  }

  /** HOT: a message has arrived, and is about to be answered. */
  received(nowMs: number): void {
    this.turn.begin(nowMs);
  }

  /** HOT: a message has been answered. */
  answered(nowMs: number): void {
    const restMs = this.turn.restMs(nowMs);
    if (restMs >= 0) this.waitForTurn(restMs);
    else if (this.isFull) this.pause();
  }

  /**
   * Puts off a message that may take long, if others have just taken long: false if it is to be processed now. Nothing
   * more is read until its turn comes.
   */
  postpone(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.turns.crowded) return false;
    this.putOff = bytes.slice(start, end);
    this.waitForTurn(0);
    return true;
  }

  /** Nothing is read from the peer at the moment because others have their turn: its silence is not its own. */
  get waitsForTurn(): boolean {
    return this.waiting !== undefined;
  }

  /** The peer has read, or it is this connection's turn: goes on with what waited for that; reads on after it. */
  proceed(): void {
    if (this.waiting) return;
    while (!this.closed && this.listings.length > 0) {
      if (this.isFull) {
        this.pause();
        return;
      }
      const nowMs = this.turns.clock.monotonicMs();
      this.turn.begin(nowMs);
      const restMs = this.turn.restMs(nowMs);
      if (restMs >= 0) {
        this.waitForTurn(restMs);
        return;
      }
      if (!this.listings[0].step()) this.listings.shift();
    }
    if (!this.closed && this.paused && !this.isFull) {
      this.paused = false;
      this.transport.resumeReading();
    }
  }

  /** The connection has ended. */
  close(): void {
    this.closed = true;
    this.putOff = undefined;
    if (this.waiting) this.turns.cancel(this.waiting);
    for (const listing of this.listings) listing.close();
    this.listings.length = 0;
  }

  private get isFull(): boolean {
    const { queuedMessages } = this.transport;
    return (
      queuedMessages >= MAX_QUEUED_MESSAGES || (queuedMessages > 0 && this.transport.queuedBytes >= MAX_QUEUED_BYTES)
    );
  }

  private waitForTurn(restMs: number): void {
    this.pause();
    this.turns.ended(restMs);
    this.waiting ??= this.turns.later(() => {
      this.waiting = undefined;
      this.turn.renew();
      const { putOff } = this;
      this.putOff = undefined;
      try {
        this.owner.onTurn(putOff);
        this.proceed();
      } catch (error) {
        this.owner.onError(error);
      }
    }, restMs);
  }

  private pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.transport.pauseReading();
  }
}
