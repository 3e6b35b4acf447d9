/** Accepting on a listening socket: a few connections per turn, paused and resumed, with a rest when it fails. */

import { getSystemErrorName } from "node:util";
import { WATCH_READABLE, type WatchedSocket } from "./addon.js";
import { fromCode, fromErrno } from "./errors.js";
import type { TransportError } from "./transport.js";

/** As many may wait to be accepted as the kernel's `net.core.somaxconn` allows, up to this. XCM has 32. */
export const BACKLOG = 1_024;
/** Connections accepted per turn of the event loop (pathfinder-protocol.md, 13.2). */
export const ACCEPTS_PER_TURN = 16;
/** How long accepting rests after an error like EMFILE, which would otherwise come back at once for ever. */
const ACCEPT_REST_MS = 200;
/** What accept(2) says of a single connection that has already gone; the next one may be good. */
const OF_ONE_CONNECTION: ReadonlySet<string> = new Set(
  "ECONNABORTED EHOSTDOWN EHOSTUNREACH EINTR ENETDOWN ENETUNREACH ENONET ENOPROTOOPT EPROTO".split(" "),
);

export interface AcceptLoopOptions<Accepted extends object> {
  /** The bound address, for messages. */
  readonly address: string;
  /** Listening; the loop owns it from now on. */
  readonly socket: WatchedSocket;
  /** Takes the next connection from the kernel, or says why not, as -errno. */
  readonly accept: () => Accepted | number;
  /** Called for each accepted connection. If it throws, those that follow wait for the next turn. */
  readonly onAccepted: (accepted: Accepted) => void;
  /**
   * There is no room for a connection (EMFILE, ENOBUFS …), which waits in the kernel. Called once, then not before
   * another one was accepted.
   */
  readonly onAcceptError: (error: TransportError) => void;
  /** Most connections accepted in one turn of the event loop, so that a burst of them does not keep others waiting. */
  readonly perTurn: number;
}

/** Begins to accept at once. Throws a TransportError if the socket cannot be watched; it is closed then. */
export class AcceptLoop<Accepted extends object> {
  readonly #options: AcceptLoopOptions<Accepted>;
  #paused = false;
  #closed = false;
  #failing = false;
  #rest: NodeJS.Timeout | undefined;

  constructor(options: AcceptLoopOptions<Accepted>) {
    this.#options = options;
    const error = options.socket.start(() => this.#acceptSome());
    if (error < 0) {
      this.close();
      throw fromErrno(error, options.address);
    }
    this.#watch();
  }

  /** Takes effect at once, also within `onAccepted`: what was not accepted yet waits in the kernel. */
  pause(): void {
    this.#paused = true;
    this.#watch();
  }

  resume(): void {
    this.#paused = false;
    this.#watch();
  }

  /** Connections that were not accepted are reset by the kernel. Twice is harmless. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#rest);
    this.#options.socket.close();
  }

  #watch(): void {
    if (!this.#closed) this.#options.socket.watch(this.#paused || this.#rest !== undefined ? 0 : WATCH_READABLE);
  }

  #acceptSome(): void {
    const { accept, onAccepted, perTurn } = this.#options;
    for (let i = 0; i < perTurn && !this.#paused && !this.#closed; i++) {
      const accepted = accept();
      if (typeof accepted !== "number") {
        this.#failing = false;
        onAccepted(accepted);
        continue;
      }
      const code = getSystemErrorName(accepted); // most turns end with EAGAIN: too often for an Error and its stack
      if (OF_ONE_CONNECTION.has(code)) continue;
      // Linux looks for a free descriptor first, and says EMFILE also when nobody waits. Only the first accept of a turn
      // is for somebody.
      if (code !== "EAGAIN" && i === 0) this.#restAfter(fromCode(code, `${this.#options.address}: accept`));
      return;
    }
  }

  #restAfter(error: TransportError): void {
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      this.#watch();
    }, ACCEPT_REST_MS);
    this.#watch();
    if (this.#failing) return;
    this.#failing = true;
    this.#options.onAcceptError(error);
  }
}
