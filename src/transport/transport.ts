/**
 * What every transport offers, whatever the socket below it: messages in, messages out, back-pressure, an end.
 * The wire behaviour is that of xcm-transports.md; the implementations are seqpacket.ts (`ux`, `uxf`), tcp.ts
 * and tls.ts.
 */

import type { Outbox } from "./outbox.js";

/** Longest message a Pathfinder peer can read (pathfinder-protocol.md, 2.1). Longer ones end the connection. */
export const MAX_MESSAGE_LENGTH = 65_535;

/** A `utls` connection is a `ux` or a `tls` one. */
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
   * The subjectKeyIdentifier of the peer's certificate as it stands there, usually 20 bytes; empty if the certificate
   * has none. Undefined before the handshake is done, which is before the first message, and on other transports.
   */
  readonly subjectKeyId: Uint8Array | undefined;
  /** Messages (and their bytes) that were flushed but that the kernel did not yet take. */
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  /**
   * Longest message that is taken from the peer, MAX_MESSAGE_LENGTH at first; a longer one ends the connection. On byte
   * streams it bounds what one message that is not complete yet may hold.
   */
  maxMessageLength: number;
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

/**
 * Names of PEM files, as XCM's `tls.*_file` attributes. What is absent comes from the directory that the environment
 * variable XCM_TLS_CERT names, else from /etc/xcm/tls (xcm-transports.md, 5.3). Files are read again for each new
 * connection if they have changed.
 */
export interface TlsFiles {
  /** The certificate, then those of the authorities between it and a root, if any. */
  readonly cert?: string;
  /** Its key, not encrypted. */
  readonly key?: string;
  /** Trusted certificates. */
  readonly tc?: string;
  /** Revocation lists. If given, there must be a valid one for each authority in a peer's chain. */
  readonly crl?: string;
}

export interface ListenOptions {
  readonly outbox: Outbox;
  /**
   * Called for each accepted connection; returns its owner. A `tls` connection has not done its handshake yet: if that
   * fails, or the peer's certificate is refused, `onClose` says why and no message has been delivered.
   */
  readonly onConnection: (connection: Connection) => ConnectionListener;
  /**
   * There is no room for a connection (e.g. EMFILE), which waits in the backlog; accepting is tried again by itself.
   * Called once, then not before another connection was accepted.
   * Also: a `tls` connection was closed because the TLS files cannot be used any more; once, not for each connection.
   */
  readonly onAcceptError: (error: TransportError) => void;
  /** For `tls` and `utls`. */
  readonly tls?: TlsFiles;
  /** A sentence about something that works, but not as the owner may expect. */
  readonly onWarning?: (text: string) => void;
}

/**
 * Which addresses of a name are tried: the first only; all, one after the other; or IPv6 and IPv4 in two tracks of which
 * IPv4 begins 200 ms later, and the first connection wins. Not more than 32 addresses of a name are looked at.
 */
export type DnsAlgorithm = "single" | "sequential" | "happy_eyeballs";

export interface ConnectOptions {
  readonly outbox: Outbox;
  readonly listener: ConnectionListener;
  /** Per address tried, and once more for the TLS handshake; XCM's default is 3 s. */
  readonly connectTimeoutMs?: number;
  /** For `tls` and `utls`. */
  readonly tls?: TlsFiles;
  readonly signal?: AbortSignal;
  /** For names of TCP-based addresses. XCM's `dns.algorithm`, whose default is `single`; here it is `sequential`. */
  readonly algorithm?: DnsAlgorithm;
  /**
   * The address to connect from, with the transport of the address to connect to (XCM's `xcm.local_addr`): `EINVAL` if it
   * is another, `EACCES` with `ux` and `uxf`. Of a name, only addresses of the same family are tried. With `utls` it
   * concerns the network half only.
   */
  readonly localAddress?: string;
  /**
   * The name, below /run/netns, of the network namespace to connect from; needs the addon and CAP_SYS_ADMIN (`EPERM`).
   * Names are resolved in the process's own.
   */
  readonly networkNamespace?: string;
  /** How names are resolved: IP addresses, the best first. Default: by the system. */
  readonly resolveName?: (name: string, signal: AbortSignal) => Promise<readonly string[]>;
}
