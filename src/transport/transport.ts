/**
 * What every transport offers, whatever the socket below it: messages in, messages out, back-pressure, an end.
 * The wire behaviour is that of xcm-transports.md; the implementations are seqpacket.ts (`ux`, `uxf`) and tcp.ts.
 */

import type { Outbox } from "./outbox.js";

/** Longest message a Pathfinder peer can read (pathfinder-protocol.md, 2.1). Longer ones end the connection. */
export const MAX_MESSAGE_LENGTH = 65_535;

export type TransportName = "ux" | "uxf" | "tcp" | "tls";

/** Why a socket could not be made or did not last. `code` is the errno name XCM would give, e.g. `EADDRINUSE`. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The owner of a connection; its methods are called from within the transport's turn (see Outbox). */
export interface ConnectionListener {
  /** One message, 1 … MAX_MESSAGE_LENGTH bytes: `bytes[start … end)`. The bytes are valid only during the call. */
  onMessage(bytes: Uint8Array, start: number, end: number): void;
  /** Everything that was queued for this connection has been taken by the kernel. */
  onDrain(): void;
  /**
   * The connection has ended: exactly once, also after `close()`, but never from within it. `error` is absent if the
   * peer closed in order or `close()` was called. Messages that arrived before the end have been delivered.
   */
  onClose(error: TransportError | undefined): void;
}

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** One connection. Messages are sent through the Outbox it was made with. */
export interface Connection {
  readonly transport: TransportName;
  /** As XCM prints them (xcm-transports.md, 1.4), e.g. `ux:037c5`, `tcp:[::1]:4711`. */
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** Of the peer process at connect; only on `ux` and `uxf`. */
  readonly credentials: PeerCredentials | undefined;
  /**
   * The subject key identifier of the peer's certificate, empty if the certificate has none. Only on `tls`, and only
   * once the handshake is done.
   */
  readonly subjectKeyId: Uint8Array | undefined;
  /** Messages (and their bytes) that were flushed but that the kernel did not yet take. */
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  /**
   * Stops and resumes `onMessage`. Delivery stops at once, also in the middle of a batch: the rest of it is kept and
   * delivered after resuming (never from within `resumeReading`). Nothing more is read while paused, so the end of the
   * connection is not noticed either, except that `onClose` follows a `close()`.
   */
  pauseReading(): void;
  resumeReading(): void;
  /** TCP keepalive on or off (xcm-transports.md, 4.3). No effect on UNIX sockets. */
  setKeepalive(on: boolean): void;
  /** Ends the connection at once; what is still queued is lost. Twice is harmless. */
  close(): void;
}

/** A listening socket. */
export interface Listener {
  /** The address really bound, as XCM prints it (port 0 replaced by the one the kernel chose). */
  readonly address: string;
  /** While paused, new connections wait in the backlog: their peers connect but get no answer. */
  pauseAccepting(): void;
  resumeAccepting(): void;
  /** Stops listening and removes a `uxf` socket file. Connections already accepted stay. Twice is harmless. */
  close(): void;
}

export interface ListenOptions {
  readonly outbox: Outbox;
  /** Called for each accepted connection; returns its owner. */
  readonly onConnection: (connection: Connection) => ConnectionListener;
  /** Accepting failed for one connection (e.g. EMFILE); the listener stays good. */
  readonly onAcceptError: (error: TransportError) => void;
}

export interface ConnectOptions {
  readonly outbox: Outbox;
  readonly listener: ConnectionListener;
  /** Per address tried; XCM's default is 3 s. */
  readonly connectTimeoutMs?: number;
  readonly signal?: AbortSignal;
}
