/** How a session is made, and how its calls are. */

import type { Outbox } from "../transport/outbox.js";
import type { DnsAlgorithm, TlsFiles } from "../transport/transport.js";
import type { ServerLimits } from "./server-limits.js";

/** How to make a session. */
export interface SessionOptions {
  /** 0 … 2^63-1; no other client of the domain may have it. */
  readonly clientId: bigint;
  /** Range of protocol versions that is offered; default: all that are known, 2 to 3. */
  readonly minVersion?: number;
  readonly maxVersion?: number;
  /** Ends connecting and the handshake; afterwards it has no effect. */
  readonly signal?: AbortSignal;
  /** For each address that is tried, and once more for the TLS handshake; default 3000. */
  readonly connectTimeoutMs?: number;
  /** For `tls` and `utls` addresses. */
  readonly tls?: TlsFiles;
  /**
   * Shared by the connections of a process, so that their messages are sent together; default: one of its own.
   * @internal
   */
  readonly outbox?: Outbox;
  /** How the addresses of a name are tried; default `sequential`. */
  readonly algorithm?: DnsAlgorithm;
  /** XCM address to connect from, with the transport of the server's address. */
  readonly localAddress?: string;
  /** Linux network namespace, a name below /run/netns, to connect from. Needs the addon and CAP_SYS_ADMIN. */
  readonly networkNamespace?: string;
  /** What the server may make this process hold. What is not given has its default. */
  readonly limits?: Partial<ServerLimits>;
  /** The connection stands; the hello is on its way. */
  readonly onConnected?: () => void;
  /** Called for every message of the server, before it is looked at; also for those of the handshake. */
  readonly onHeard?: () => void;
  /** Called with every message of either direction; `text` decodes it, during the call only. */
  readonly trace?: (direction: "sent" | "received", text: () => string) => void;
}

/** Of one call of a session. */
export interface CallOptions {
  /**
   * Aborting rejects the call with the signal's reason. What the server does with the request, which was sent, is not
   * known then; its answer is ignored.
   */
  readonly signal?: AbortSignal;
}
