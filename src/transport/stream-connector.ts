/** Connects TCP sockets for the transports above: name resolution, then each address of a name in turn. */

import { lookup } from "node:dns/promises";
import { connect, type Socket, type TcpNetConnectOpts } from "node:net";
import { formatAddress, formatHostAndPort, type InetAddress } from "./address.js";
import { fromCode, fromNode } from "./errors.js";
import { type ConnectOptions, TransportError } from "./transport.js";

/** Most addresses of one name that are tried (xcm-transports.md, 4.4). */
const MAX_ADDRESSES = 32;
const DNS_TIMEOUT_MS = 10_000;

/** The addresses of a host in the resolver's order, at least one. Throws a TransportError `ENOENT`. */
export async function resolve(address: InetAddress, signal?: AbortSignal): Promise<string[]> {
  if (address.hostKind !== "name") return [address.host];
  const where = formatAddress(address);
  const unknown = () =>
    new TransportError("ENOENT", `${where}: no address found for the name ${address.host} (ENOENT)`);
  const found = await bounded(lookup(address.host, { all: true, verbatim: true }), DNS_TIMEOUT_MS, signal).catch(
    (error: unknown) => {
      throw error === ABORTED ? fromCode("ECANCELED", `${where}: name resolution`) : unknown();
    },
  );
  if (found.length === 0) throw unknown();
  return found.slice(0, MAX_ADDRESSES).map((entry) => entry.address);
}

const ABORTED = Symbol("aborted");

/** `promise`, or a rejection after `limitMs` or when `signal` aborts. */
function bounded<T>(promise: Promise<T>, limitMs: number, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => finish(() => reject(ABORTED));
    const timer = setTimeout(() => finish(() => reject(new Error("time-out"))), limitMs);
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      settle();
    };
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    promise.then(
      (value) => finish(() => resolve(value)),
      (error) => finish(() => reject(error)),
    );
  });
}

function ignore(): void {}

/** What `connectStream` is given: how long an address is tried, and what ends trying. */
export type Attempt = Pick<ConnectOptions, "signal"> & { readonly connectTimeoutMs: number };

/**
 * Connects to the addresses of the host one after the other, and gives what `use` makes of the socket. `use` is called
 * as soon as there is a connection, so what happens next finds its owner. The error is that of the last address.
 */
export async function connectStream<T>(
  address: InetAddress,
  attempt: Attempt,
  use: (socket: Socket, where: string) => T,
): Promise<T> {
  const hosts = await resolve(address, attempt.signal);
  for (;;) {
    try {
      return await connectOnce(address, hosts.shift()!, attempt, use);
    } catch (error) {
      if (hosts.length === 0 || attempt.signal?.aborted) throw error;
    }
  }
}

function connectOnce<T>(
  address: InetAddress,
  host: string,
  { connectTimeoutMs, signal }: Attempt,
  use: (socket: Socket, where: string) => T,
): Promise<T> {
  const { transport, port } = address;
  const literal = `${transport}:${formatHostAndPort(host, port)}`;
  const where = address.hostKind === "name" ? `${formatAddress(address)} at ${host}` : literal;
  if (signal?.aborted) return Promise.reject(fromCode("ECANCELED", where));
  return new Promise((resolve, reject) => {
    // Node's own attempts on several addresses, on by default since 20, follow other rules than XCM's.
    const target: TcpNetConnectOpts & { autoSelectFamily: boolean } = { host, port, autoSelectFamily: false };
    const socket = connect({ ...target, noDelay: true });
    const fail = (error: unknown) => {
      settle();
      socket.on("error", ignore);
      socket.destroy();
      reject(fromNode(error, where));
    };
    const abort = () => fail(fromCode("ECANCELED", where));
    const timer = setTimeout(() => fail(fromCode("ETIMEDOUT", where)), connectTimeoutMs);
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      socket.off("error", fail);
    };
    socket.once("error", fail);
    socket.once("connect", () => {
      settle();
      resolve(use(socket, where));
    });
    signal?.addEventListener("abort", abort);
  });
}
