/** The track transaction of a connection (pathfinder-protocol.md, 6.2 and 9.5): one question at a time, and how long it took. */

import { ProtocolError } from "../wire/protocol-error.js";

export class Tracking {
  /** Between the last question that was answered and its answer. */
  latencySeconds: number | undefined;
  private askedAtMs: number | undefined;

  constructor(
    readonly taHi: number,
    readonly taLo: number,
  ) {}

  /** False if a question is still unanswered, so that none is to be asked now. */
  ask(nowMs: number): boolean {
    if (this.askedAtMs !== undefined) return false;
    this.askedAtMs = nowMs;
    return true;
  }

  /** The client has replied. Throws a `ProtocolError` if it was not asked. */
  replied(nowMs: number): void {
    if (this.askedAtMs === undefined) throw new ProtocolError("track reply without a query");
    this.latencySeconds = (nowMs - this.askedAtMs) / 1000;
    this.askedAtMs = undefined;
  }
}
