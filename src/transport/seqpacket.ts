/** `ux` and `uxf`: one message is one packet on an AF_UNIX SOCK_SEQPACKET socket (xcm-transports.md, 3). */

import {
  type Addon,
  type NativeSocket,
  requireAddon,
  WATCH_READABLE,
  WATCH_WRITABLE,
  WRITABLE_EVENT,
} from "./addon.js";
import { formatUx, type UnixAddress } from "./address.js";
import { BaseConnection } from "./connection.js";
import { fromErrno } from "./errors.js";
import { beginOf, MessageQueue } from "./message-queue.js";
import type { Outbox } from "./outbox.js";
import type { PeerCredentials, TransportError } from "./transport.js";

/** `sun_path` as XCM fills it: an abstract name with its exact length, a path padded to the whole field. */
export function sunPath({ transport, name }: UnixAddress): Buffer {
  if (transport === "ux") return Buffer.from(`\0${name}`);
  const path = Buffer.alloc(108);
  path.write(name);
  return path;
}

/**
 * HOT: `take` and the event callback run once per batch; per message there is one call of the owner and, for an answer,
 * one entry of the send table. With one message at a time an echo costs three system calls: epoll_wait, recvmmsg,
 * sendmmsg.
 */
export class SeqpacketConnection extends BaseConnection {
  readonly transport: "ux" | "uxf";
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly credentials: PeerCredentials | undefined;
  readonly #addon: Addon;
  readonly #socket: NativeSocket;
  #started = false;
  #watched = 0;
  /** What the kernel has not taken yet. */
  readonly #backlog = new MessageQueue();
  /** What was received but not delivered: the rest of the batch in which the owner paused or threw. */
  #kept: MessageQueue | undefined;
  #keptScheduled = false;
  /** The end that was received behind `#kept`. */
  #endAfterKept: { readonly error: TransportError | undefined } | undefined;
  /** Why sending is over although the peer's last messages may still be unread. */
  #sendError: TransportError | undefined;

  /** `server` is the listener's address, at whichever end of the connection that is. */
  constructor(outbox: Outbox, socket: NativeSocket, server: UnixAddress, accepted: boolean) {
    super(outbox);
    this.#addon = requireAddon();
    this.#socket = socket;
    this.transport = server.transport;
    const serverText = `${server.transport}:${server.name}`;
    const clientText = server.transport === "uxf" ? "uxf:" : nameOf(accepted ? socket.peerName() : socket.localName());
    this.localAddress = accepted ? serverText : clientText;
    this.remoteAddress = accepted ? clientText : serverText;
    const peer = socket.credentials();
    this.credentials = typeof peer === "number" ? undefined : { pid: peer[0], uid: peer[1], gid: peer[2] };
  }

  get queuedMessages(): number {
    return this.#backlog.messages;
  }

  get queuedBytes(): number {
    return this.#backlog.bytes;
  }

  setKeepalive(): void {}

  take(outbox: Outbox, head: number): void {
    if (this.ended || this.#sendError !== undefined) return;
    if (this.#backlog.messages > 0) {
      this.#keep(outbox, head);
      return;
    }
    const entries = outbox.entries;
    const { sendTable, sendBatch } = this.#addon;
    let entry = head;
    while (entry !== 0) {
      const batch = entry;
      let count = 0;
      while (entry !== 0 && count < sendBatch) {
        const begin = entries[entry]!;
        sendTable[2 * count] = begin;
        sendTable[2 * count + 1] = entries[entry + 1]! - begin;
        count++;
        entry = entries[entry + 2]!;
      }
      const sent = this.#socket.send(outbox.bytes.buffer, count);
      if (sent === count) continue;
      if (sent < 0) {
        this.#sendingFailed(sent);
        return;
      }
      entry = batch;
      for (let i = 0; i < sent; i++) entry = entries[entry + 2]!;
      this.#keep(outbox, entry);
      this.#watch();
      return;
    }
  }

  /** Copies a chain, from `entry` on, to the backlog. */
  #keep(outbox: Outbox, entry: number): void {
    for (let at = entry; at !== 0; at = outbox.entries[at + 2]!) {
      this.#backlog.push(outbox.bytes, outbox.entries[at]!, outbox.entries[at + 1]!);
    }
  }

  protected readingChanged(): void {
    if (!this.#started) {
      this.#started = true;
      const error = this.#socket.start((event) => this.#onEvent(event));
      if (error < 0) {
        this.end(fromErrno(error, this.remoteAddress));
        return;
      }
    }
    if (!this.paused && this.#kept !== undefined) this.#scheduleKept();
    this.#watch();
  }

  protected release(): void {
    this.#socket.close();
    this.#backlog.clear();
    this.#kept = undefined;
  }

  #watch(): void {
    const read = !this.paused && this.#kept === undefined;
    const events = (read ? WATCH_READABLE : 0) | (this.#backlog.messages > 0 ? WATCH_WRITABLE : 0);
    if (events === this.#watched || this.ended) return;
    this.#watched = events;
    this.#socket.watch(events);
  }

  #onEvent(event: number): void {
    if (event === WRITABLE_EVENT) this.#sendBacklog();
    else this.#deliver(event);
  }

  #deliver(count: number): void {
    const { received, receiveArena, slotStride } = this.#addon;
    const end = received[this.#addon.receiveBatch]!;
    let next = 0;
    this.outbox.enter();
    try {
      while (next < count && !this.paused && !this.ended) {
        const length = received[next]!;
        if (length > this.maxMessageLength) {
          this.end(this.tooLong(length));
          break;
        }
        const start = next++ * slotStride;
        this.owner.onMessage(receiveArena, start, start + length);
      }
    } finally {
      if (!this.ended && (next < count || end !== 0)) this.#keepReceived(next, count, end);
      this.outbox.leave();
    }
  }

  /** The batch was left at message `next`, or it is the last one: the arena is about to be used for another socket. */
  #keepReceived(next: number, count: number, end: number): void {
    const { received, receiveArena, slotStride } = this.#addon;
    if (end !== 0) this.#endAfterKept = { error: this.#endError(end) };
    if (next === count) {
      this.end(this.#endAfterKept?.error);
      return;
    }
    this.#kept = new MessageQueue();
    for (let i = next; i < count; i++) {
      const length = received[i]!;
      if (length > this.maxMessageLength) {
        this.#endAfterKept = { error: this.tooLong(length) };
        break;
      }
      this.#kept.push(receiveArena, i * slotStride, i * slotStride + length);
    }
    if (!this.paused) this.#scheduleKept();
    this.#watch();
  }

  /** `end` as the addon reports it: 1 or -errno. */
  #endError(end: number): TransportError | undefined {
    if (end < 0) return fromErrno(end, this.remoteAddress);
    return this.#sendError?.code === "ECONNRESET" ? this.#sendError : undefined;
  }

  #scheduleKept(): void {
    if (this.#keptScheduled) return;
    this.#keptScheduled = true;
    queueMicrotask(() => {
      this.#keptScheduled = false;
      this.inTurn(() => this.#deliverKept());
    });
  }

  #deliverKept(): void {
    try {
      for (let kept = this.#kept; kept !== undefined && kept.messages > 0 && !this.paused; kept = this.#kept) {
        const chunk = kept.oldest;
        const index = chunk.first;
        kept.drop(1); // before the call, so that a message on which the owner throws is not delivered again
        this.owner.onMessage(chunk.bytes, beginOf(chunk, index), chunk.ends[index]!);
      }
    } finally {
      if (!this.ended && this.#kept !== undefined) {
        if (this.#kept.messages === 0) {
          this.#kept = undefined;
          if (this.#endAfterKept !== undefined) this.end(this.#endAfterKept.error);
        } else if (!this.paused) this.#scheduleKept();
        this.#watch();
      }
    }
  }

  #sendBacklog(): void {
    const backlog = this.#backlog;
    const { sendTable, sendBatch } = this.#addon;
    while (backlog.messages > 0) {
      const chunk = backlog.oldest;
      const count = Math.min(chunk.ends.length - chunk.first, sendBatch);
      for (let i = 0; i < count; i++) {
        const begin = beginOf(chunk, chunk.first + i);
        sendTable[2 * i] = begin;
        sendTable[2 * i + 1] = chunk.ends[chunk.first + i]! - begin;
      }
      const sent = this.#socket.send(chunk.bytes.buffer, count);
      if (sent < 0) {
        this.#sendingFailed(sent);
        return;
      }
      if (sent > 0) backlog.drop(sent);
      if (sent < count) return;
    }
    this.#watch();
    this.inTurn(() => this.owner.onDrain());
  }

  /**
   * When the peer has gone, what it sent before may still be unread: then only sending is over, what is queued and what
   * follows is dropped, and the connection ends when reading comes to the end.
   */
  #sendingFailed(errorNumber: number): void {
    const error = fromErrno(errorNumber, this.remoteAddress);
    if (error.code !== "EPIPE" && error.code !== "ECONNRESET") {
      this.end(error);
      return;
    }
    this.#sendError = error;
    if (this.#backlog.messages === 0) return;
    this.#backlog.clear();
    this.#watch();
    queueMicrotask(() => {
      if (!this.ended) this.inTurn(() => this.owner.onDrain());
    });
  }
}

function nameOf(sunPathOrError: Buffer | number): string {
  return typeof sunPathOrError === "number" ? "ux:" : formatUx(sunPathOrError);
}
