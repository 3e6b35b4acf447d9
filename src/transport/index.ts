/** The front door of the transports: listens on and connects to any address. */

import { parseAddress } from "./address.js";
import { connectSeqpacket, listenSeqpacket } from "./seqpacket-endpoints.js";
import { connectTcp, listenTcp } from "./tcp-endpoints.js";
import { connectTls, listenTls } from "./tls-endpoints.js";
import type { Connection, ConnectOptions, Listener, ListenOptions } from "./transport.js";
import { connectUtls, listenUtls } from "./utls-endpoints.js";

export { type Address, formatAddress, type InetAddress, parseAddress, type UnixAddress } from "./address.js";
export { MAX_SENT_LENGTH, Outbox } from "./outbox.js";
export * from "./transport.js";

/** XCM's `tcp.connect_timeout`. */
const CONNECT_TIMEOUT_MS = 3_000;

/** Listens on an XCM address. Rejects with a TransportError, `code` as XCM's errno. */
export async function listen(address: string, options: ListenOptions): Promise<Listener> {
  const parsed = parseAddress(address);
  switch (parsed.transport) {
    case "ux":
    case "uxf":
      return listenSeqpacket(parsed, options);
    case "tcp":
      return listenTcp(parsed, options);
    case "tls":
      return listenTls(parsed, options);
    case "utls":
      return listenUtls(parsed, options);
  }
}

/** Connects to an XCM address. Rejects with a TransportError, `code` as XCM's errno; `ECANCELED` if aborted. */
export async function connect(address: string, options: ConnectOptions): Promise<Connection> {
  const parsed = parseAddress(address);
  const bounded = { ...options, connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS };
  switch (parsed.transport) {
    case "ux":
    case "uxf":
      return connectSeqpacket(parsed, bounded);
    case "tcp":
      return connectTcp(parsed, bounded);
    case "tls":
      return connectTls(parsed, bounded);
    case "utls":
      return connectUtls(parsed, bounded);
  }
}
