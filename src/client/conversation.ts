/** The messages of one connection: requests go out, answers find their transaction, and it ends once. */

import { connect } from "../transport/index.js";
import { Outbox } from "../transport/outbox.js";
import { type Connection, MAX_MESSAGE_LENGTH, TransportError } from "../transport/transport.js";
import { COMMANDS, MAX_VERSION, TRACK } from "../wire/commands.js";
import { encodeMessage, type RequestFields } from "../wire/requests.js";
import { onAbort } from "./abort-listeners.js";
import { abortable } from "./abortable.js";
import { MessageReader } from "./message-contents.js";
import { SessionClosedError } from "./session-errors.js";
import type { SessionOptions } from "./session-options.js";
import { TrackReplies } from "./track-replies.js";
import { type Transaction, Transactions } from "./transactions.js";

export class Conversation {
  /** Settles when it has ended: with `undefined` if `end(undefined)` was called, else with the reason. */
  readonly closed: Promise<Error | undefined>;
  readonly reader = new MessageReader();
  /** To our track queries. */
  readonly replies = new TrackReplies();
  private readonly transactions = new Transactions();
  private readonly outbox: Outbox;
  private connection!: Connection;
  private endedBy: Error | undefined;
  private settleClosed!: (error: Error | undefined) => void;

  private constructor(private readonly options: SessionOptions) {
    this.outbox = options.outbox ?? new Outbox();
    this.closed = new Promise((resolve) => {
      this.settleClosed = resolve;
    });
  }

  /** Connects. Rejects with a `TransportError` or the signal's reason. */
  static async open(address: string, options: SessionOptions): Promise<Conversation> {
    const conversation = new Conversation(options);
    const { signal } = options;
    // A signal of our own, to which the transport may add listeners as it likes.
    const stop = new AbortController();
    if (signal?.aborted) stop.abort();
    const forget = signal && onAbort(signal, () => stop.abort());
    const connecting = connect(address, {
      outbox: conversation.outbox,
      listener: {
        onMessage: (bytes, start, end) => conversation.onMessage(bytes, start, end),
        onDrain() {},
        onClose: (error) => conversation.onClose(error),
      },
      signal: stop.signal,
      ...(options.connectTimeoutMs === undefined ? {} : { connectTimeoutMs: options.connectTimeoutMs }),
      ...(options.tls ? { tls: options.tls } : {}),
      ...(options.algorithm ? { algorithm: options.algorithm } : {}),
      ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      ...(options.networkNamespace === undefined ? {} : { networkNamespace: options.networkNamespace }),
    });
    try {
      conversation.connection = await connecting;
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      forget?.();
    }
    return conversation;
  }

  get remoteAddress(): string {
    return this.connection.remoteAddress;
  }

  /** Messages that the kernel has not taken yet. */
  get queuedMessages(): number {
    return this.connection.queuedMessages;
  }

  /** Why it is over; `undefined` while it is not. */
  get ended(): Error | undefined {
    return this.endedBy;
  }

  setKeepalive(on: boolean): void {
    this.connection.setKeepalive(on);
  }

  pauseReading(): void {
    this.connection.pauseReading();
  }

  resumeReading(): void {
    this.connection.resumeReading();
  }

  /**
   * Sends a request; resolves when the transaction that `make` returns calls `resolve`. Rejects with a `RequestError`,
   * the reason of the end, a `TransportError` `EMSGSIZE`, or the signal's reason.
   */
  request<T = void>(
    command: number,
    fields: RequestFields,
    signal: AbortSignal | undefined,
    make: (resolve: (value: T) => void, taId: bigint) => Omit<Transaction, "command" | "onFail">,
  ): Promise<T> {
    const begin = (resolve: (value: T) => void, reject: (error: Error) => void) => {
      if (this.endedBy) return reject(this.endedBy);
      const taId = this.transactions.newId();
      const message = encodeMessage(command, taId, "request", fields);
      if (message.length > MAX_MESSAGE_LENGTH) {
        const limit = `${message.length} bytes, of which a server reads at most ${MAX_MESSAGE_LENGTH}`;
        return reject(new TransportError("EMSGSIZE", `${COMMANDS[command]!.name} request of ${limit}`));
      }
      this.transactions.begin(taId, { command, ...make(resolve, taId), onFail: reject });
      this.send(message);
    };
    return abortable(signal, () => new Promise<T>(begin));
  }

  /** In the track transaction `taId`. */
  inform(taId: bigint, trackType: "query" | "reply"): void {
    if (!this.endedBy) this.send(encodeMessage(TRACK, taId, "inform", { "track-type": trackType }));
  }

  /** All that is open rejects, now and later: with `error`, or a `SessionClosedError`. Twice is harmless. */
  end(error: Error | undefined): void {
    // Garbage may have ended it before its connection was handed over.
    this.connection?.close();
    if (this.endedBy) return;
    this.endedBy = error ?? new SessionClosedError("the session was closed");
    this.transactions.failAll(this.endedBy);
    this.replies.failAll(this.endedBy);
    this.settleClosed(error);
  }

  private send(message: Uint8Array): void {
    this.options.trace?.("sent", () => textOf(message, 0, message.length));
    const at = this.outbox.begin(message.length);
    this.outbox.bytes.set(message, at);
    this.outbox.commit(this.connection, at + message.length);
  }

  private onMessage(bytes: Uint8Array, start: number, end: number): void {
    const { onHeard, trace } = this.options;
    try {
      onHeard?.();
      trace?.("received", () => textOf(bytes, start, end));
      this.transactions.dispatch(this.reader.scan(bytes, start, end, MAX_VERSION), end - start);
    } catch (error) {
      this.end(error as Error);
    }
  }

  private onClose(error: TransportError | undefined): void {
    this.end(error ?? (this.endedBy ? undefined : new SessionClosedError("the server closed the connection")));
  }
}

const textOf = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
