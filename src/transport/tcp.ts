/** `tcp`: frames on a TCP connection of Node's (xcm-transports.md, 4). Without the addon it has fewer options. */

import { isIPv6, type Socket } from "node:net";
import { optionalAddon } from "./addon.js";
import { formatTcp } from "./address.js";
import { BaseConnection } from "./connection.js";
import { fromCode, fromNode } from "./errors.js";
import { FrameReader, writeHeader } from "./frames.js";
import { HEADER_LENGTH, type Outbox } from "./outbox.js";
import { MAX_MESSAGE_LENGTH, TransportError } from "./transport.js";

/** Levels and options as Linux numbers them on every architecture. */
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;
const IP_TOS = 1;
const IPV6_TCLASS = 67;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_SYNCNT = 7;
const TCP_USER_TIMEOUT = 18;

/** XCM's defaults: a silent host is declared dead after 3 to 4 s, unacknowledged data after 3 s. */
const KEEPALIVE_IDLE_MS = 1_000;
/** The traffic class of all packets; its upper six bits are the DSCP. */
export const DSCP_CS5 = 160;
const CONNECTION_OPTIONS = [
  [IPPROTO_TCP, TCP_SYNCNT, 3],
  [IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_MS / 1_000],
  [IPPROTO_TCP, TCP_KEEPINTVL, 1],
  [IPPROTO_TCP, TCP_KEEPCNT, 3],
  [IPPROTO_TCP, TCP_USER_TIMEOUT, 3_000],
] as const;

/** Undocumented but long-standing: the descriptor below a socket. Never kept, because Node closes it. */
function descriptorOf(socket: Socket): number {
  return (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}

/** Marks the packets of a socket as XCM does. An IPv6 socket has the one mark only, whatever it carries. */
export function setTrafficClass(socket: Socket, ip: string): void {
  const fd = descriptorOf(socket);
  if (fd < 0) return;
  if (isIPv6(ip)) optionalAddon()?.setOption(fd, IPPROTO_IPV6, IPV6_TCLASS, DSCP_CS5);
  else optionalAddon()?.setOption(fd, IPPROTO_IP, IP_TOS, DSCP_CS5);
}

/** Keepalive with XCM's times. Without the addon, only the idle time is XCM's. */
function setKeepalive(socket: Socket, on: boolean): void {
  socket.setKeepAlive(on, KEEPALIVE_IDLE_MS);
  // After setKeepAlive(), because libuv sets an interval and a count of its own. A socket that has just been reset
  // refuses some options; its end is reported anyway.
  const fd = on ? descriptorOf(socket) : -1;
  if (fd < 0) return;
  for (const [level, option, value] of CONNECTION_OPTIONS) optionalAddon()?.setOption(fd, level, option, value);
}

export class TcpConnection extends BaseConnection {
  readonly transport = "tcp";
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly credentials = undefined;
  readonly #socket: Socket;
  readonly #frames = new FrameReader(MAX_MESSAGE_LENGTH);
  #reading = false;
  /** A chunk was not read to its end, because the owner paused or threw. */
  #kept = false;
  #keptScheduled = false;
  /** The stream has ended, with or without an error; `onClose` follows when `#kept` is delivered. */
  #streamEnd: { readonly error: TransportError | undefined } | undefined;
  /** Messages of each write that Node.js has not reported as done, oldest first; 0 where the kernel took all at once. */
  readonly #writes: number[] = [];
  #queuedMessages = 0;

  /** `socket` is connected and not being read. */
  constructor(outbox: Outbox, socket: Socket) {
    super(outbox);
    this.#socket = socket;
    // A peer that has already gone leaves the socket without addresses; its end is reported as soon as it is read.
    this.localAddress = formatTcp(socket.localAddress ?? "0.0.0.0", socket.localPort ?? 0);
    this.remoteAddress = formatTcp(socket.remoteAddress ?? "0.0.0.0", socket.remotePort ?? 0);
    socket.setNoDelay(true);
    setKeepalive(socket, true);
    setTrafficClass(socket, socket.localAddress ?? "");
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("end", () => this.#onStreamEnd(undefined));
    socket.on("error", (error) => this.#onStreamEnd(fromNode(error, this.remoteAddress)));
    socket.on("close", () => this.#onStreamEnd(undefined));
    socket.pause();
  }

  get queuedMessages(): number {
    return this.#queuedMessages;
  }

  get queuedBytes(): number {
    return this.#queuedMessages === 0 ? 0 : this.#socket.writableLength;
  }

  setKeepalive(on: boolean): void {
    if (!this.ended) setKeepalive(this.#socket, on);
  }

  /** One write per turn: frames that lie one behind the other in the arena are copied together. */
  take(outbox: Outbox, head: number): void {
    if (this.ended || this.#streamEnd !== undefined) return;
    const { bytes, entries } = outbox;
    let length = 0;
    let messages = 0;
    for (let entry = head; entry !== 0; entry = entries[entry + 2]!) {
      length += HEADER_LENGTH + entries[entry + 1]! - entries[entry]!;
      messages++;
    }
    const frames = Buffer.allocUnsafe(length);
    let used = 0;
    for (let entry = head; entry !== 0; ) {
      const from = entries[entry]! - HEADER_LENGTH;
      let end = from;
      for (; entry !== 0 && entries[entry]! - HEADER_LENGTH === end; entry = entries[entry + 2]!) {
        writeHeader(bytes, end, entries[entry + 1]! - entries[entry]!);
        end = entries[entry + 1]!;
      }
      frames.set(bytes.subarray(from, end), used);
      used += end - from;
    }
    this.#socket.write(frames, this.#onWritten);
    const queued = this.#socket.writableLength === 0 ? 0 : messages;
    this.#writes.push(queued);
    this.#queuedMessages += queued;
  }

  readonly #onWritten = (): void => {
    const messages = this.#writes.shift() ?? 0;
    if (messages === 0) return;
    this.#queuedMessages -= messages;
    if (this.#queuedMessages === 0 && !this.ended) this.inTurn(() => this.owner.onDrain());
  };

  protected readingChanged(): void {
    if (this.paused) this.#stopReading();
    else if (this.#kept) this.#scheduleKept();
    else this.#startReading();
  }

  protected release(): void {
    this.#socket.destroy();
    this.#writes.length = 0;
    this.#queuedMessages = 0;
  }

  #startReading(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#socket.resume();
  }

  #stopReading(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#socket.pause();
  }

  #onData(chunk: Buffer): void {
    if (this.ended) return;
    this.#frames.feed(chunk);
    this.inTurn(() => this.#deliver());
  }

  /** Delivers until the chunk is used up or the owner pauses, closes or throws. */
  #deliver(): void {
    const frames = this.#frames;
    let complete = false;
    try {
      while (!this.paused && !this.ended) {
        if (!this.#nextFrame()) {
          complete = true;
          break;
        }
        this.owner.onMessage(frames.bytes, frames.start, frames.end);
      }
    } finally {
      this.#kept = !complete;
      if (!this.ended) this.#afterDelivery();
    }
  }

  #nextFrame(): boolean {
    try {
      return this.#frames.next();
    } catch (error) {
      const { code, message } = error as TransportError;
      this.end(new TransportError(code, `${this.remoteAddress}: ${message}`));
      return false;
    }
  }

  #afterDelivery(): void {
    if (this.#kept) {
      this.#stopReading();
      if (!this.paused) this.#scheduleKept();
    } else if (this.#streamEnd !== undefined) this.end(this.#streamEnd.error);
    else if (!this.paused) this.#startReading();
  }

  #scheduleKept(): void {
    if (this.#keptScheduled) return;
    this.#keptScheduled = true;
    queueMicrotask(() => {
      this.#keptScheduled = false;
      if (!this.ended) this.inTurn(() => this.#deliver());
    });
  }

  /** A FIN is a full close (half-open connections are not supported), a partial frame before it is dropped. */
  #onStreamEnd(error: TransportError | undefined): void {
    if (this.#streamEnd !== undefined || this.ended) return;
    // A write that failed says EPIPE where the peer's reset is what happened; nobody waits for more from it.
    this.#streamEnd = { error: error?.code === "EPIPE" ? fromCode("ECONNRESET", this.remoteAddress) : error };
    if (!this.#kept) this.end(this.#streamEnd.error);
  }
}
