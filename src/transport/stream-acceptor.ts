/** Accepts TCP connections for the transports above, which make of each socket what they like. */

import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { formatHostAndPort } from "./address.js";
import { fromNode } from "./errors.js";
import { setTrafficClass } from "./tcp-options.js";
import type { TransportError } from "./transport.js";

const BACKLOG = 511;
/** Connections that wait for `resumeAccepting`; Node.js cannot leave them in the kernel. More of them are closed. */
const MAX_WAITING = 32;

export interface StreamAcceptorOptions {
  readonly host: string;
  readonly port: number;
  /** Called for each accepted connection; the socket is not being read. */
  readonly onSocket: (socket: Socket) => void;
  readonly onAcceptError: (error: TransportError) => void;
}

/** Binds and listens. Rejects with what Node.js says, e.g. `EADDRINUSE`. */
export async function acceptStreams(options: StreamAcceptorOptions): Promise<StreamAcceptor> {
  const { host, port } = options;
  const server = createServer({ pauseOnConnect: true, noDelay: true });
  await new Promise<void>((done, failed) => {
    server.once("error", failed);
    server.listen({ host, port, backlog: BACKLOG }, done);
  });
  setTrafficClass(server, host);
  return new StreamAcceptor(server, options);
}

export class StreamAcceptor {
  /** `HOST:PORT` really bound, as XCM prints it. */
  readonly hostAndPort: string;
  readonly #server: Server;
  readonly #options: StreamAcceptorOptions;
  readonly #waiting: Socket[] = [];
  #servingScheduled = false;
  #paused = false;
  #closed = false;

  constructor(server: Server, options: StreamAcceptorOptions) {
    const { address, port } = server.address() as AddressInfo;
    this.hostAndPort = formatHostAndPort(address, port);
    this.#server = server;
    this.#options = options;
    server.removeAllListeners("error");
    // Of EMFILE nothing is heard: libuv then accepts what waits and closes it at once.
    server.on("error", (error) => options.onAcceptError(fromNode(error, `${this.hostAndPort}: accept`)));
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
      this.#options.onSocket(socket);
    } else if (this.#waiting.length < MAX_WAITING && !this.#closed) {
      socket.on("error", ignore); // what became of it shows when it is served
      this.#waiting.push(socket);
    } else {
      socket.destroy();
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
        if (!socket.destroyed) this.#options.onSocket(socket);
      }
    } finally {
      // Something is left if the owner threw.
      if (!this.#paused && this.#waiting.length > 0) this.#scheduleServing();
    }
  }
}

function ignore(): void {}
