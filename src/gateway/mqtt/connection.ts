/**
 * One lasting connection to a broker: connects, subscribes, hands over messages, and comes back when it was lost.
 *
 * mqtt.js does one connection; each retry makes a new client. Its own reconnecting has a fixed period, gives up after
 * a refused CONNECT, cannot change the protocol version, and keeps state that we do not want.
 */

import { readFileSync } from "node:fs";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type MqttClient from "mqtt/lib/client";
import type { Clock, Random, Timer, Timers } from "../../core/clock.js";
import type { Logger } from "../../core/log.js";
import { type BrokerAddress, parseBrokerUrl } from "./broker-url.js";
import { PacketSizeLimit } from "./packet-size.js";
import { TIMES } from "./times.js";

/** Larger packets end the connection: nothing we subscribe to is larger than a few kilobytes. */
const MAX_PACKET_BYTES = 1_048_576;

/** CONNACK codes for a protocol version that the broker does not speak: MQTT 3.1.1, MQTT 5. */
const VERSION_REFUSED: ReadonlySet<unknown> = new Set([1, 132]);

/** How some brokers react to a version they do not know instead: the connection just ends. */
const SILENTLY_ENDED: ReadonlySet<unknown> = new Set([undefined, "ECONNRESET"]);

export interface BrokerTls {
  /** Files in PEM form: the authorities to trust instead of the system's; our certificate and its key. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Trusts any certificate. Never the default; a warning is logged. */
  readonly insecure?: boolean;
}

export interface BrokerOptions {
  /** `mqtt://host[:1883]` or `mqtts://host[:8883]`. */
  readonly url: string;
  readonly user?: string;
  readonly password?: string;
  /** A file whose first line is the password; read at each attempt to connect. */
  readonly passwordFile?: string;
  readonly tls?: BrokerTls;
  readonly clientId: string;
  readonly keepaliveSeconds: number;
}

export interface ConnectionEvents {
  /** Connected and about to subscribe: kept messages will be replayed. */
  up(): void;
  down(): void;
  /** `userProperties`: the names of MQTT 5 user properties. `payload` is valid during the call. */
  message(topic: string, payload: Uint8Array, retained: boolean, userProperties: readonly string[]): void;
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
  private version: 5 | 4 = 5;
  private fiveRefused = false;
  private failures = 0;
  private connectedAtMs: number | undefined;
  /** What was last written to the log while the broker could not be reached. */
  private complaint: string | undefined;

  constructor(
    private readonly options: BrokerOptions,
    private readonly filters: readonly string[],
    private readonly events: ConnectionEvents,
    private readonly context: ConnectionContext,
  ) {
    this.address = parseBrokerUrl(options.url);
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

  /** Removes what the broker keeps under `topic`. Nothing happens while there is no connection. */
  clearRetained(topic: string): void {
    if (this.client?.connected) this.client.publish(topic, "", { qos: 0, retain: true });
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
      this.lost(reason ?? socketError?.message ?? "the broker closed the connection", refusal);
    };
    try {
      const Client = await loadMqttClient();
      if (this.stopped) return;
      const login = this.login();
      const open = this.opener();
      const client = new Client(
        () => {
          const socket = open();
          const limit = new PacketSizeLimit(MAX_PACKET_BYTES);
          socket.on("error", (error) => {
            socketError ??= error;
          });
          socket.on("data", (bytes) => {
            if (!limit.accept(bytes)) socket.destroy(new Error(`a packet larger than ${MAX_PACKET_BYTES} bytes`));
          });
          return socket;
        },
        {
          ...login,
          clientId: this.options.clientId,
          clean: true,
          protocolVersion: this.version,
          keepalive: this.options.keepaliveSeconds,
          connectTimeout: TIMES.connectMs,
          reconnectPeriod: 0,
          resubscribe: false,
          queueQoSZero: false,
          // mqtt.js would write user names and packets to stderr if DEBUG were set
          log: () => {},
          ...(this.version === 5 ? { properties: { maximumPacketSize: MAX_PACKET_BYTES } } : {}),
        },
      );
      this.client = client;
      client.on("error", (error) => {
        refusal ??= (error as { code?: unknown }).code;
        reason ??= error.message;
        client.stream?.destroy();
      });
      client.on("disconnect", (packet) => {
        const why = packet.reasonCode === 142 ? ` (${this.rival()})` : "";
        reason ??= `the broker said DISCONNECT, reason code ${packet.reasonCode}${why}`;
        client.stream?.destroy();
      });
      client.on("close", over);
      client.on("connect", () => this.connected(client));
      client.on("message", (topic, payload, packet) => {
        const names = packet.properties?.userProperties;
        this.events.message(topic, payload, packet.retain, names ? Object.keys(names) : []);
      });
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
      over();
    }
  }

  private connected(client: MqttClient): void {
    this.connectedAtMs = this.context.clock.monotonicMs();
    this.complaint = undefined;
    this.events.up();
    // One after the other: the states shall be replayed before the announcements.
    const next = (index: number): void => {
      if (!client.connected) return;
      if (index === this.filters.length) {
        this.context.log.info(
          () => `MQTT broker ${this.address.text}: connected (MQTT ${this.version === 5 ? "5" : "3.1.1"}).`,
        );
        return;
      }
      const filter = this.filters[index];
      client.subscribe(filter, { qos: 0 }, (error, granted) => {
        const refused = error ?? granted?.find(({ qos }) => qos >= 0x80);
        if (refused && client.connected) {
          this.context.log.warning(() => `MQTT broker ${this.address.text}: refused the subscription to ${filter}.`);
        }
        next(index + 1);
      });
    };
    next(0);
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
    if (wasConnected) this.version = this.fiveRefused ? 4 : 5;
    else if (VERSION_REFUSED.has(refusal) && this.version === 5) {
      this.fiveRefused = true;
      this.version = 4;
      void this.attempt();
      return;
    } else if (VERSION_REFUSED.has(refusal) || SILENTLY_ENDED.has(refusal)) {
      this.fiveRefused = false;
      this.version = this.version === 5 ? 4 : 5;
    }
    const complaint = `${wasConnected ? "connection lost" : "cannot connect"}: ${reason}`;
    if (complaint !== this.complaint) {
      log.warning(() => `MQTT broker ${this.address.text}: ${complaint}. Trying again, once a minute at least.`);
      this.complaint = complaint;
    }
    const capMs = Math.min(TIMES.firstRetryMs * 2 ** Math.min(this.failures, 20), TIMES.lastRetryMs);
    this.failures++;
    this.retry = timers.after("mqtt connect", capMs * (0.5 + random() / 2), () => void this.attempt());
  }

  private rival(): string {
    return `another client uses the client id "${this.options.clientId}"`;
  }

  private login(): { username?: string; password?: string } {
    const { user, passwordFile } = this.options;
    const password = passwordFile === undefined ? this.options.password : firstLine(passwordFile);
    return { ...(user === undefined ? {} : { username: user }), ...(password === undefined ? {} : { password }) };
  }

  /** Reads the certificate files, and gives what opens a socket. */
  private opener(): () => Socket {
    const { host, port, tls } = this.address;
    if (!tls) return () => connectTcp({ host, port });
    const { ca, cert, key, insecure } = this.options.tls ?? {};
    const settings = {
      host,
      port,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(ca === undefined ? {} : { ca: read(ca) }),
      ...(cert === undefined ? {} : { cert: read(cert) }),
      ...(key === undefined ? {} : { key: read(key) }),
      rejectUnauthorized: insecure !== true,
    };
    return () => connectTls(settings);
  }
}

function read(path: string): Buffer {
  return readFileSync(path);
}

function firstLine(path: string): string {
  return read(path).toString("utf8").split(/\r?\n/, 1)[0];
}

/** The smallest part of mqtt.js that does it, loaded when the first broker is used. */
async function loadMqttClient(): Promise<typeof MqttClient> {
  const loaded: unknown = (await import("mqtt/lib/client")).default;
  // Node gives the CommonJS module as the default, esbuild the default it declares
  const Client = typeof loaded === "function" ? loaded : (loaded as { default: unknown }).default;
  return Client as typeof MqttClient;
}
