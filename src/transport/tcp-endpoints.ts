/** Makes `tcp` connections. */

import { formatAddress, type InetAddress } from "./address.js";
import { fromNode } from "./errors.js";
import { acceptStreams } from "./stream-acceptor.js";
import { type Attempt, connectStream, resolve } from "./stream-connector.js";
import { TcpConnection } from "./tcp.js";
import type { Connection, ConnectOptions, Listener, ListenOptions } from "./transport.js";

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

/** Tries the addresses of the host one after the other; the error is that of the last one. */
export function connectTcp(address: InetAddress, options: ConnectOptions & Attempt): Promise<Connection> {
  return connectStream(address, options, (socket) => {
    const connection = new TcpConnection(options.outbox, socket);
    connection.open(options.listener); // at once: what happens next must find its owner
    return connection;
  });
}
