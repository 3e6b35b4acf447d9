/** The native addon (native/) as TypeScript sees it, and how it is found. */

import { createRequire } from "node:module";
import { join } from "node:path";
import { TransportError } from "./transport.js";

/** What a SeqpacketSocket calls back with: the number of messages in the arena, or this. */
export const WRITABLE_EVENT = -1;
/** What `WatchedSocket.watch` is given. */
export const WATCH_READABLE = 1;
export const WATCH_WRITABLE = 2;
/** What `socketIn` is given. */
export const SOCKET_KIND = { seqpacket: 1, tcp4: 4, tcp6: 6 } as const;

/** What all sockets of the addon have. Errors are negative errno numbers, wherever a number can be returned. */
export interface WatchedSocket {
  /** Sets the callback, which is called for what is watched; the socket stays alive until `close`. */
  start(onEvent: (event: number) => void): number;
  watch(events: number): void;
  /** Twice is harmless. */
  close(): void;
}

/**
 * AF_UNIX SOCK_SEQPACKET. For a connection, `event` is the number of messages that now lie in the arena, or
 * WRITABLE_EVENT; for a listener it is 0: there is something to accept.
 */
export interface NativeSocket extends WatchedSocket {
  accept(): NativeSocket | number;
  /** Sends the first `count` entries of `sendTable`; returns how many the kernel took. */
  send(source: ArrayBufferLike, count: number): number;
  /** `sun_path`: empty if unnamed, beginning with NUL if abstract. */
  localName(): Buffer | number;
  peerName(): Buffer | number;
  /** Process, user and group of the peer. */
  credentials(): [number, number, number] | number;
}

/** A listening TCP socket. `event` is 0: there is something to accept. */
export interface NativeStreamListener extends WatchedSocket {
  /** The descriptor of a connection, non-blocking; whoever called has to close it. */
  accept(): number;
  /** The bound IP address and port. */
  localName(): [string, number] | number;
}

/** `event` is 0: an interface or an address came, changed or went. Keeps no process alive. */
export interface NativeNetworkWatch extends WatchedSocket {
  /** What changed until now calls nobody. */
  forget(): void;
}

export interface Addon {
  readonly SeqpacketSocket: {
    /** `sunPath` is exactly what the kernel gets: `\0` and the name, or a path padded with NULs. */
    listen(sunPath: Uint8Array, backlog: number): NativeSocket | number;
    /** `fd` is from `socketIn`, and the SeqpacketSocket's from then on; also if it fails. */
    connect(sunPath: Uint8Array, fd?: number): NativeSocket | number;
  };
  readonly StreamListener: {
    /** `ip` without brackets and zone; port 0 for one that the kernel chooses; the IP packets are marked `trafficClass`. */
    listen(ip: string, port: number, backlog: number, trafficClass: number): NativeStreamListener | number;
  };
  readonly NetworkWatch: {
    open(): NativeNetworkWatch | number;
  };
  /** Where messages arrive, `slotStride` bytes apart. All sockets share it: it is valid only during the callback. */
  readonly receiveArena: Uint8Array;
  /** The length of each message (also when more than fits a slot), then at `receiveBatch`: 0, 1 = end, or an error. */
  readonly received: Int32Array;
  /** What to send: offset and length, `sendBatch` times. */
  readonly sendTable: Int32Array;
  readonly receiveBatch: number;
  readonly sendBatch: number;
  readonly slotStride: number;
  /** setsockopt() and getsockopt() with an integer value, on a descriptor that stays its owner's. */
  setOption(fd: number, level: number, option: number, value: number): number;
  getOption(fd: number, level: number, option: number): number;
  /** Gives memory that malloc() keeps back to the system; only glibc can. Takes about a millisecond per 10 MB. */
  trimMemory(): void;
  /**
   * A non-blocking socket of another network namespace (`SOCKET_KIND`): a descriptor that the caller closes, or a negative
   * errno. Takes about 0.1 ms.
   */
  socketIn(namespaceFile: string, kind: number): number;
  /**
   * A UNIX socket (stream or datagram) connected to `sunPath` that does not block: a descriptor for `fs.writeSync`, which
   * the caller closes with `fs.closeSync`, or a negative errno.
   */
  connectUnix(sunPath: Uint8Array, stream: boolean): number;
}

let loaded: Addon | undefined;
let failure: string | undefined;

function load(): void {
  const path = process.env.PATHFINDER_EDGE_ADDON ?? join(__dirname, "pathfinder-edge.node");
  try {
    loaded = createRequire(path)(path) as Addon;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    failure =
      `the addon ${path}, which could not be loaded (${reason}); ` +
      "build it with `npm run build`, for an installed package with `npx pathfinder-edge-addon`, or name another file in PATHFINDER_EDGE_ADDON";
  }
}

/** The addon, or a TransportError `ENOPROTOOPT` that says what to do; `instead` is what works without it. */
export function requireAddon(what = "ux and uxf addresses need", instead?: string): Addon {
  const addon = optionalAddon();
  if (addon !== undefined) return addon;
  throw new TransportError("ENOPROTOOPT", `${what} ${failure}${instead ? `, or ${instead}` : ""}`);
}

/** The addon, or undefined where there is none; it is looked for once. */
export function optionalAddon(): Addon | undefined {
  if (loaded === undefined && failure === undefined) load();
  return loaded;
}
