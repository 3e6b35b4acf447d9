/** Makes `tls` connections. The credentials are looked at first: nothing goes over the network without good ones. */

import { formatAddress, type InetAddress } from "./address.js";
import { fromCode, fromNode } from "./errors.js";
import { acceptStreams } from "./stream-acceptor.js";
import { type Attempt, connectStream, resolve } from "./stream-connector.js";
import { TlsConnection } from "./tls.js";
import { type TlsCredentials, tlsCredentials } from "./tls-credentials.js";
import { type TlsFileNames, tlsFileNames } from "./tls-file-names.js";
import {
  type Connection,
  type ConnectOptions,
  type Listener,
  type ListenOptions,
  TransportError,
} from "./transport.js";

/** Connections accepted per turn of the event loop: what a client has sent at once costs a millisecond or more. */
const HANDSHAKES_PER_TURN = 4;

function credentialsOf(names: TlsFileNames, where: string): TlsCredentials {
  try {
    return tlsCredentials(names);
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    throw new TransportError(error.code, `${where}: ${error.message}`);
  }
}

/** The credentials of a listener, for each connection as the files are then. What is wrong with them is said once. */
class ListenerCredentials {
  #warned: string | undefined;
  #failed: string | undefined;

  constructor(
    private readonly names: TlsFileNames,
    private readonly where: string,
    private readonly options: Pick<ListenOptions, "onAcceptError" | "onWarning">,
  ) {}

  /** Throws a TransportError. */
  now(): TlsCredentials {
    const credentials = credentialsOf(this.names, this.where);
    this.#failed = undefined;
    const { warning } = credentials;
    if (warning !== undefined && warning !== this.#warned) this.options.onWarning?.(`${this.where}: ${warning}`);
    this.#warned = warning;
    return credentials;
  }

  /** The same for an accepted connection, which ends if there are none. */
  forAccepted(): TlsCredentials | undefined {
    try {
      return this.now();
    } catch (error) {
      const failure = fromNode(error, this.where);
      if (failure.message !== this.#failed) this.options.onAcceptError(failure);
      this.#failed = failure.message;
      return undefined;
    }
  }
}

export async function listenTls(address: InetAddress, options: ListenOptions): Promise<Listener> {
  const where = formatAddress(address);
  const credentials = new ListenerCredentials(tlsFileNames(options.tls), where, options);
  credentials.now();
  const [host] = await resolve(address);
  const { outbox, onConnection, onAcceptError } = options;
  const acceptor = await acceptStreams({
    host: host!,
    port: address.port,
    perTurn: HANDSHAKES_PER_TURN,
    onAcceptError,
    onSocket(socket) {
      const context = credentials.forAccepted()?.context;
      if (context === undefined) {
        socket.destroy();
        return;
      }
      outbox.enter();
      try {
        TlsConnection.accept(outbox, socket, context).openWith(onConnection);
      } finally {
        outbox.leave();
      }
    },
  }).catch((error: unknown) => {
    throw fromNode(error, where);
  });
  return {
    address: `tls:${acceptor.hostAndPort}`,
    pauseAccepting: () => acceptor.pauseAccepting(),
    resumeAccepting: () => acceptor.resumeAccepting(),
    close: () => acceptor.close(),
  };
}

/** Tries the addresses of the host one after the other until there is a TCP connection; TLS is tried on that one only. */
export async function connectTls(address: InetAddress, options: ConnectOptions & Attempt): Promise<Connection> {
  const { context } = credentialsOf(tlsFileNames(options.tls, options.networkNamespace), formatAddress(address));
  const { handshake } = await connectStream(address, options, (socket, where) => {
    const connection = TlsConnection.connect(options.outbox, socket, context);
    return { handshake: handshakeOf(connection, where, options) };
  });
  return handshake;
}

/** The connection once the server is verified; its owner has it then. */
function handshakeOf(
  connection: TlsConnection,
  where: string,
  { listener, signal, connectTimeoutMs }: ConnectOptions & Attempt,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let failure: TransportError | undefined;
    const give = (error: TransportError) => {
      failure = error;
      connection.close();
    };
    const abort = () => give(fromCode("ECANCELED", where));
    const timer = setTimeout(() => give(fromCode("ETIMEDOUT", `${where}: TLS handshake`)), connectTimeoutMs);
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
    signal?.addEventListener("abort", abort);
    connection.onVerified = () => {
      settle();
      connection.open(listener);
      resolve(connection);
    };
    connection.open({
      onMessage() {},
      onDrain() {},
      onClose(error) {
        settle();
        reject(failure ?? error);
      },
    });
    if (signal?.aborted) abort();
  });
}
