/** What the log says about a connection: an operator's vocabulary on one page (pafd-and-pafc.md, 1.5). */

import type { FailReason } from "../core/fail-reason.js";
import { type Logger, logStack, prefixed } from "../core/log.js";

/** Longest part of a message that is logged. */
const LONGEST_TEXT = 4000;

const text = (bytes: Uint8Array, start: number, end: number) =>
  new TextDecoder().decode(bytes.subarray(start, Math.min(end, start + LONGEST_TEXT))) +
  (end - start > LONGEST_TEXT ? "…" : "");

export class ConnectionLog {
  constructor(
    private readonly log: Logger,
    /** `[DOMAIN: ]<CLIENT> ` as it is when the line is written: the client is unknown at first. */
    private readonly who: () => string,
  ) {}

  accepted(address: string): void {
    this.log.info(() => `${this.who()}Accepted a connection from "${address}".`);
  }

  user(user: string): void {
    this.log.info(() => `${this.who()}User id is "${user}".`);
  }

  gone(why: string | undefined): void {
    this.log.info(() => `${this.who()}Disconnected${why === undefined ? "" : `: ${why}`}.`);
  }

  protocolError(problem: string): void {
    this.log.warning(() => `${this.who()}Protocol error, dropping the connection: ${problem}.`);
  }

  refused(command: string, reason: FailReason, detail = ""): void {
    this.log.warning(() => `${this.who()}Refused ${command}: ${reason}${detail && ` (${detail})`}.`);
  }

  /** Whoever lists services with a malformed filter sees the answer; whoever subscribes may wait for ever. */
  malformedServicesFilter(problem: string): void {
    this.log.info(() => `${this.who()}Refused services: ${problem}.`);
  }

  handshake(version: number): void {
    this.log.debug(() => `${this.who()}Handshake completed with protocol version ${version}.`);
  }

  handshakeTimeout(address: string, seconds: number): void {
    this.log.debug(() => `${this.who()}Handshake from "${address}" not completed within ${seconds} s.`);
  }

  tentative(asked: boolean): void {
    this.log.debug(() => `${this.who()}Silent; ${asked ? "asking for a sign of life" : "waiting for a sign of life"}.`);
  }

  idleTimeout(): void {
    this.log.debug(() => `${this.who()}Silent for too long.`);
  }

  latency(seconds: number): void {
    this.log.debug(() => `${this.who()}Track reply after ${(seconds * 1000).toFixed(1)} ms.`);
  }

  /** `problem` begins with the peer's address. */
  refusedByTransport(problem: string): void {
    this.log.warning(() => `${this.who()}Refused: ${problem}.`);
  }

  tooSlow(why: string): void {
    this.log.warning(() => `${this.who()}Does not read what it asked for: ${why}; dropping the connection.`);
  }

  ourBug(error: unknown): void {
    logStack(prefixed(this.log, this.who), "Internal error; only this connection ends", error);
  }

  received(bytes: Uint8Array, start: number, end: number): void {
    this.log.debug(() => `${this.who()}Received ${text(bytes, start, end)}`);
  }

  sent(bytes: Uint8Array, start: number, end: number): void {
    this.log.debug(() => `${this.who()}Sent ${text(bytes, start, end)}`);
  }
}
