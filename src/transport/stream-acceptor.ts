/** Accepts TCP connections for the transports above, which make of each socket what they like. Needs the addon. */

import { closeSync } from "node:fs";
import { Socket, type SocketConstructorOpts } from "node:net";
import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import { ACCEPTS_PER_TURN, AcceptLoop, BACKLOG } from "./accept-loop.js";
import { type NativeStreamListener, requireAddon } from "./addon.js";
import { formatHostAndPort } from "./address.js";
import { DSCP_CS5 } from "./tcp-options.js";
import type { TransportError } from "./transport.js";

export interface StreamAcceptorOptions {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  /** Called for each accepted connection; the socket is not being read. */
  readonly onSocket: (socket: Socket) => void;
  /** See AcceptLoopOptions. */
  readonly onAcceptError: (error: TransportError) => void;
  /** Most calls of `onSocket` in one turn of the event loop: fewer than 16 where each of them costs much. */
  readonly perTurn?: number;
}

/**
 * Binds and listens, with the socket options of xcm-transports.md, 4.2. Rejects with a TransportError `ENOPROTOOPT` if
 * the addon is missing, else as Node.js does: with an error whose `code` is e.g. `EADDRINUSE`.
 */
export async function acceptStreams(options: StreamAcceptorOptions): Promise<StreamAcceptor> {
  const { StreamListener } = requireAddon();
  return new StreamAcceptor(good(StreamListener.listen(options.host, options.port, BACKLOG, DSCP_CS5)), options);
}

function good<T>(result: T | number): T {
  if (typeof result !== "number") return result;
  const code = getSystemErrorName(result);
  throw Object.assign(new Error(`listen: ${code}`), { code });
}

export class StreamAcceptor {
  /** `HOST:PORT` really bound, as XCM prints it. */
  readonly hostAndPort: string;
  readonly #loop: AcceptLoop<Socket>;

  constructor(socket: NativeStreamListener, options: StreamAcceptorOptions) {
    this.hostAndPort = formatHostAndPort(...good(socket.localName()));
    this.#loop = new AcceptLoop({
      address: this.hostAndPort,
      socket,
      accept: () => {
        const descriptor = socket.accept();
        return descriptor < 0 ? descriptor : adopt(descriptor);
      },
      onAccepted: options.onSocket,
      onAcceptError: options.onAcceptError,
      perTurn: options.perTurn ?? ACCEPTS_PER_TURN,
    });
  }

  pauseAccepting(): void {
    this.#loop.pause();
  }

  resumeAccepting(): void {
    this.#loop.resume();
  }

  close(): void {
    this.#loop.close();
  }
}

/** A socket that owns `descriptor` and is not being read. Where Node.js refuses, -errno; the descriptor is closed then. */
export function adopt(descriptor: number): Socket | number {
  // What net.Server gives its sockets, too: without it, reading would begin before there is an owner.
  const options: SocketConstructorOpts & { pauseOnCreate: boolean } = { fd: descriptor, pauseOnCreate: true };
  try {
    const socket = new Socket(options);
    if (socket.remoteAddress !== undefined) return socket;
    socket.destroy(); // reset already, and without an address that anybody could be told
    return -constants.errno.ECONNABORTED;
  } catch (error) {
    closeSync(descriptor);
    return (error as NodeJS.ErrnoException).errno ?? -constants.errno.EIO;
  }
}
