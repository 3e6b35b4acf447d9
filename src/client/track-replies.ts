/** The signs of life of a session that go back and forth in its track transaction (pathfinder-protocol.md, 6.2). */

import { ProtocolError } from "../wire/protocol-error.js";

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Who waits for the server's replies to our queries, and how many of our replies wait for the server to read them. */
export class TrackReplies {
  /** Oldest first. */
  private waiting: Waiting[] = [];
  private unread = 0;

  /** A query was sent; resolves with its reply. */
  expect(): Promise<void> {
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** A reply came. Throws a `ProtocolError` if nobody waits for it. */
  came(): void {
    const oldest = this.waiting.shift();
    if (!oldest) throw new ProtocolError("track: a reply that was not asked for");
    oldest.resolve();
  }

  /**
   * We are about to reply. Returns how many replies may lie unread then; 0 if the kernel has taken all that was sent. (The
   * server may not ask again before it has our reply, so an honest one never lets more than one lie.)
   */
  unreadWith(queuedMessages: number): number {
    this.unread = queuedMessages === 0 ? 0 : this.unread + 1;
    return this.unread;
  }

  failAll(error: Error): void {
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}
