/** The servers of a domain as a program gives them, and whether a server's settings were changed (libpaf-client.md, 3.3, 3.4). */

import { parseAddress } from "../transport/address.js";
import { mistyped, outOfRange } from "./argument-checks.js";
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

/** The transports whose connections come from an address that can be chosen. */
const NETWORK_TRANSPORTS: readonly string[] = ["tcp", "tls", "utls"];
const TLS_TRANSPORTS: readonly string[] = ["tls", "utls"];
const TLS_FILES = ["cert", "key", "tc", "crl"] as const;

/**
 * The servers, each as settings or as its address alone; a copy. Throws a `TypeError` or `RangeError` that names the
 * setting, its value and what is accepted, or the `TransportError` of an address.
 */
export function toServers(given: readonly (string | ServerConfig)[]): readonly ServerConfig[] {
  if (!Array.isArray(given)) mistyped("servers", given, "an array of addresses or server settings");
  const servers = given.map((server: string | ServerConfig, index) => {
    if (typeof server === "string") return checked({ address: server }, `servers[${index}]`);
    if (typeof server !== "object" || server === null) mistyped(`servers[${index}]`, server, "an address or an object");
    return checked({ ...server }, `servers[${index}]`);
  });
  const addresses = new Set<string>();
  for (const [index, { address }] of servers.entries()) {
    if (addresses.has(address)) throw new RangeError(`servers[${index}] (${address}): the same address twice`);
    addresses.add(address);
  }
  return servers;
}

function checked(server: ServerConfig, place: string): ServerConfig {
  const { address, localAddress, networkNamespace, tls } = server;
  text(`${place}.address`, address);
  const { transport } = parseAddress(address);
  const where = `${place} (${address})`;
  if (localAddress !== undefined) {
    text(`${where}: localAddress`, localAddress);
    if (!NETWORK_TRANSPORTS.includes(transport) || parseAddress(localAddress).transport !== transport) {
      const accepted = NETWORK_TRANSPORTS.includes(transport) ? `a ${transport} address` : "none for this transport";
      outOfRange(`${where}: localAddress`, localAddress, accepted);
    }
  }
  if (networkNamespace !== undefined) text(`${where}: networkNamespace`, networkNamespace);
  if (tls !== undefined) {
    if (typeof tls !== "object" || tls === null) mistyped(`${where}: tls`, tls, "an object of file names");
    if (!TLS_TRANSPORTS.includes(transport)) throw new RangeError(`${where}: TLS files are for tls and utls addresses`);
    for (const file of TLS_FILES) if (tls[file] !== undefined) text(`${where}: tls.${file}`, tls[file]);
  }
  const { minProtocolVersion, maxProtocolVersion, minIdleSeconds, maxIdleSeconds } = server;
  version(`${where}: minProtocolVersion`, minProtocolVersion);
  version(`${where}: maxProtocolVersion`, maxProtocolVersion);
  idle(`${where}: minIdleSeconds`, minIdleSeconds);
  idle(`${where}: maxIdleSeconds`, maxIdleSeconds);
  inOrder(`${where}: minProtocolVersion`, minProtocolVersion, "maxProtocolVersion", maxProtocolVersion);
  inOrder(`${where}: minIdleSeconds`, minIdleSeconds, "maxIdleSeconds", maxIdleSeconds);
  return server;
}

function text(what: string, value: unknown): void {
  if (typeof value !== "string") mistyped(what, value, "a text");
}

function version(what: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== "number") mistyped(what, value, "a whole number of 0 or more");
  if (!Number.isSafeInteger(value) || (value as number) < 0) outOfRange(what, value, "a whole number of 0 or more");
}

function idle(what: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== "number") mistyped(what, value, "a number of seconds of 0 or more");
  if (!((value as number) >= 0 && Number.isFinite(value))) outOfRange(what, value, "a number of seconds of 0 or more");
}

function inOrder(minName: string, min: number | undefined, maxName: string, max: number | undefined): void {
  if (min !== undefined && max !== undefined && !(min <= max)) {
    throw new RangeError(`${minName} ${min} is above ${maxName} ${max}`);
  }
}
