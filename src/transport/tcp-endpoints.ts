/** Makes `tcp` connections: listening, name resolution, connecting to each address of a name in turn. */

import { lookup } from "node:dns/promises";
import { connect, type TcpNetConnectOpts } from "node:net";
import { formatAddress, formatTcp, type InetAddress } from "./address.js";
import { fromCode, fromNode } from "./errors.js";
import { acceptStreams } from "./stream-acceptor.js";
import { TcpConnection } from "./tcp.js";
import {
  type Connection,
  type ConnectOptions,
  type Listener,
  type ListenOptions,
  TransportError,
} from "./transport.js";

/** Most addresses of one name that are tried (xcm-transports.md, 4.4). */
const MAX_ADDRESSES = 32;
const DNS_TIMEOUT_MS = 10_000;

/** The addresses of a host in the resolver's order, at least one. Throws a TransportError `ENOENT`. */
async function resolve(address: InetAddress, signal?: AbortSignal): Promise<string[]> {
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

export async function listenTcp(address: InetAddress, options: ListenOptions): Promise<Listener> {
  const [host] = await resolve(address);
  const { outbox, onConnection, onAcceptError } = options;
  const acceptor = await acceptStreams({
    host: host!,
    port: address.port,
    onAcceptError,
    onSocket(socket) {
      outbox.enter();
      try {
        new TcpConnection(outbox, socket).openWith(onConnection);
      } finally {
        outbox.leave();
      }
    },
  }).catch((error: unknown) => {
    throw fromNode(error, formatAddress(address));
  });
  return {
    address: `tcp:${acceptor.hostAndPort}`,
    pauseAccepting: () => acceptor.pauseAccepting(),
    resumeAccepting: () => acceptor.resumeAccepting(),
    close: () => acceptor.close(),
  };
}

function ignore(): void {}

/** Tries the addresses of the host one after the other; the error is that of the last one. */
export async function connectTcp(
  address: InetAddress,
  options: ConnectOptions & { connectTimeoutMs: number },
): Promise<Connection> {
  const hosts = await resolve(address, options.signal);
  for (;;) {
    try {
      return await connectOnce(address, hosts.shift()!, options);
    } catch (error) {
      if (hosts.length === 0 || options.signal?.aborted) throw error;
    }
  }
}

function connectOnce(
  address: InetAddress,
  host: string,
  { connectTimeoutMs, signal, outbox, listener }: ConnectOptions & { connectTimeoutMs: number },
): Promise<Connection> {
  const { port } = address;
  const where = address.hostKind === "name" ? `${formatAddress(address)} at ${host}` : formatTcp(host, port);
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
      const connection = new TcpConnection(outbox, socket);
      connection.open(listener); // at once: what happens next must find its owner
      resolve(connection);
    });
    signal?.addEventListener("abort", abort);
  });
}
