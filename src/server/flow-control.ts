/**
 * Flow control of one connection (pathfinder-protocol.md, 13.1): what it asked for is made as fast as it reads, while
 * too much waits for it to read, nothing is read from it, and it takes turns with the others.
 */

import type { Connection } from "../transport/transport.js";
import type { Listing } from "./listing.js";
import { TURN_MS, Turn, type Turns, type Waiting } from "./turns.js";

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
  /** Its last request that may take long did. */
  private isDear = false;
  /** Such a request is being processed. */
  private onTrial = false;
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
    const overMs = this.turn.overMs(nowMs);
    if (this.onTrial) {
      this.onTrial = false;
      this.isDear = overMs > TURN_MS;
      if (this.isDear) this.turns.tookLong(overMs);
    }
    if (overMs > 0) this.waitForTurn();
    else if (this.isFull) this.pause();
  }

  /**
   * A message that may take long has arrived. If others have just taken long, or those like this one have to rest, it is
   * put off, nothing more is read until its turn comes, and the result is true; false if it is to be processed now.
   */
  postpone(bytes: Uint8Array, start: number, end: number): boolean {
    this.onTrial = true;
    if (!this.turns.crowded && !(this.isDear && this.turns.dearRest)) return false;
    this.onTrial = false;
    this.putOff = bytes.slice(start, end);
    this.waitForTurn();
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
      if (this.turn.overMs(nowMs) > 0) {
        this.waitForTurn();
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

  private waitForTurn(): void {
    if (this.closed) return;
    this.pause();
    this.waiting ??= this.turns.later(() => {
      this.waiting = undefined;
      this.turn.renew();
      const { putOff } = this;
      this.putOff = undefined;
      this.onTrial = putOff !== undefined;
      try {
        this.owner.onTurn(putOff);
        this.proceed();
      } catch (error) {
        this.owner.onError(error);
      }
    }, this.isDear);
  }

  private pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.transport.pauseReading();
  }
}
