/**
 * One lasting connection to a broker: connects, subscribes, hands over messages, and comes back when it was lost.
 *
 * mqtt.js does one connection; each retry makes a new client. Its own reconnecting has a fixed period, gives up after
 * a refused CONNECT, cannot change the protocol version, and keeps state that we do not want.
 */

import type MqttClient from "mqtt/lib/client";
import type { Clock, Random, Timer, Timers } from "../../core/clock.js";
import type { Logger } from "../../core/log.js";
import { show } from "./announced.js";
import { type BrokerOptions, loginOf, socketOpener } from "./broker-options.js";
import { type BrokerAddress, parseBrokerUrl } from "./broker-url.js";
import { loadMqttClient, publishProperties, type Received, receivedWith } from "./mqtt-client.js";
import type { OversizedMessage } from "./oversized-messages.js";
import { ProtocolVersion } from "./protocol-version.js";
import { type PublishOptions, publishPacketBytes } from "./publish-size.js";
import { SiftedSocket } from "./sifted-socket.js";
import { Subscriptions, type TopicSubscription } from "./subscriptions.js";
import { TIMES } from "./times.js";

/** Larger messages are left out, and none is sent: nothing we subscribe to is larger than a few hundred kilobytes. */
const MAX_PACKET_BYTES = 1_048_576;

/** Of what was published so much may wait for a broker that does not read, and so many for its acknowledgement. */
const MAX_BACKLOG_BYTES = 1_048_576;
const MAX_UNACKNOWLEDGED = 1000;

/**
 * So many messages of QoS 1 the broker may send before we have acknowledged any. It is the default of the standard, but
 * mosquitto takes 20 where nothing is said, and drops what it keeps for us beyond another 1,000 without a word.
 */
const MAX_UNREAD = 65_535;

/** Messages that are too large are logged for so many topics. */
const MAX_TOPICS_TOLD = 100;

/**
 * `not-connected`: there is no connection, or the broker takes nothing at the moment (1 MiB or 1,000 acknowledgements
 * are outstanding). `too-large`: the broker would end the connection. In both cases nothing was sent, and nothing waits.
 */
export type PublishOutcome = "sent" | "not-connected" | "too-large";

export interface ConnectionEvents {
  /** Connected and about to subscribe: kept messages will be replayed. */
  up(): void;
  down(): void;
  /** `payload` and `correlationData` are valid during the call. */
  message(topic: string, payload: Uint8Array, received: Received): void;
  /** A message of more than 1 MiB was left out; it has been logged, each topic once (the first 100). */
  leftOut(): void;
}

export interface ConnectionContext {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
}

export class BrokerConnection {
  readonly address: BrokerAddress;
  private client: MqttClient | undefined;
  private retry: Timer | undefined;
  private stopped = false;
  private readonly protocol = new ProtocolVersion();
  private failures = 0;
  private connectedAtMs: number | undefined;
  /** Why the last connection, or attempt, ended. */
  private failure: { readonly text: string; readonly unixSeconds: number } | undefined;
  /** What was last written to the log while the broker could not be reached. */
  private complaint: string | undefined;
  private readonly subscriptions: Subscriptions;
  /** What the broker of this connection takes at most. */
  private maxPacketBytes = MAX_PACKET_BYTES;
  private unacknowledged = 0;
  /** Topics of which messages were left out. */
  private readonly leftOutTopics = new Set<string>();
  private aliveUntilMs = 0;

  /** `filters`: what to subscribe to from the begin, in this order. */
  constructor(
    private readonly options: BrokerOptions,
    filters: readonly (string | TopicSubscription)[],
    private readonly events: ConnectionEvents,
    private readonly context: ConnectionContext,
  ) {
    this.address = parseBrokerUrl(options.url);
    const warn = (text: string) => context.log.warning(() => `MQTT broker ${this.address.text}: ${text}`);
    this.subscriptions = new Subscriptions(context.timers, {
      refused: (filter) => warn(`refused the subscription to ${filter}.`),
      unanswered: (filter) =>
        warn(
          `no answer for ${filter} within ${TIMES.answerMs / 1000} s. If it drops what does not fit into its queue for us, ` +
            "some of what it keeps is missing (mosquitto: max_queued_messages 0).",
        ),
    });
    for (const filter of filters) this.subscribe(typeof filter === "string" ? { filter } : filter);
  }

  /** The version of MQTT that is spoken, while there is a connection. */
  get protocolVersion(): 4 | 5 | undefined {
    return this.client?.connected ? this.protocol.current : undefined;
  }

  get lastError(): { readonly text: string; readonly unixSeconds: number } | undefined {
    return this.failure;
  }

  /** From now on and after each reconnect; kept messages are replayed. Throws a `RangeError` beyond 1,000 filters. */
  subscribe(subscription: TopicSubscription): void {
    this.subscriptions.add(subscription);
  }

  /** Subscribes once more: what the broker keeps is replayed. */
  renew(filter: string): void {
    this.subscriptions.renew(filter);
  }

  /** The broker has not answered for all subscriptions of this connection. */
  get isSubscribing(): boolean {
    return this.subscriptions.isBusy;
  }

  unsubscribe(filter: string): void {
    this.subscriptions.remove(filter);
  }

  /** Hands a message to the broker, or says why not. Never throws, never keeps anything for later. */
  publish(topic: string, payload: string | Uint8Array, options: PublishOptions = {}): PublishOutcome {
    const { client } = this;
    const version = this.protocol.current;
    if (!client?.connected || this.stopped) return "not-connected";
    if (publishPacketBytes(version, topic, payload, options) > this.maxPacketBytes) return "too-large";
    const { retain = false, qos = 0 } = options;
    const backlog = (client.stream as { readonly writableLength?: number } | undefined)?.writableLength ?? 0;
    if (backlog > MAX_BACKLOG_BYTES) return "not-connected";
    if (qos === 1 && this.unacknowledged >= MAX_UNACKNOWLEDGED) return "not-connected";
    const bytes = typeof payload === "string" ? payload : Buffer.from(payload);
    const properties = version === 5 ? { properties: publishProperties(options) } : {};
    if (qos === 1) this.unacknowledged++;
    client.publish(topic, bytes, { qos, retain, ...properties }, () => {
      if (qos === 1 && this.client === client) this.unacknowledged--;
    });
    return "sent";
  }

  start(): void {
    if (this.address.tls && this.options.tls?.insecure) {
      this.context.log.warning(() => `MQTT broker ${this.address.text}: its certificate is not checked (insecure).`);
    }
    void this.attempt();
  }

  /** Says DISCONNECT (no will of ours is known to the broker) and closes; takes 2 s at most. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.retry?.cancel();
    const client = this.client;
    if (!client) return;
    await new Promise<void>((resolve) => {
      const limit = this.context.timers.after("mqtt disconnect", TIMES.disconnectMs, () => {
        client.stream?.destroy();
        resolve();
      });
      client.end(!client.connected, {}, () => {
        limit.cancel();
        client.stream?.destroy();
        resolve();
      });
    });
  }

  private async attempt(): Promise<void> {
    let socketError: Error | undefined;
    let refusal: unknown;
    let reason: string | undefined;
    let ended = false;
    /** The one end of this attempt, whatever else follows. */
    const over = () => {
      if (ended) return;
      ended = true;
      this.client = undefined;
      this.subscriptions.lost();
      this.lost(reason ?? (socketError ? reasonOf(socketError) : "the broker closed the connection"), refusal);
    };
    try {
      const Client = await loadMqttClient();
      if (this.stopped) return;
      const login = loginOf(this.options);
      const open = socketOpener(this.address, this.options.tls);
      const client = new Client(
        () => {
          const socket = new SiftedSocket(open(), MAX_PACKET_BYTES, {
            leftOut: (message) => this.leftOut(message),
            leavingOut: () => this.keepAlive(),
          });
          socket.on("error", (error) => {
            socketError ??= error;
          });
          return socket;
        },
        {
          ...login,
          clientId: this.options.clientId,
          clean: true,
          protocolVersion: this.protocol.current,
          ...this.will(),
          keepalive: this.options.keepaliveSeconds,
          connectTimeout: TIMES.connectMs,
          reconnectPeriod: 0,
          resubscribe: false,
          queueQoSZero: false,
          // mqtt.js would write user names and packets to stderr if DEBUG were set
          log: () => {},
          ...(this.protocol.current === 5
            ? { properties: { maximumPacketSize: MAX_PACKET_BYTES, receiveMaximum: MAX_UNREAD } }
            : {}),
        },
      );
      this.client = client;
      client.on("error", (error) => {
        refusal ??= (error as { code?: unknown }).code;
        reason ??= reasonOf(error);
        client.stream?.destroy();
      });
      client.on("disconnect", (packet) => {
        const why = packet.reasonCode === 142 ? ` (${this.rival()})` : "";
        reason ??= `the broker said DISCONNECT, reason code ${packet.reasonCode}${why}`;
        client.stream?.destroy();
      });
      client.on("close", over);
      client.on("connect", (connack) => this.connected(client, connack.properties?.maximumPacketSize));
      client.on("message", (topic, payload, packet) => this.events.message(topic, payload, receivedWith(packet)));
    } catch (error) {
      reason = reasonOf(error);
      over();
    }
  }

  private connected(client: MqttClient, maxPacketBytes = MAX_PACKET_BYTES): void {
    this.connectedAtMs = this.context.clock.monotonicMs();
    this.complaint = undefined;
    this.unacknowledged = 0;
    this.maxPacketBytes = Math.min(maxPacketBytes, this.options.maxPacketBytes ?? MAX_PACKET_BYTES, MAX_PACKET_BYTES);
    this.events.up();
    const five = this.protocol.current === 5;
    this.subscriptions.connected(
      {
        subscribe: ({ filter, qos = 0, noLocal = false }, done) => {
          if (!client.connected) return;
          client.subscribe(filter, { qos, ...(five ? { nl: noLocal } : {}) }, (error, granted) => {
            if (client.connected) done(Boolean(error) || (granted?.some((grant) => grant.qos >= 0x80) ?? false));
          });
        },
        unsubscribe: (filter, done) => {
          if (client.connected) client.unsubscribe(filter, () => done());
        },
      },
      () => this.context.log.info(() => `MQTT broker ${this.address.text}: connected (MQTT ${five ? "5" : "3.1.1"}).`),
    );
  }

  private leftOut({ topic, bytes }: OversizedMessage): void {
    const { leftOutTopics: told } = this;
    if (!told.has(topic) && told.size < MAX_TOPICS_TOLD) {
      told.add(topic);
      const last = told.size === MAX_TOPICS_TOLD ? " No further topic is told of." : "";
      this.context.log.warning(
        () =>
          `MQTT broker ${this.address.text}: ignored a message of ${bytes} bytes on topic ${show(topic)} ` +
          `(${MAX_PACKET_BYTES} at most are accepted).${last}`,
      );
    }
    this.events.leftOut();
  }

  /** While mqtt.js sees nothing of what comes, the broker must hear of us, and must not be taken for dead. */
  private keepAlive(): void {
    const nowMs = this.context.clock.monotonicMs();
    if (nowMs < this.aliveUntilMs || !this.client?.connected) return;
    this.aliveUntilMs = nowMs + this.options.keepaliveSeconds * 250;
    this.client.sendPing();
    this.client.reschedulePing(true);
  }

  private lost(reason: string, refusal: unknown): void {
    const { clock, log, timers, random } = this.context;
    const wasConnected = this.connectedAtMs !== undefined;
    const lastedMs = clock.monotonicMs() - (this.connectedAtMs ?? clock.monotonicMs());
    if (lastedMs >= TIMES.stableMs) this.failures = 0;
    // mosquitto 2.0 does not tell the client that it closes this one for another of the same name
    else if (wasConnected && this.failures >= 2) reason += ` (perhaps ${this.rival()})`;
    this.connectedAtMs = undefined;
    if (wasConnected) this.events.down();
    if (this.stopped) return;
    if (wasConnected) this.protocol.connectionLost();
    else if (this.protocol.attemptFailed(refusal)) {
      void this.attempt();
      return;
    }
    const complaint = `${wasConnected ? "connection lost" : "cannot connect"}: ${reason}`;
    this.failure = { text: complaint, unixSeconds: clock.unixSeconds() };
    if (complaint !== this.complaint) {
      log.warning(() => `MQTT broker ${this.address.text}: ${complaint}. Trying again, after a minute at most.`);
      this.complaint = complaint;
    }
    const capMs = Math.min(TIMES.firstRetryMs * 2 ** Math.min(this.failures, 20), TIMES.lastRetryMs);
    this.failures++;
    this.retry = timers.after("mqtt connect", capMs * (0.5 + random() / 2), () => void this.attempt());
  }

  private rival(): string {
    return `another client uses the client id "${this.options.clientId}"`;
  }

  private will(): { will?: { topic: string; payload: Buffer; retain: boolean; qos: 0 | 1 } } {
    const will = this.options.will?.();
    return will ? { will: { ...will, payload: Buffer.from(will.payload) } } : {};
  }
}

/** Node.js tries all addresses of a name, and then has an error for each but no text of its own. */
function reasonOf(error: unknown): string {
  const { errors } = error as { readonly errors?: readonly unknown[] };
  if (Array.isArray(errors) && errors.length > 0) return [...new Set(errors.map(reasonOf))].join("; ");
  return error instanceof Error ? error.message : String(error);
}
