/** The servers of a domain as a program gives them, and whether a server's settings were changed (libpaf-client.md, 3.3, 3.4). */

import { parseAddress } from "../transport/address.js";
import type { ServerConfig } from "./server-config.js";

/** Equal for equal settings. Unlike libpaf it looks at the network namespace too. */
export function settingsKey(config: ServerConfig): string {
  const { tls = {} } = config;
  return JSON.stringify([
    config.address,
    config.localAddress,
    config.networkNamespace,
    [tls.cert, tls.key, tls.tc, tls.crl],
    [config.minProtocolVersion, config.maxProtocolVersion],
    [config.minIdleSeconds, config.maxIdleSeconds],
  ]);
}

/** Settings that are numbers, and whether they must be whole. */
const NUMBERS = [
  ["minProtocolVersion", true],
  ["maxProtocolVersion", true],
  ["minIdleSeconds", false],
  ["maxIdleSeconds", false],
] as const;

/** Throws a `RangeError` (or the `TransportError` of an address) if the list is not valid; the text says where. */
export function checkServers(servers: readonly ServerConfig[]): void {
  const addresses = new Set<string>();
  for (const [index, config] of servers.entries()) {
    const { address, localAddress, tls } = config;
    const where = `servers[${index}] (${address})`;
    const { transport } = parseAddress(address);
    if (localAddress !== undefined) parseAddress(localAddress);
    if (addresses.has(address)) throw new RangeError(`${where}: the same address twice`);
    addresses.add(address);
    if (tls && transport !== "tls" && transport !== "utls") {
      throw new RangeError(`${where}: TLS files are for tls and utls addresses`);
    }
    for (const [name, whole] of NUMBERS) {
      const value = config[name];
      if (value === undefined || (value >= 0 && (!whole || Number.isSafeInteger(value)))) continue;
      const accepted = whole ? "a whole number of 0 or more" : "a number of seconds of 0 or more";
      throw new RangeError(`${where}: ${name} is ${value} (${accepted} is accepted)`);
    }
    inOrder(`${where}: minProtocolVersion`, config.minProtocolVersion, "maxProtocolVersion", config.maxProtocolVersion);
    inOrder(`${where}: minIdleSeconds`, config.minIdleSeconds, "maxIdleSeconds", config.maxIdleSeconds);
  }
}

function inOrder(minName: string, min: number | undefined, maxName: string, max: number | undefined): void {
  if (min !== undefined && max !== undefined && !(min <= max)) {
    throw new RangeError(`${minName} ${min} is above ${maxName} ${max}`);
  }
}
