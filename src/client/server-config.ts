/** One server of a domain, as a domain file describes it (libpaf-client.md, 3.2) or a program does. */

import type { TlsFiles } from "../transport/index.js";

/** One server of a domain. What is not given has the default of libpaf. */
export interface ServerConfig {
  /** An XCM address. */
  readonly address: string;
  /** The XCM address to bind before connecting, with the transport of `address`. */
  readonly localAddress?: string;
  /** The name, below /run/netns, of the network namespace to connect from. */
  readonly networkNamespace?: string;
  /** For `tls` and `utls` addresses. */
  readonly tls?: TlsFiles;
  /** These narrow the range of protocol versions that is advertised, 2 to 3. If nothing is left, it is never connected to. */
  readonly minProtocolVersion?: number;
  readonly maxProtocolVersion?: number;
  /**
   * These take the place of PAF_IDLE_MIN and PAF_IDLE_MAX: after how much silence a server of protocol version 3 counts as
   * gone, from least to most, depending on the TTLs of what is published (8). The least one is also the limit for
   * connecting and hello together (5.2); below 1 it counts as 1.
   */
  readonly minIdleSeconds?: number;
  readonly maxIdleSeconds?: number;
}
