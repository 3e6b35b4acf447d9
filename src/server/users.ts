/** Who a connection acts for (pathfinder-protocol.md, 12.1). */

import type { Connection } from "../transport/transport.js";

/** Every local socket's user. */
export const DEFAULT_USER = "default";

/** The user id of a connection: its source address for TCP, one default user for UNIX sockets. */
export function userOf(connection: Connection): string {
  if (connection.transport !== "tcp") return DEFAULT_USER;
  const address = connection.remoteAddress;
  return `ip:${address.slice(address.indexOf(":") + 1, address.lastIndexOf(":"))}`;
}
