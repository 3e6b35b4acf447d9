/** One server of a domain, as a domain file describes it (libpaf-client.md, 3.2) or a program does. */

import type { TlsFiles } from "../transport/index.js";

export interface ServerConfig {
  /** An XCM address. */
  readonly address: string;
  /** The XCM address to bind before connecting, with the transport of `address`. */
  readonly localAddress?: string;
  /** The name, below /run/netns, of the network namespace to connect from. */
  readonly networkNamespace?: string;
  /** For `tls` and `utls` addresses. */
  readonly tls?: TlsFiles;
  /** These narrow the range of protocol versions that is advertised. */
  readonly minProtocolVersion?: number;
  readonly maxProtocolVersion?: number;
  /** These take the place of PAF_IDLE_MIN and PAF_IDLE_MAX. */
  readonly minIdleSeconds?: number;
  readonly maxIdleSeconds?: number;
}
