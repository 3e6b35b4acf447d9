/**
 * The server's side of one connection: the protocol's state machine (pathfinder-protocol.md, 4, 6, 9 and 13.1).
 *
 * Whatever goes wrong here ends this connection and nothing else: a `ProtocolError` because the peer broke the
 * protocol, any other error because we have a bug.
 */

import { NO_BLOCK } from "../core/blocks.js";
import type { Client, Subscription } from "../core/entries.js";
import type { FailReason } from "../core/fail-reason.js";
import { FilterSyntaxError } from "../core/filter/syntax.js";
import { IdTable } from "../core/id-table.js";
import { toHex, toNumber } from "../core/uint63.js";
import {
  type Connection,
  type ConnectionListener,
  MAX_MESSAGE_LENGTH,
  type TransportError,
} from "../transport/transport.js";
import {
  CLIENTS,
  COMMANDS,
  F,
  HELLO,
  INFORM,
  MESSAGE_TYPES,
  MIN_VERSION,
  PING,
  PUBLISH,
  REQUEST,
  SERVICES,
  SUBSCRIBE,
  SUBSCRIPTIONS,
  TRACK,
  TRACK_QUERY,
  TRACK_REPLY,
  UNPUBLISH,
  UNSUBSCRIBE,
} from "../wire/commands.js";
import { ProtocolError } from "../wire/protocol-error.js";
import {
  MESSAGE_ROOM,
  writeAccept,
  writeComplete,
  writeFail,
  writeHelloComplete,
  writeTrackNotify,
} from "../wire/responses.js";
import type { Message } from "../wire/scanner.js";
import { ConnectionLog } from "./connection-log.js";
import type { Domain } from "./domain.js";
import { FlowControl, type FlowOwner } from "./flow-control.js";
import { HANDSHAKE_SECONDS, Handshake, MAX_UNKNOWN_LENGTH } from "./handshake.js";
import { clientListing, firstMatches, serviceListing, subscriptionListing } from "./listing.js";
import { Liveness } from "./liveness.js";
import type { QueueOwner } from "./output-queues.js";
import { SubscribeTransaction } from "./subscribe-transaction.js";
import { Tracking } from "./tracking.js";
import { type LocalUser, userOf } from "./users.js";

/** What they cost depends on what others have published and subscribed to. */
const MAY_TAKE_LONG: ReadonlySet<number> = new Set([PUBLISH, UNPUBLISH, SUBSCRIBE, SERVICES]);

export class ServerConnection implements ConnectionListener, QueueOwner, FlowOwner {
  readonly log: ConnectionLog;
  readonly connectedAtUnix: number;
  /** The version that messages are parsed by: 2 until a hello has negotiated another (4.1). */
  version = MIN_VERSION;
  /** Present once the handshake is done. */
  client: Client | undefined;
  /** Order of the handshakes, for `clients`. */
  sequence = 0;
  lastHeardMs: number;
  private readonly handshake: Handshake;
  private open = true;
  private liveness: Liveness | undefined;
  /** By transaction id. Other transactions end within the processing of their request, or nothing is read meanwhile. */
  private transactions: IdTable<SubscribeTransaction | Tracking> | undefined;
  private tracking: Tracking | undefined;
  private readonly flow: FlowControl;
  countedBytes = 0;
  /** It ends as soon as the change that is being told is over. */
  dropping = false;
  /** Where the message that is being written begins. */
  private messageAt = 0;

  constructor(
    readonly domain: Domain,
    readonly transport: Connection,
    /** Who the clients of the socket that accepted this connection are. */
    private readonly localUser: LocalUser = "default",
  ) {
    this.log = new ConnectionLog(domain.log, () => this.prefix());
    this.connectedAtUnix = domain.clock.unixSeconds();
    this.lastHeardMs = domain.clock.monotonicMs();
    this.flow = new FlowControl(transport, domain.turns, this);
    this.handshake = new Handshake(domain, () => {
      this.log.handshakeTimeout(transport.remoteAddress, HANDSHAKE_SECONDS);
      this.drop("no handshake");
    });
    transport.maxMessageLength = MAX_UNKNOWN_LENGTH;
    this.log.accepted(transport.remoteAddress);
  }

  // --- what the transport tells -------------------------------------------------------------------------------------

  /** HOT: once per message. */
  onMessage(bytes: Uint8Array, start: number, end: number): void {
    try {
      if (this.domain.trace) this.log.received(bytes, start, end);
      this.take(bytes, start, end);
    } catch (error) {
      this.fail(error);
    }
  }

  /** `isItsTurn`: it is not put off, whoever takes long at the moment. */
  private take(bytes: Uint8Array, start: number, end: number, isItsTurn = false): void {
    const { domain, flow } = this;
    const nowMs = domain.clock.monotonicMs();
    flow.received(nowMs);
    const message = domain.scanner.scan(bytes, start, end, this.version);
    const { command } = message;
    if (!isItsTurn && MAY_TAKE_LONG.has(command) && flow.postpone(bytes, start, end)) return;
    this.process(message, nowMs);
    // Reading the clock costs as much as a few percent of a ping, which never takes long.
    flow.answered(command === PING ? nowMs : domain.clock.monotonicMs());
    domain.outputQueues.changed(this);
  }

  /** What the peer said while it had to wait was not heard: that is not its silence. */
  onTurn(putOff: Uint8Array | undefined): void {
    this.liveness?.heard(this.domain.clock.monotonicMs());
    if (putOff) this.take(putOff, 0, putOff.length, true);
  }

  onError(error: unknown): void {
    this.fail(error);
  }

  onDrain(): void {
    try {
      this.flow.proceed();
      this.domain.outputQueues.changed(this);
    } catch (error) {
      this.fail(error);
    }
  }

  onClose(error: TransportError | undefined): void {
    if (error?.code !== "EPROTO") {
      this.end(error?.message);
      return;
    }
    // What no honest peer does, and every refused certificate: whoever guards the network wants to see it.
    this.log.refusedByTransport(error.message);
    this.end("refused");
  }

  // --- ending -------------------------------------------------------------------------------------------------------

  /** Ends the connection; `why` is for the log. Twice is harmless. */
  drop(why: string): void {
    this.transport.close();
    this.end(why);
  }

  private fail(error: unknown): void {
    if (error instanceof ProtocolError) this.log.protocolError(error.message);
    else this.log.ourBug(error);
    this.drop(error instanceof ProtocolError ? "protocol error" : "internal error");
  }

  private end(why: string | undefined): void {
    if (!this.open) return;
    this.open = false;
    this.handshake.stop();
    this.liveness?.stop();
    this.flow.close();
    this.log.gone(why);
    this.domain.outputQueues.forget(this);
    this.domain.remove(this, this.dropping);
    if (this.client) this.domain.directory.disconnect(this.client);
  }

  private prefix(): string {
    return `<${this.handshake.clientText}> `;
  }

  // --- messages -----------------------------------------------------------------------------------------------------

  private process(message: Message, nowMs: number): void {
    const { client } = this;
    const { command, type } = message;
    if (client) {
      this.lastHeardMs = nowMs;
      this.liveness?.heard(nowMs);
    }
    const taHi = message.hi(F.taId);
    const taLo = message.lo(F.taId);
    if (type === INFORM) {
      this.inform(message, taHi, taLo);
      return;
    }
    if (type !== REQUEST) {
      throw new ProtocolError(
        `"${MESSAGE_TYPES[type]}" in transaction ${toNumber(taHi, taLo)} is the server's to send`,
      );
    }
    if (this.transactions?.get(taHi, taLo) !== undefined) {
      throw new ProtocolError(`request in transaction ${toNumber(taHi, taLo)}, which is still open`);
    }
    if (command === HELLO) {
      this.hello(message, taHi, taLo);
      return;
    }
    if (client === undefined) {
      this.refuse(command, taHi, taLo, "no-hello");
      return;
    }
    switch (command) {
      case PING:
        this.complete(command, taHi, taLo);
        break;
      case PUBLISH:
        this.publish(client, message, taHi, taLo);
        break;
      case UNPUBLISH:
        this.answer(
          command,
          taHi,
          taLo,
          this.domain.directory.unpublish(client, message.hi(F.serviceId), message.lo(F.serviceId)),
        );
        break;
      case SUBSCRIBE:
        this.subscribe(client, message, taHi, taLo);
        break;
      case UNSUBSCRIBE:
        this.unsubscribe(client, message, taHi, taLo);
        break;
      case SERVICES:
        this.services(message, taHi, taLo);
        break;
      case SUBSCRIPTIONS:
        this.accept(command, taHi, taLo);
        this.flow.list(subscriptionListing(this, taHi, taLo));
        break;
      case CLIENTS:
        this.accept(command, taHi, taLo);
        this.flow.list(clientListing(this, taHi, taLo));
        break;
      case TRACK:
        this.track(taHi, taLo);
        break;
    }
  }

  private hello(message: Message, taHi: number, taLo: number): void {
    const { domain, handshake } = this;
    const idHi = message.hi(F.clientId);
    const idLo = message.lo(F.clientId);
    if (!handshake.claim(idHi, idLo)) {
      const detail = `this connection has another client id than ${toHex(idHi, idLo)}`;
      this.refuse(HELLO, taHi, taLo, "permission-denied", detail);
      return;
    }
    if (this.client) {
      this.send(writeHelloComplete(domain.outbox.bytes, this.begin(), taHi, taLo, this.version));
      return;
    }
    const selected = handshake.selectVersion(message);
    if (selected === undefined) {
      this.version = MIN_VERSION;
      this.refuse(HELLO, taHi, taLo, "unsupported-protocol-version");
      return;
    }
    this.version = selected;
    const user = userOf(this.transport, this.localUser);
    this.log.user(user);
    const client = domain.directory.connect(idHi, idLo, user);
    handshake.contested = client === "client-id-exists";
    if (typeof client === "string") {
      if (handshake.contested) domain.connectionOf(domain.directory.client(idHi, idLo))?.checkLiveness();
      this.refuse(HELLO, taHi, taLo, client);
      return;
    }
    this.client = client;
    this.transport.maxMessageLength = MAX_MESSAGE_LENGTH;
    handshake.stop();
    this.sequence = domain.handshaked(client, this);
    this.lastHeardMs = domain.clock.monotonicMs();
    if (selected >= 3) {
      this.transport.setKeepalive(false);
      this.liveness = new Liveness({
        clock: domain.clock,
        timers: domain.timers,
        random: domain.random,
        limits: domain.idle,
        lowestTtlSeconds: () => client.lowestTtlSeconds,
        onTentative: () => this.onTentative(),
        onTimeout: () => {
          if (this.flow.waitsForTurn) {
            this.liveness?.heard(domain.clock.monotonicMs());
            return;
          }
          this.log.idleTimeout();
          this.drop("silent for too long");
        },
      });
    }
    this.log.handshake(selected);
    this.send(writeHelloComplete(domain.outbox.bytes, this.begin(), taHi, taLo, selected));
  }

  private publish(client: Client, message: Message, taHi: number, taLo: number): void {
    const ttlHi = message.hi(F.ttl);
    const ttlLo = message.lo(F.ttl);
    const outcome = this.domain.directory.publish(
      client,
      message.hi(F.serviceId),
      message.lo(F.serviceId),
      message.hi(F.generation),
      message.lo(F.generation),
      ttlHi,
      ttlLo,
    );
    if (outcome === "ok") this.liveness?.published(toNumber(ttlHi, ttlLo));
    this.answer(PUBLISH, taHi, taLo, outcome);
  }

  private subscribe(client: Client, message: Message, taHi: number, taLo: number): void {
    const { directory } = this.domain;
    const filter = message.has(F.filter) ? message.text(F.filter) : undefined;
    const transaction = new SubscribeTransaction(this, taHi, taLo);
    let subscription: Subscription | "subscription-id-exists" | "insufficient-resources";
    try {
      const idHi = message.hi(F.subscriptionId);
      subscription = directory.subscribe(client, idHi, message.lo(F.subscriptionId), filter, transaction);
    } catch (error) {
      if (!(error instanceof FilterSyntaxError)) throw error;
      this.refuse(SUBSCRIBE, taHi, taLo, "invalid-filter-syntax", error.message);
      return;
    }
    if (typeof subscription === "string") {
      this.refuse(SUBSCRIBE, taHi, taLo, subscription);
      return;
    }
    this.openTransaction(taHi, taLo, transaction);
    this.accept(SUBSCRIBE, taHi, taLo);
    if (subscription.initial) this.flow.list(firstMatches(directory, subscription, subscription.initial));
  }

  private unsubscribe(client: Client, message: Message, taHi: number, taLo: number): void {
    const { directory, outbox } = this.domain;
    const subscription = directory.subscription(message.hi(F.subscriptionId), message.lo(F.subscriptionId));
    if (subscription === undefined) {
      this.refuse(UNSUBSCRIBE, taHi, taLo, "non-existent-subscription-id");
    } else if (subscription.client !== client) {
      this.refuse(UNSUBSCRIBE, taHi, taLo, "permission-denied");
    } else {
      const transaction = subscription.sink as SubscribeTransaction;
      directory.removeSubscription(subscription);
      this.transactions?.delete(transaction.taHi, transaction.taLo);
      this.send(writeComplete(outbox.bytes, this.begin(), SUBSCRIBE, transaction.taHi, transaction.taLo));
      this.complete(UNSUBSCRIBE, taHi, taLo);
    }
  }

  private services(message: Message, taHi: number, taLo: number): void {
    const { directory } = this.domain;
    let program = NO_BLOCK;
    try {
      if (message.has(F.filter)) program = directory.compileFilter(message.text(F.filter));
    } catch (error) {
      if (!(error instanceof FilterSyntaxError)) throw error;
      this.log.malformedServicesFilter(error.message);
      this.send(writeFail(this.domain.outbox.bytes, this.begin(), SERVICES, taHi, taLo, "invalid-filter-syntax"));
      return;
    }
    this.accept(SERVICES, taHi, taLo);
    this.flow.list(serviceListing(this, program, taHi, taLo));
  }

  // --- track --------------------------------------------------------------------------------------------------------

  private track(taHi: number, taLo: number): void {
    if (this.tracking) {
      this.refuse(TRACK, taHi, taLo, "track-exists");
      return;
    }
    this.tracking = new Tracking(taHi, taLo);
    this.openTransaction(taHi, taLo, this.tracking);
    this.accept(TRACK, taHi, taLo);
  }

  private inform(message: Message, taHi: number, taLo: number): void {
    const transaction = this.transactions?.get(taHi, taLo);
    if (transaction === undefined) {
      throw new ProtocolError(`inform in transaction ${toNumber(taHi, taLo)}, which is not open`);
    }
    if (!(transaction instanceof Tracking)) {
      throw new ProtocolError(`inform in transaction ${toNumber(taHi, taLo)}, which is a subscription's`);
    }
    if (message.trackType === TRACK_QUERY) {
      this.send(writeTrackNotify(this.domain.outbox.bytes, this.begin(), taHi, taLo, TRACK_REPLY));
    } else {
      transaction.replied(this.domain.clock.monotonicMs());
      this.log.latency(transaction.latencySeconds!);
    }
  }

  get latencySeconds(): number | undefined {
    return this.tracking?.latencySeconds;
  }

  /** Somebody else says hello with this client's id: is this one still there? Version 2 clients can not be asked. */
  private checkLiveness(): void {
    this.liveness?.check();
  }

  private onTentative(): void {
    const { tracking } = this;
    const asks = tracking?.ask(this.domain.clock.monotonicMs()) ?? false;
    this.log.tentative(asks);
    if (!tracking || !asks) return;
    const at = this.begin();
    this.send(writeTrackNotify(this.domain.outbox.bytes, at, tracking.taHi, tracking.taLo, TRACK_QUERY));
  }

  // --- sending ------------------------------------------------------------------------------------------------------

  /** Where a message of at most `room` bytes may be written now; without texts, MESSAGE_ROOM is enough. */
  begin(room = MESSAGE_ROOM): number {
    this.messageAt = this.domain.outbox.begin(room);
    return this.messageAt;
  }

  /** Sends what was written since `begin`, up to `end`. */
  send(end: number): void {
    const { outbox, trace } = this.domain;
    if (trace) this.log.sent(outbox.bytes, this.messageAt, end);
    outbox.commit(this.transport, end);
  }

  private accept(command: number, taHi: number, taLo: number): void {
    this.send(writeAccept(this.domain.outbox.bytes, this.begin(), command, taHi, taLo));
  }

  complete(command: number, taHi: number, taLo: number): void {
    this.send(writeComplete(this.domain.outbox.bytes, this.begin(), command, taHi, taLo));
  }

  private answer(command: number, taHi: number, taLo: number, outcome: "ok" | FailReason): void {
    if (outcome === "ok") this.complete(command, taHi, taLo);
    else this.refuse(command, taHi, taLo, outcome);
  }

  private refuse(command: number, taHi: number, taLo: number, reason: FailReason, detail?: string): void {
    this.log.refused(COMMANDS[command].name, reason, detail);
    this.send(writeFail(this.domain.outbox.bytes, this.begin(), command, taHi, taLo, reason));
  }

  /** HOT: a notification was sent that this connection did not ask for just now. */
  notified(): void {
    this.domain.outputQueues.changed(this);
  }

  get queuedBytes(): number {
    return this.transport.queuedBytes;
  }

  dropAsTooSlow(why: string): void {
    this.log.tooSlow(why);
    this.dropSoon("too slow");
  }

  /** A notification could not be made: a bug of ours, which must not reach whoever made the change. */
  notificationFailed(error: unknown): void {
    if (this.dropping) return;
    this.log.ourBug(error);
    this.dropSoon("internal error");
  }

  /** Ends the connection when the change that is being told is over: the directory must not be changed from within. */
  private dropSoon(why: string): void {
    this.dropping = true;
    this.domain.timers.after("drop", 0, () => this.drop(why));
  }

  private openTransaction(taHi: number, taLo: number, transaction: SubscribeTransaction | Tracking): void {
    this.transactions ??= new IdTable(this.domain.tableSeed);
    this.transactions.set(taHi, taLo, transaction);
  }
}
