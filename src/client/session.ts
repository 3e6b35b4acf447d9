/**
 * One connection to one server, one method per protocol command (pathfinder-protocol.md, 6). It does not reconnect and
 * keeps nothing: tools and tests use it as it is.
 */

import type { Match, Service, ServiceState } from "../core/directory-access.js";
import {
  CLIENTS,
  HELLO,
  MAX_VERSION,
  MIN_VERSION,
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
import type { RequestFields } from "../wire/requests.js";
import type { Message } from "../wire/scanner.js";
import { onAbort } from "./abort-listeners.js";
import { abortable } from "./abortable.js";
import { Conversation } from "./conversation.js";
import type { ClientState, SubscriptionState } from "./message-contents.js";
import { ServerLimitError, type ServerLimits, serverLimits } from "./server-limits.js";
import type { CallOptions, SessionOptions } from "./session-options.js";

export { MAX_VERSION, MIN_VERSION } from "../wire/commands.js";
export { ProtocolError } from "../wire/protocol-error.js";
export type { ClientState, SubscriptionState } from "./message-contents.js";
export { RequestError, SessionClosedError } from "./session-errors.js";
export type { CallOptions, SessionOptions } from "./session-options.js";

/**
 * Every call rejects with a `RequestError` if the server refuses it, with the reason of the session's end if that comes
 * first (a `SessionClosedError`, `TransportError`, `ProtocolError` or `ServerLimitError`), with a `TransportError`
 * `EMSGSIZE` if the request is longer than the 65,535 bytes that a server reads, and with the reason of its signal. There
 * is no other time limit: `AbortSignal.timeout` makes one. Calls need not wait for each other: the server takes them in
 * order.
 */
export class Session {
  /**
   * Settles when the session has ended: with `undefined` if `close` was called, else with the reason (a
   * `SessionClosedError` if the server left in order). Never rejects.
   */
  readonly closed: Promise<Error | undefined>;
  private version = MAX_VERSION;
  /** Of the track transaction, once it was accepted. */
  private trackTaId: bigint | undefined;

  private constructor(
    private readonly address: string,
    private readonly conversation: Conversation,
    private readonly options: SessionOptions,
    private readonly limits: ServerLimits,
  ) {
    this.closed = conversation.closed;
  }

  /**
   * Connects and says hello. Rejects with a `TransportError` (no connection), a `RequestError` (refused), a
   * `ProtocolError`, or the signal's reason. Connecting has its own time limit, the server's answer has none but the
   * signal.
   */
  static async connect(address: string, options: SessionOptions): Promise<Session> {
    const { signal } = options;
    const limits = serverLimits(options.limits);
    const conversation = await Conversation.open(address, options);
    const forget = signal && onAbort(signal, () => conversation.end(signal.reason as Error));
    try {
      const session = new Session(address, conversation, options, limits);
      signal?.throwIfAborted(); // it may have come between the connection and the listener
      options.onConnected?.();
      await session.hello();
      if (session.version >= 3) conversation.setKeepalive(false);
      return session;
    } catch (error) {
      conversation.end(undefined);
      throw error;
    } finally {
      forget?.();
    }
  }

  /** The negotiated version. */
  get protocolVersion(): number {
    return this.version;
  }

  get remoteAddress(): string {
    return this.conversation.remoteAddress;
  }

  /** Says hello again, as `connect` did (6.1); resolves to the negotiated version. */
  async hello({ signal }: CallOptions = {}): Promise<number> {
    const { options } = this;
    const fields = {
      "client-id": options.clientId,
      "protocol-minimum-version": BigInt(options.minVersion ?? MIN_VERSION),
      "protocol-maximum-version": BigInt(options.maxVersion ?? MAX_VERSION),
    };
    await this.request(HELLO, fields, signal, (message) => {
      this.version = this.negotiated(message, options);
    });
    return this.version;
  }

  /** Resolves with the server's answer (6.10). */
  ping({ signal }: CallOptions = {}): Promise<void> {
    return this.request(PING, {}, signal);
  }

  /** Publishes a service, or a higher generation of it (6.7). */
  publish(service: Service, { signal }: CallOptions = {}): Promise<void> {
    const fields = {
      "service-id": service.id,
      generation: service.generation,
      "service-props": service.properties,
      ttl: service.ttlSeconds,
    };
    return this.request(PUBLISH, fields, signal);
  }

  /** Takes a service back; it may be another client's of the same user (6.8). */
  unpublish(serviceId: bigint, { signal }: CallOptions = {}): Promise<void> {
    return this.request(UNPUBLISH, { "service-id": serviceId }, signal);
  }

  /** All services that match, orphans included, in the order in which they were made (6.6). */
  services(filter?: string, { signal }: CallOptions = {}): Promise<ServiceState[]> {
    const fields = filter === undefined ? {} : { filter };
    return this.list(SERVICES, fields, signal, (message) => this.conversation.reader.service(message));
  }

  /** Those of all clients, oldest first (6.5). */
  subscriptions({ signal }: CallOptions = {}): Promise<SubscriptionState[]> {
    return this.list(SUBSCRIPTIONS, {}, signal, (message) => this.conversation.reader.subscription(message));
  }

  /** Everyone who is connected (6.9). */
  clients({ signal }: CallOptions = {}): Promise<ClientState[]> {
    return this.list(CLIENTS, {}, signal, (message) => this.conversation.reader.client(message));
  }

  /**
   * Subscribes (6.3); resolves when the server has accepted. Matches come until the session ends or `unsubscribe` has
   * been answered; the first ones may come before this resolves. What `onMatch` throws ends the session. `onEnd` is
   * called when the server has ended the subscription, as it does when asked to unsubscribe (before or after its
   * answer). If the signal aborts before the server has accepted, there will be no matches.
   */
  subscribe(
    subscriptionId: bigint,
    filter: string | undefined,
    onMatch: (match: Match) => void,
    onEnd?: () => void,
    { signal }: CallOptions = {},
  ): Promise<void> {
    let accepted = false;
    const fields = { "subscription-id": subscriptionId, ...(filter === undefined ? {} : { filter }) };
    return this.conversation.request(SUBSCRIBE, fields, signal, (resolve) => ({
      onAccept: () => {
        accepted = !signal?.aborted;
        if (accepted) resolve();
        else this.unsubscribe(subscriptionId).catch(() => {}); // nobody is there any more to be told
      },
      onNotify: (message) => {
        if (accepted) onMatch(this.conversation.reader.match(message));
      },
      onComplete: () => {
        if (accepted) onEnd?.();
      },
    }));
  }

  /** Ends a subscription of this client (6.4). */
  unsubscribe(subscriptionId: bigint, { signal }: CallOptions = {}): Promise<void> {
    return this.request(UNSUBSCRIBE, { "subscription-id": subscriptionId }, signal);
  }

  /**
   * Answers the server's questions for a sign of life from now on, so that an idle session stays (9.2). Does nothing in
   * version 2, which does not have it and does not need it.
   */
  track(options: CallOptions = {}): Promise<void> {
    return this.version < 3 ? Promise.resolve() : this.startTrack(undefined, options);
  }

  /**
   * The same, but the request is sent in version 2 as well, whose servers then end the connection. `onAnswered` runs
   * after each answer.
   */
  startTrack(onAnswered: () => void = () => {}, { signal }: CallOptions = {}): Promise<void> {
    return this.conversation.request(TRACK, {}, signal, (resolve, taId) => ({
      onAccept: () => {
        this.trackTaId = taId;
        resolve();
      },
      onNotify: (message) => {
        if (message.trackType !== TRACK_QUERY) return this.conversation.replies.came();
        const { unreadReplies } = this.limits;
        if (this.conversation.replies.unreadWith(this.conversation.queuedMessages) > unreadReplies)
          throw this.beyond("unreadReplies");
        this.conversation.inform(taId, "reply");
        onAnswered();
      },
      onComplete() {
        throw new ProtocolError("track: the server ended it");
      },
    }));
  }

  /** Asks the server for a sign of life; resolves with its reply. Only after `track` was accepted. */
  trackQuery({ signal }: CallOptions = {}): Promise<void> {
    const { trackTaId } = this;
    if (trackTaId === undefined) return Promise.reject(new Error("track was not accepted"));
    if (this.ended) return Promise.reject(this.ended);
    return abortable(signal, () => {
      this.conversation.inform(trackTaId, "query");
      return this.conversation.replies.expect();
    });
  }

  /**
   * Takes no message from the server until `resumeReading`; at most the rest of what has arrived. A server that waits too
   * long for this or for a sign of life ends the session.
   */
  pauseReading(): void {
    this.conversation.pauseReading();
  }

  resumeReading(): void {
    this.conversation.resumeReading();
  }

  /** Leaves at once: what is published becomes orphans. Twice is harmless. */
  close(): void {
    this.conversation.end(undefined);
  }

  /** Why the session is over; `undefined` while it is not. */
  get ended(): Error | undefined {
    return this.conversation.ended;
  }

  // --- transactions -------------------------------------------------------------------------------------------------

  private request(
    command: number,
    fields: RequestFields,
    signal: AbortSignal | undefined,
    onComplete?: (message: Message) => void,
  ): Promise<void> {
    return this.conversation.request(command, fields, signal, (resolve) => ({
      onComplete: (message) => {
        onComplete?.(message);
        resolve();
      },
    }));
  }

  private list<T>(
    command: number,
    fields: RequestFields,
    signal: AbortSignal | undefined,
    element: (message: Message) => T,
  ): Promise<T[]> {
    const { listedElements, listedBytes } = this.limits;
    const elements: T[] = [];
    let bytes = 0;
    return this.conversation.request<T[]>(command, fields, signal, (resolve) => ({
      onNotify: (message, length) => {
        if (signal?.aborted) return;
        bytes += length;
        if (elements.length === listedElements) throw this.beyond("listedElements");
        if (bytes > listedBytes) throw this.beyond("listedBytes");
        elements.push(element(message));
      },
      onComplete: () => resolve(elements),
    }));
  }

  private beyond(limit: keyof ServerLimits): ServerLimitError {
    return new ServerLimitError(this.address, limit, this.limits[limit]);
  }

  private negotiated(message: Message, { minVersion = MIN_VERSION, maxVersion = MAX_VERSION }: SessionOptions): number {
    const version = this.conversation.reader.version(message);
    if (version >= minVersion && version <= maxVersion) return version;
    throw new ProtocolError(`hello complete: version ${version} was not offered (${minVersion} to ${maxVersion})`);
  }
}
