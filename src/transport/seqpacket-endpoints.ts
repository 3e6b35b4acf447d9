/** Makes `ux` and `uxf` connections: listening with stale socket files removed, connecting with retries. */

import { lstatSync, type Stats, unlinkSync } from "node:fs";
import { ACCEPTS_PER_TURN, AcceptLoop, BACKLOG } from "./accept-loop.js";
import { type Addon, type NativeSocket, requireAddon } from "./addon.js";
import { formatAddress, type UnixAddress } from "./address.js";
import { fromCode, fromErrno } from "./errors.js";
import { socketIn } from "./network-namespace.js";
import { pause } from "./pause.js";
import { SeqpacketConnection, sunPath } from "./seqpacket.js";
import {
  type Connection,
  type ConnectOptions,
  type Listener,
  type ListenOptions,
  TransportError,
} from "./transport.js";

const FIRST_RETRY_MS = 1;
const LONGEST_RETRY_MS = 100;

/** Throws a TransportError if the address cannot be bound. */
export function listenSeqpacket(address: UnixAddress, options: ListenOptions): Listener {
  return new SeqpacketListener(address, bind(requireAddon(), address), options);
}

function bind(addon: Addon, address: UnixAddress): NativeSocket {
  const path = sunPath(address);
  let socket = addon.SeqpacketSocket.listen(path, BACKLOG);
  if (typeof socket === "number" && address.transport === "uxf" && codeOf(socket, address) === "EADDRINUSE") {
    if (removeIfStale(addon, address)) socket = addon.SeqpacketSocket.listen(path, BACKLOG);
  }
  if (typeof socket !== "number") return socket;
  const where = formatAddress(address);
  const error = fromErrno(socket, where);
  if (error.code !== "EADDRINUSE" || address.transport !== "uxf" || fileStatus(address.name)?.isSocket()) throw error;
  throw new TransportError(error.code, `${where}: what exists at this path is no socket (${error.code})`);
}

/** Removes the socket file of a server that is gone. Any other file, and one on which somebody listens, is left alone. */
function removeIfStale(addon: Addon, address: UnixAddress): boolean {
  if (!fileStatus(address.name)?.isSocket()) return false;
  const probe = addon.SeqpacketSocket.connect(sunPath(address));
  if (typeof probe !== "number") {
    probe.close();
    return false;
  }
  if (codeOf(probe, address) !== "ECONNREFUSED") return false;
  return unlink(address.name);
}

function fileStatus(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function unlink(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch {
    return false; // not there any more, or not ours to remove
  }
}

function codeOf(errorNumber: number, address: UnixAddress): string {
  return fromErrno(errorNumber, address.name).code;
}

class SeqpacketListener implements Listener {
  readonly address: string;
  readonly #unixAddress: UnixAddress;
  readonly #options: ListenOptions;
  /** Of the socket file, so that a file which somebody else has put in its place is not removed. */
  readonly #inode: number | undefined;
  readonly #loop: AcceptLoop<NativeSocket>;
  #closed = false;

  constructor(address: UnixAddress, socket: NativeSocket, options: ListenOptions) {
    this.address = formatAddress(address);
    this.#unixAddress = address;
    this.#options = options;
    if (address.transport === "uxf") this.#inode = fileStatus(address.name)?.ino;
    try {
      this.#loop = new AcceptLoop({
        address: this.address,
        socket,
        accept: () => socket.accept(),
        onAccepted: (accepted) => this.#open(accepted),
        onAcceptError: options.onAcceptError,
        perTurn: ACCEPTS_PER_TURN,
      });
    } catch (error) {
      this.#removeFile();
      throw error;
    }
  }

  pauseAccepting(): void {
    this.#loop.pause();
  }

  resumeAccepting(): void {
    this.#loop.resume();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#loop.close();
    this.#removeFile();
  }

  #removeFile(): void {
    const path = this.#unixAddress.name;
    if (this.#inode !== undefined && fileStatus(path)?.ino === this.#inode) unlink(path);
  }

  #open(socket: NativeSocket): void {
    const { outbox, onConnection } = this.#options;
    outbox.enter();
    try {
      new SeqpacketConnection(outbox, socket, this.#unixAddress, true).openWith(onConnection);
    } finally {
      outbox.leave();
    }
  }
}

function connectSocket(
  addon: Addon,
  address: UnixAddress,
  networkNamespace: string | undefined,
): NativeSocket | number {
  if (networkNamespace === undefined) return addon.SeqpacketSocket.connect(sunPath(address));
  const fd = socketIn(networkNamespace, "seqpacket", formatAddress(address));
  return addon.SeqpacketSocket.connect(sunPath(address), fd);
}

/** Tries again, for `connectTimeoutMs` at most, while the server's backlog is full. */
export async function connectSeqpacket(
  address: UnixAddress,
  options: ConnectOptions & { connectTimeoutMs: number },
): Promise<Connection> {
  const addon = requireAddon();
  const where = formatAddress(address);
  if (options.localAddress !== undefined) {
    throw new TransportError("EACCES", `${where}: a local address is not accepted with ux and uxf (EACCES)`);
  }
  const deadline = performance.now() + options.connectTimeoutMs;
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_RETRY_MS)) {
    if (options.signal?.aborted) throw fromCode("ECANCELED", where);
    const socket = connectSocket(addon, address, options.networkNamespace);
    if (typeof socket !== "number") {
      const connection = new SeqpacketConnection(options.outbox, socket, address, false);
      connection.open(options.listener);
      return connection;
    }
    const error = fromErrno(socket, where);
    // XCM reports a socket file that does not exist like a server that does not run.
    if (error.code === "ENOENT") throw fromCode("ECONNREFUSED", where);
    if (error.code !== "EAGAIN" || performance.now() + waitMs > deadline) throw error;
    await pause(waitMs, options.signal);
  }
}
