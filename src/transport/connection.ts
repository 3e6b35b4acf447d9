/** What connections over any kind of socket have in common: an owner, turns of the outbox, and one end. */

import { type Outbox, Outlet } from "./outbox.js";
import {
  type Connection,
  type ConnectionListener,
  MAX_MESSAGE_LENGTH,
  type PeerCredentials,
  TransportError,
  type TransportName,
} from "./transport.js";

/** Owner of a connection until it has one. */
const NOBODY: ConnectionListener = { onMessage() {}, onDrain() {}, onClose() {} };

export abstract class BaseConnection extends Outlet implements Connection {
  abstract readonly transport: TransportName;
  abstract readonly localAddress: string;
  abstract readonly remoteAddress: string;
  abstract readonly credentials: PeerCredentials | undefined;
  abstract readonly queuedMessages: number;
  abstract readonly queuedBytes: number;
  maxMessageLength = MAX_MESSAGE_LENGTH;
  protected readonly outbox: Outbox;
  protected owner: ConnectionListener = NOBODY;
  protected paused = false;
  protected ended = false;

  constructor(outbox: Outbox) {
    super();
    this.outbox = outbox;
  }

  get subjectKeyId(): Uint8Array | undefined {
    return undefined;
  }

  /** Names the owner and begins to read. Once, right after the connection was made. */
  open(owner: ConnectionListener): void {
    this.owner = owner;
    if (!this.ended) this.readingChanged();
  }

  /** The same for an accepted connection, whose owner `onConnection` names. If that throws, the connection is closed. */
  openWith(onConnection: (connection: Connection) => ConnectionListener): void {
    let owner: ConnectionListener | undefined;
    try {
      owner = onConnection(this);
    } finally {
      if (owner === undefined) this.close();
    }
    this.open(owner);
  }

  pauseReading(): void {
    if (this.paused) return;
    this.paused = true;
    if (!this.ended) this.readingChanged();
  }

  resumeReading(): void {
    if (!this.paused) return;
    this.paused = false;
    if (!this.ended) this.readingChanged();
  }

  close(): void {
    this.end(undefined);
  }

  abstract setKeepalive(on: boolean): void;

  /** `paused` has another value now, or the connection was opened. */
  protected abstract readingChanged(): void;
  /** Lets go of the socket and of everything queued. Called once. */
  protected abstract release(): void;

  /** Ends the connection for whatever reason. The owner hears of it in a turn of its own, so never from within a call. */
  protected end(error: TransportError | undefined): void {
    if (this.ended) return;
    this.ended = true;
    this.release();
    queueMicrotask(() => this.inTurn(() => this.owner.onClose(error)));
  }

  protected inTurn(call: () => void): void {
    this.outbox.enter();
    try {
      call();
    } finally {
      this.outbox.leave();
    }
  }

  protected tooLong(length: number): TransportError {
    return new TransportError(
      "EPROTO",
      `${this.remoteAddress}: message of ${length} bytes (at most ${this.maxMessageLength} accepted)`,
    );
  }
}
