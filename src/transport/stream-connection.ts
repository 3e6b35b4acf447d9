/**
 * Frames on a byte stream of Node's (xcm-transports.md, 4.1), whatever the stream is made of: reading that can stop
 * between any two messages, writing that knows what the kernel has not taken yet, and the stream's end.
 */

import type { Socket } from "node:net";
import { formatHostAndPort } from "./address.js";
import { BaseConnection } from "./connection.js";
import { fromCode, fromNode } from "./errors.js";
import { FrameReader, writeHeader } from "./frames.js";
import { HEADER_LENGTH, type Outbox } from "./outbox.js";
import { setConnectionOptions, setKeepalive } from "./tcp-options.js";
import { MAX_MESSAGE_LENGTH, TransportError } from "./transport.js";

export abstract class StreamConnection extends BaseConnection {
  readonly transport: "tcp" | "tls";
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly credentials = undefined;
  protected readonly stream: Socket;
  readonly #tcp: Socket;
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

  /** `tcp` is connected and not being read; `stream` is it or goes over it. Neither is read before `readingChanged`. */
  constructor(outbox: Outbox, transport: "tcp" | "tls", tcp: Socket, stream: Socket = tcp) {
    super(outbox);
    this.#tcp = tcp;
    this.stream = stream;
    this.transport = transport;
    // A peer that has already gone leaves the socket without addresses; its end is reported as soon as it is read.
    this.localAddress = `${transport}:${formatHostAndPort(tcp.localAddress ?? "0.0.0.0", tcp.localPort ?? 0)}`;
    this.remoteAddress = `${transport}:${formatHostAndPort(tcp.remoteAddress ?? "0.0.0.0", tcp.remotePort ?? 0)}`;
    setConnectionOptions(tcp);
    stream.pause();
    stream.on("data", (chunk: Buffer) => this.onData(chunk));
    stream.on("end", () => this.#onStreamEnd(this.orderlyEnd()));
    stream.on("error", (error) => this.streamFailed(error));
    stream.on("close", () => this.#onStreamEnd(this.orderlyEnd()));
  }

  get queuedMessages(): number {
    return this.#queuedMessages;
  }

  get queuedBytes(): number {
    return this.#queuedMessages === 0 ? 0 : this.stream.writableLength;
  }

  setKeepalive(on: boolean): void {
    if (!this.ended) setKeepalive(this.#tcp, on);
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
    this.write(frames, messages);
  }

  protected write(frames: Uint8Array, messages: number): void {
    this.stream.write(frames, this.#onWritten);
    const queued = this.stream.writableLength === 0 ? 0 : messages;
    this.#writes.push(queued);
    this.#queuedMessages += queued;
  }

  readonly #onWritten = (): void => {
    const messages = this.#writes.shift() ?? 0;
    if (messages === 0) return;
    this.#queuedMessages -= messages;
    if (this.#queuedMessages === 0 && !this.ended) this.inTurn(() => this.owner.onDrain());
  };

  /** What the end of the stream means for the owner: nothing, if the peer may end it now. */
  protected orderlyEnd(): TransportError | undefined {
    return undefined;
  }

  protected describe(error: Error): TransportError {
    return fromNode(error, this.remoteAddress);
  }

  protected streamFailed(error: Error): void {
    this.#onStreamEnd(this.describe(error));
  }

  protected readingChanged(): void {
    if (this.paused) this.#stopReading();
    else if (this.#kept) this.#scheduleKept();
    else this.#startReading();
  }

  protected release(): void {
    this.#writes.length = 0;
    this.#queuedMessages = 0;
    this.letGo();
  }

  /** Ends the socket. */
  protected letGo(): void {
    this.stream.destroy();
  }

  #startReading(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.stream.resume();
  }

  #stopReading(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.stream.pause();
  }

  protected onData(chunk: Uint8Array): void {
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
      this.#frames.maxLength = this.maxMessageLength;
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
