/** The address that a TCP-based connection is made from (XCM's `xcm.local_addr`; xcm-transports.md, 4.4). */

import { formatAddress, type InetAddress, parseAddress } from "./address.js";
import { TransportError } from "./transport.js";

/** `text` as an address. Throws a TransportError `EINVAL` unless its transport is that of the address to connect to. */
export function parseLocalAddress(text: string, remote: InetAddress): InetAddress {
  const local = parseAddress(text);
  if ("host" in local && local.transport === remote.transport) return local;
  const problem = `the local address ${formatAddress(local)} is not one of transport ${remote.transport}`;
  throw new TransportError("EINVAL", `${formatAddress(remote)}: ${problem} (EINVAL)`);
}
