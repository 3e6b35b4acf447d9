/** Who a connection acts for (pathfinder-protocol.md, 12.1; xcm-transports.md, 9). */

import type { Connection } from "../transport/transport.js";

/** Every local socket's user, unless the socket tells them apart. */
export const DEFAULT_USER = "default";

/** Who the peers of a UNIX socket are: all one user, or each the user that its process runs as. */
export type LocalUser = "default" | "uid";

/**
 * The user id of a connection: the peer's subject key identifier for TLS, its source address for TCP; for UNIX sockets
 * one default user, or `uid:` and the peer's numeric user id. A certificate without the extension gives `ski:`.
 */
export function userOf(connection: Connection, localUser: LocalUser): string {
  const { transport, remoteAddress } = connection;
  if (transport === "tls") return `ski:${hexPairs(connection.subjectKeyId ?? new Uint8Array())}`;
  if (transport === "tcp")
    return `ip:${remoteAddress.slice(remoteAddress.indexOf(":") + 1, remoteAddress.lastIndexOf(":"))}`;
  if (localUser === "default") return DEFAULT_USER;
  return `uid:${connection.credentials?.uid ?? "unknown"}`;
}

function hexPairs(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
