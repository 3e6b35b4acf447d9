/**
 * Flow control of one connection (pathfinder-protocol.md, 13.1): what it asked for is made as fast as it reads, and
 * while too much waits for it to read, nothing is read from it.
 */

import type { Connection } from "../transport/transport.js";
import type { Listing } from "./listing.js";

/** While so many messages wait for the peer to read, nothing is read from it and no listing goes on. */
const MAX_QUEUED_MESSAGES = 128;

export class FlowControl {
  /** Answers in progress, first come first served; meanwhile nothing is read. */
  private readonly listings: Listing[] = [];
  private paused = false;
  private closed = false;

  constructor(private readonly transport: Connection) {}

  /** Begins an answer of many messages. */
  list(listing: Listing): void {
    this.listings.push(listing);
    this.proceed();
  }

  /** HOT: a message has been answered. */
  answered(): void {
    if (this.transport.queuedMessages >= MAX_QUEUED_MESSAGES) this.pause();
  }

  /** The peer has read: goes on with what waited for that; reads on when nothing does. */
  proceed(): void {
    while (!this.closed && this.listings.length > 0) {
      if (this.transport.queuedMessages >= MAX_QUEUED_MESSAGES) {
        this.pause();
        return;
      }
      if (!this.listings[0].step()) this.listings.shift();
    }
    if (!this.closed && this.paused && this.transport.queuedMessages < MAX_QUEUED_MESSAGES) {
      this.paused = false;
      this.transport.resumeReading();
    }
  }

  /** The connection has ended. */
  close(): void {
    this.closed = true;
    for (const listing of this.listings) listing.close();
    this.listings.length = 0;
  }

  private pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.transport.pauseReading();
  }
}
