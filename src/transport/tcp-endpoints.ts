/** Makes `tcp` connections: listening, name resolution, connecting to each address of a name in turn. */

import { lookup } from "node:dns/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket, type TcpNetConnectOpts } from "node:net";
import { formatAddress, formatTcp, type InetAddress } from "./address.js";
import { fromCode, fromNode } from "./errors.js";
import { setTrafficClass, TcpConnection } from "./tcp.js";
import {
  type Connection,
  type ConnectOptions,
  type Listener,
  type ListenOptions,
  TransportError,
} from "./transport.js";

const BACKLOG = 511;
/** Connections that wait for `resumeAccepting`; Node.js cannot leave them in the kernel. More of them are closed. */
const MAX_WAITING = 32;
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
  const server = createServer({ pauseOnConnect: true, noDelay: true });
  await new Promise<void>((done, failed) => {
    server.once("error", (error) => failed(fromNode(error, formatAddress(address))));
    server.listen({ host: host!, port: address.port, backlog: BACKLOG }, done);
  });
  setTrafficClass(server, host!);
  return new TcpListener(server, options);
}

class TcpListener implements Listener {
  readonly address: string;
  readonly #server: Server;
  readonly #options: ListenOptions;
  readonly #waiting: Socket[] = [];
  #servingScheduled = false;
  #paused = false;
  #closed = false;

  constructor(server: Server, options: ListenOptions) {
    const { address, port } = server.address() as AddressInfo;
    this.address = formatTcp(address, port);
    this.#server = server;
    this.#options = options;
    server.removeAllListeners("error");
    // Of EMFILE nothing is heard: libuv then accepts what waits and closes it at once.
    server.on("error", (error) => options.onAcceptError(fromNode(error, `${this.address}: accept`)));
    server.on("connection", (socket) => this.#onConnection(socket));
  }

  pauseAccepting(): void {
    this.#paused = true;
  }

  resumeAccepting(): void {
    this.#paused = false;
    if (this.#waiting.length > 0) this.#scheduleServing();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.close();
    for (const socket of this.#waiting.splice(0)) socket.destroy();
  }

  #onConnection(socket: Socket): void {
    if (!this.#paused && this.#waiting.length === 0 && !this.#closed) {
      this.#serve(socket);
    } else if (this.#waiting.length < MAX_WAITING && !this.#closed) {
      socket.on("error", ignore); // what became of it shows when it is served
      this.#waiting.push(socket);
    } else {
      socket.destroy();
    }
  }

  #serve(socket: Socket): void {
    const { outbox, onConnection } = this.#options;
    outbox.enter();
    try {
      new TcpConnection(outbox, socket).openWith(onConnection);
    } finally {
      outbox.leave();
    }
  }

  #scheduleServing(): void {
    if (this.#servingScheduled) return;
    this.#servingScheduled = true;
    queueMicrotask(() => {
      this.#servingScheduled = false;
      this.#serveWaiting();
    });
  }

  #serveWaiting(): void {
    try {
      while (!this.#paused && this.#waiting.length > 0) {
        const socket = this.#waiting.shift()!;
        socket.off("error", ignore);
        if (!socket.destroyed) this.#serve(socket);
      }
    } finally {
      // Something is left if the owner threw.
      if (!this.#paused && this.#waiting.length > 0) this.#scheduleServing();
    }
  }
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
