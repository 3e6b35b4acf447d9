/** Connects TCP sockets for the transports above: name resolution, then the addresses of a name as the caller wants. */

import { isIPv6, Socket, type SocketConstructorOpts, type TcpSocketConnectOpts } from "node:net";
import { formatAddress, formatHostAndPort, type InetAddress } from "./address.js";
import { tryAddresses } from "./address-tracks.js";
import { fromCode, fromNode } from "./errors.js";
import { parseLocalAddress } from "./local-address.js";
import { resolveName } from "./name-resolution.js";
import { socketIn } from "./network-namespace.js";
import { type ConnectOptions, TransportError } from "./transport.js";

/** Most addresses of one name that are tried (xcm-transports.md, 4.4). */
const MAX_ADDRESSES = 32;
const DNS_TIMEOUT_MS = 10_000;

/** The addresses of a host in the resolver's order, at least one. Throws a TransportError `ENOENT`. */
export async function resolve(
  address: InetAddress,
  { signal, resolveName: resolveOne = resolveName }: Pick<ConnectOptions, "signal" | "resolveName"> = {},
): Promise<string[]> {
  if (address.hostKind !== "name") return [address.host];
  const where = formatAddress(address);
  const unknown = () =>
    new TransportError("ENOENT", `${where}: no address found for the name ${address.host} (ENOENT)`);
  const found = await bounded((stop) => resolveOne(address.host, stop), DNS_TIMEOUT_MS, signal).catch(
    (error: unknown) => {
      throw error === ABORTED ? fromCode("ECANCELED", `${where}: name resolution`) : unknown();
    },
  );
  if (found.length === 0) throw unknown();
  return found.slice(0, MAX_ADDRESSES);
}

const ABORTED = Symbol("aborted");

/** What `start` promises, or a rejection after `limitMs` or when `signal` aborts; `start` is told of either. */
function bounded<T>(
  start: (stop: AbortSignal) => Promise<T>,
  limitMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  const stop = new AbortController();
  return new Promise((resolve, reject) => {
    const abort = () => finish(() => reject(ABORTED));
    const timer = setTimeout(() => finish(() => reject(new Error("time-out"))), limitMs);
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      settle();
      stop.abort();
    };
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) {
      abort();
      return;
    }
    start(stop.signal).then(
      (value) => finish(() => resolve(value)),
      (error) => finish(() => reject(error)),
    );
  });
}

function ignore(): void {}

/** What `connectStream` is given: which addresses are tried, how, and how long each. */
export type Attempt = Pick<
  ConnectOptions,
  "signal" | "algorithm" | "localAddress" | "networkNamespace" | "resolveName"
> & { readonly connectTimeoutMs: number };

/**
 * Connects to an address of the host, and gives what `use` makes of the socket. `use` is called as soon as there is a
 * connection, so what happens next finds its owner, and once at most.
 */
export async function connectStream<T>(
  address: InetAddress,
  attempt: Attempt,
  use: (socket: Socket, where: string) => T,
): Promise<T> {
  const { algorithm = "sequential", signal } = attempt;
  const local = await resolveLocal(address, attempt);
  const hosts = await resolve(address, attempt);
  const usable = local === undefined ? hosts : hosts.filter((host) => isIPv6(host) === isIPv6(local.host));
  if (usable.length === 0) {
    const problem = `none of its addresses is of the family of the local address ${attempt.localAddress}`;
    throw new TransportError("EINVAL", `${formatAddress(address)}: ${problem} (EINVAL)`);
  }
  return tryAddresses(usable, { algorithm, signal }, (host, stop) =>
    connectOnce(address, host, local, { ...attempt, signal: stop }, use),
  );
}

/** Where the socket is bound before it is connected. */
interface Local {
  readonly host: string;
  readonly port: number;
}

async function resolveLocal(address: InetAddress, attempt: Attempt): Promise<Local | undefined> {
  if (attempt.localAddress === undefined) return undefined;
  const local = parseLocalAddress(attempt.localAddress, address);
  const [host] = await resolve(local, attempt);
  return { host: host!, port: local.port };
}

/** Not documented, but in Node.js since its beginnings: a socket that is not read before it is connected. */
type UnconnectedOptions = SocketConstructorOpts & { readonly manualStart: true };

function newSocket(host: string, networkNamespace: string | undefined, where: string): Socket {
  if (networkNamespace === undefined) return new Socket();
  const fd = socketIn(networkNamespace, isIPv6(host) ? "tcp6" : "tcp4", where);
  const options: UnconnectedOptions = { fd, manualStart: true };
  return new Socket(options); // closes the descriptor when it is destroyed
}

function connectOnce<T>(
  address: InetAddress,
  host: string,
  local: Local | undefined,
  { connectTimeoutMs, networkNamespace, signal }: Attempt,
  use: (socket: Socket, where: string) => T,
): Promise<T> {
  const { transport, port } = address;
  const literal = `${transport}:${formatHostAndPort(host, port)}`;
  const to = address.hostKind === "name" ? `${formatAddress(address)} at ${host}` : literal;
  const where = local === undefined ? to : `${to} from ${formatHostAndPort(local.host, local.port)}`;
  if (signal?.aborted) return Promise.reject(fromCode("ECANCELED", where));
  return new Promise((resolve, reject) => {
    // Node's own attempts on several addresses, on by default since 20, follow other rules than XCM's.
    const target: TcpSocketConnectOpts & { autoSelectFamily: boolean } = { host, port, autoSelectFamily: false };
    if (local !== undefined) Object.assign(target, { localAddress: local.host, localPort: local.port });
    const socket = newSocket(host, networkNamespace, where);
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
    socket.connect(target);
  });
}
