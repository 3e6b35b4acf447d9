/**
 * One connection to one server, one method per protocol command (pathfinder-protocol.md, 6). It does not reconnect and
 * keeps nothing: tools and tests use it as it is.
 */

import type { Match, Service, ServiceState } from "../core/directory-access.js";
import type { FailReason } from "../core/fail-reason.js";
import { PairHash } from "../core/pair-hash.js";
import { RecordBuilder, toProperties } from "../core/record.js";
import { toBigInt } from "../core/uint63.js";
import { connect } from "../transport/index.js";
import { Outbox } from "../transport/outbox.js";
import { type Connection, MAX_MESSAGE_LENGTH, type TlsFiles, TransportError } from "../transport/transport.js";
import {
  ACCEPT,
  CLIENTS,
  COMMANDS,
  COMPLETE,
  F,
  FAIL,
  HELLO,
  MATCH_TYPES,
  MAX_VERSION,
  MIN_VERSION,
  NOTIFY,
  PING,
  PUBLISH,
  SERVICES,
  SUBSCRIBE,
  SUBSCRIPTIONS,
  TRACK,
  TRACK_QUERY,
  UNPUBLISH,
  UNSUBSCRIBE,
} from "../wire/commands.js";
import { ProtocolError } from "../wire/protocol-error.js";
import { encodeMessage, type RequestFields } from "../wire/requests.js";
import { type Message, Scanner } from "../wire/scanner.js";

export { MAX_VERSION, MIN_VERSION } from "../wire/commands.js";
export { ProtocolError } from "../wire/protocol-error.js";

/** The server refused a request. Applications match on `failReason`, never on the text. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  constructor(
    readonly command: string,
    /** Absent if the server gave none (pathfinder-protocol.md, 4). */
    readonly failReason: FailReason | undefined,
  ) {
    super(`the server refused ${command}: ${failReason ?? "no reason given"}`);
  }
}

/** The session has ended, so the request can not be made or will not be answered. */
export class SessionClosedError extends Error {
  override readonly name = "SessionClosedError";
}

export interface SubscriptionState {
  readonly id: bigint;
  readonly client: bigint;
  /** Canonical text; absent if the subscription has no filter. */
  readonly filter?: string;
}

export interface ClientState {
  readonly id: bigint;
  /** As XCM prints it, e.g. `tcp:192.0.2.1:4711`. */
  readonly address: string;
  /** When it connected, in seconds since the UNIX epoch. */
  readonly connectedAt: number;
  /** The rest only if this session speaks version 3. */
  readonly idleSeconds?: number;
  readonly protocolVersion?: number;
  readonly latencySeconds?: number;
}

export interface SessionOptions {
  readonly clientId: bigint;
  readonly minVersion?: number;
  readonly maxVersion?: number;
  /** Ends connecting and the handshake. */
  readonly signal?: AbortSignal;
  readonly connectTimeoutMs?: number;
  /** For `tls` and `utls` addresses. */
  readonly tls?: TlsFiles;
  readonly outbox?: Outbox;
  /** How the addresses of a name are tried. */
  readonly algorithm?: "single" | "sequential" | "happy_eyeballs";
  /** XCM address to connect from. */
  readonly localAddress?: string;
  /** Linux network namespace, a name below /run/netns, to connect from. */
  readonly networkNamespace?: string;
  /** The connection stands; the hello is on its way. */
  readonly onConnected?: () => void;
  /** Called for every message of the server, before it is looked at; also for those of the handshake. */
  readonly onHeard?: () => void;
}

/** A transaction that waits for messages of the server. */
interface Transaction {
  readonly command: number;
  /** The server has said `accept`; only in transactions with notifications, before the first of which it must come. */
  accepted?: boolean;
  onAccept?(): void;
  onNotify?(message: Message): void;
  onComplete(message: Message): void;
  onFail(error: Error): void;
}

const number = (message: Message, field: number): bigint => toBigInt(message.hi(field), message.lo(field));

export class Session {
  /**
   * Settles when the session has ended: with `undefined` if `close` was called, else with the reason (a
   * `SessionClosedError` if the server left in order).
   */
  readonly closed: Promise<Error | undefined>;
  private readonly transactions = new Map<bigint, Transaction>();
  private readonly builder = new RecordBuilder(new PairHash(0, 0));
  private readonly scanner = new Scanner({ builder: this.builder, ignoreUnknownMembers: true });
  private readonly outbox: Outbox;
  private readonly onHeard: (() => void) | undefined;
  private connection!: Connection;
  private nextTaId = 0n;
  private version = MAX_VERSION;
  private endedBy: Error | undefined;
  private trackTaId: bigint | undefined;
  /** Who waits for a reply to a track query, oldest first. */
  private readonly onReplies: (() => void)[] = [];
  private settleClosed!: (error: Error | undefined) => void;

  private constructor(private readonly options: SessionOptions) {
    this.outbox = options.outbox ?? new Outbox();
    this.onHeard = options.onHeard;
    this.closed = new Promise((resolve) => {
      this.settleClosed = resolve;
    });
  }

  /**
   * Connects and says hello. Rejects with a `TransportError` (no connection), a `RequestError` (refused), or the
   * signal's reason.
   */
  static async connect(address: string, options: SessionOptions): Promise<Session> {
    const session = new Session(options);
    const { signal } = options;
    const connecting = connect(address, {
      outbox: session.outbox,
      listener: {
        onMessage: (bytes, start, end) => session.onMessage(bytes, start, end),
        onDrain() {},
        onClose: (error) => session.onClose(error),
      },
      ...(signal ? { signal } : {}),
      ...(options.connectTimeoutMs === undefined ? {} : { connectTimeoutMs: options.connectTimeoutMs }),
      ...(options.tls ? { tls: options.tls } : {}),
      ...(options.algorithm ? { algorithm: options.algorithm } : {}),
      ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      ...(options.networkNamespace === undefined ? {} : { networkNamespace: options.networkNamespace }),
    });
    session.connection = await connecting.catch((error: unknown) => {
      throw signal?.aborted ? signal.reason : error;
    });
    const onAbort = () => session.end(signal!.reason as Error);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      signal?.throwIfAborted(); // it may have come between the connection and the listener
      options.onConnected?.();
      await session.hello();
      if (session.version >= 3) session.connection.setKeepalive(false);
    } catch (error) {
      session.close();
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
    return session;
  }

  /** The negotiated version. */
  get protocolVersion(): number {
    return this.version;
  }

  get remoteAddress(): string {
    return this.connection.remoteAddress;
  }

  /** Says hello again, as `connect` did (6.1); resolves to the negotiated version. */
  async hello(): Promise<number> {
    const { options } = this;
    const fields = {
      "client-id": options.clientId,
      "protocol-minimum-version": BigInt(options.minVersion ?? MIN_VERSION),
      "protocol-maximum-version": BigInt(options.maxVersion ?? MAX_VERSION),
    };
    await this.request(HELLO, fields, (message) => {
      this.version = this.negotiated(message, options);
    });
    return this.version;
  }

  ping(): Promise<void> {
    return this.request(PING);
  }

  publish(service: Service): Promise<void> {
    return this.request(PUBLISH, {
      "service-id": service.id,
      generation: service.generation,
      "service-props": service.properties,
      ttl: service.ttlSeconds,
    });
  }

  unpublish(serviceId: bigint): Promise<void> {
    return this.request(UNPUBLISH, { "service-id": serviceId });
  }

  services(filter?: string): Promise<ServiceState[]> {
    return this.list(SERVICES, filter === undefined ? {} : { filter }, (message) => this.serviceState(message));
  }

  subscriptions(): Promise<SubscriptionState[]> {
    return this.list(SUBSCRIPTIONS, {}, (message) => ({
      id: number(message, F.subscriptionId),
      client: number(message, F.clientId),
      ...(message.has(F.filter) ? { filter: message.text(F.filter) } : {}),
    }));
  }

  clients(): Promise<ClientState[]> {
    return this.list(CLIENTS, {}, (message) => ({
      id: number(message, F.clientId),
      address: message.text(F.clientAddress),
      connectedAt: Number(number(message, F.time)),
      ...(message.has(F.idle) ? { idleSeconds: message.numbers[F.idle] } : {}),
      ...(message.has(F.version) ? { protocolVersion: Number(number(message, F.version)) } : {}),
      ...(message.has(F.latency) ? { latencySeconds: message.numbers[F.latency] } : {}),
    }));
  }

  /**
   * Subscribes; resolves when the server has accepted. Matches come until the session ends or `unsubscribe` has been
   * answered; the first ones may come before this resolves. What `onMatch` throws ends the session. `onEnd` is called
   * when the server has ended the subscription, as it does when asked to unsubscribe (before or after its answer).
   */
  subscribe(
    subscriptionId: bigint,
    filter: string | undefined,
    onMatch: (match: Match) => void,
    onEnd?: () => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.start(
        SUBSCRIBE,
        { "subscription-id": subscriptionId, ...(filter === undefined ? {} : { filter }) },
        {
          command: SUBSCRIBE,
          onAccept: resolve,
          onNotify: (message) => onMatch(this.match(message)),
          onComplete: () => onEnd?.(),
          onFail: reject,
        },
      );
    });
  }

  unsubscribe(subscriptionId: bigint): Promise<void> {
    return this.request(UNSUBSCRIBE, { "subscription-id": subscriptionId });
  }

  /**
   * Answers the server's questions for a sign of life from now on, so that an idle session stays (9.2). Does nothing in
   * version 2, which does not have it and does not need it.
   */
  track(): Promise<void> {
    return this.version < 3 ? Promise.resolve() : this.startTrack();
  }

  /**
   * The same, but the request is sent in version 2 as well, whose servers then end the connection. `onAnswered` runs
   * after each answer.
   */
  startTrack(onAnswered: () => void = () => {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const taId = this.start(
        TRACK,
        {},
        {
          command: TRACK,
          onAccept: () => {
            this.trackTaId = taId;
            resolve();
          },
          onNotify: (message) => {
            if (message.trackType === TRACK_QUERY) {
              this.inform(taId, "reply");
              onAnswered();
            } else {
              this.replied();
            }
          },
          onComplete() {
            throw new ProtocolError("track: the server ended it");
          },
          onFail: reject,
        },
      );
    });
  }

  /**
   * Asks the server for a sign of life; resolves with its reply. Only after `track` was accepted. Never settles if the
   * session ends before.
   */
  trackQuery(): Promise<void> {
    if (this.trackTaId === undefined) return Promise.reject(new Error("track was not accepted"));
    this.inform(this.trackTaId, "query");
    return new Promise((resolve) => {
      this.onReplies.push(resolve);
    });
  }

  /**
   * Takes no message from the server until `resumeReading`; at most the rest of what has arrived. A server that waits too
   * long for this or for a sign of life ends the session.
   */
  pauseReading(): void {
    this.connection.pauseReading();
  }

  resumeReading(): void {
    this.connection.resumeReading();
  }

  /** Leaves at once: what is published becomes orphans. Twice is harmless. */
  close(): void {
    this.end(undefined);
    // Garbage may have ended the session before its connection was handed over.
    this.connection.close();
  }

  /** Why the session is over; `undefined` while it is not. */
  get ended(): Error | undefined {
    return this.endedBy;
  }

  // --- transactions -------------------------------------------------------------------------------------------------

  private request(command: number, fields: RequestFields = {}, onComplete?: (message: Message) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.start(command, fields, {
        command,
        onComplete: (message) => {
          onComplete?.(message);
          resolve();
        },
        onFail: reject,
      });
    });
  }

  private list<T>(command: number, fields: RequestFields, element: (message: Message) => T): Promise<T[]> {
    return new Promise((resolve, reject) => {
      const elements: T[] = [];
      this.start(command, fields, {
        command,
        onNotify: (message) => void elements.push(element(message)),
        onComplete: () => resolve(elements),
        onFail: reject,
      });
    });
  }

  private start(command: number, fields: RequestFields, transaction: Transaction): bigint {
    const taId = this.nextTaId++;
    if (this.endedBy) {
      transaction.onFail(this.endedBy);
      return taId;
    }
    const message = encodeMessage(command, taId, "request", fields);
    if (message.length > MAX_MESSAGE_LENGTH) {
      const limit = `${message.length} bytes, of which a server reads at most ${MAX_MESSAGE_LENGTH}`;
      transaction.onFail(new TransportError("EMSGSIZE", `${COMMANDS[command].name} request of ${limit}`));
      return taId;
    }
    this.transactions.set(taId, transaction);
    this.send(message);
    return taId;
  }

  private inform(taId: bigint, trackType: "query" | "reply"): void {
    if (!this.endedBy) this.send(encodeMessage(TRACK, taId, "inform", { "track-type": trackType }));
  }

  private replied(): void {
    const onReply = this.onReplies.shift();
    if (!onReply) throw new ProtocolError("track: a reply that was not asked for");
    onReply();
  }

  private send(message: Uint8Array): void {
    const at = this.outbox.begin(message.length);
    this.outbox.bytes.set(message, at);
    this.outbox.commit(this.connection, at + message.length);
  }

  private onMessage(bytes: Uint8Array, start: number, end: number): void {
    try {
      this.onHeard?.();
      this.dispatch(this.scanner.scan(bytes, start, end, MAX_VERSION));
    } catch (error) {
      this.end(error as Error);
    }
  }

  private dispatch(message: Message): void {
    const taId = number(message, F.taId);
    const transaction = this.transactions.get(taId);
    if (!transaction || transaction.command !== message.command) {
      throw new ProtocolError(
        `message in transaction ${taId}, which is not open for ${COMMANDS[message.command].name}`,
      );
    }
    switch (message.type) {
      case ACCEPT:
        if (transaction.accepted) throw this.outOfOrder("a second accept", message, taId);
        transaction.accepted = true;
        transaction.onAccept?.();
        break;
      case NOTIFY:
        if (!transaction.accepted) throw this.outOfOrder("notify before accept", message, taId);
        transaction.onNotify?.(message);
        break;
      case COMPLETE:
        if (transaction.onNotify && !transaction.accepted) {
          throw this.outOfOrder("complete before accept", message, taId);
        }
        transaction.onComplete(message); // first: if it throws, the transaction fails with the others
        this.transactions.delete(taId);
        break;
      case FAIL: {
        if (transaction.accepted && transaction.onAccept) throw this.outOfOrder("fail after accept", message, taId);
        this.transactions.delete(taId);
        const reason = message.has(F.failReason) ? (message.text(F.failReason) as FailReason) : undefined;
        transaction.onFail(new RequestError(COMMANDS[message.command].name, reason));
        break;
      }
      default:
        throw new ProtocolError(`a server sends no request and no inform (transaction ${taId})`);
    }
  }

  private outOfOrder(what: string, message: Message, taId: bigint): ProtocolError {
    return new ProtocolError(`${COMMANDS[message.command].name}: ${what} (transaction ${taId})`);
  }

  private onClose(error: TransportError | undefined): void {
    this.end(error ?? (this.endedBy ? undefined : new SessionClosedError("the server closed the connection")));
  }

  private end(error: Error | undefined): void {
    if (this.endedBy) return;
    this.endedBy = error ?? new SessionClosedError("the session was closed");
    this.connection?.close();
    for (const transaction of this.transactions.values()) transaction.onFail(this.endedBy);
    this.transactions.clear();
    this.settleClosed(error);
  }

  private negotiated(message: Message, { minVersion = MIN_VERSION, maxVersion = MAX_VERSION }: SessionOptions): number {
    const version = Number(number(message, F.version));
    if (version >= minVersion && version <= maxVersion) return version;
    throw new ProtocolError(`hello complete: version ${version} was not offered (${minVersion} to ${maxVersion})`);
  }

  // --- contents -----------------------------------------------------------------------------------------------------

  private serviceState(message: Message): ServiceState {
    return {
      id: number(message, F.serviceId),
      generation: number(message, F.generation),
      ttlSeconds: number(message, F.ttl),
      properties: toProperties(this.builder.page, 0),
      owner: number(message, F.clientId),
      ...(message.has(F.orphanSince) ? { orphanSince: message.numbers[F.orphanSince] } : {}),
    };
  }

  private match(message: Message): Match {
    const type = MATCH_TYPES[message.matchType];
    if (type === "disappeared") return { type, serviceId: number(message, F.serviceId) };
    for (const field of [F.generation, F.props, F.ttl]) {
      if (!message.has(field)) throw new ProtocolError(`subscribe notify: "${type}" without the state of the service`);
    }
    return { type, service: this.serviceState(message) };
  }
}
