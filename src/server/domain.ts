/**
 * One domain: its directory, the sockets it is served on, and the connections over them. All sockets share one
 * namespace of clients, services and subscriptions (pathfinder-protocol.md, 2).
 */

import { NO_BLOCK } from "../core/blocks.js";
import type { Clock, Random, Timers } from "../core/clock.js";
import type { Client } from "../core/entries.js";
import { type DomainLimits, UNLIMITED } from "../core/limits.js";
import { type Logger, prefixed } from "../core/log.js";
import { ServiceDirectory } from "../core/service-directory.js";
import { listen } from "../transport/index.js";
import type { Outbox } from "../transport/outbox.js";
import type { Connection, Listener, TlsFiles } from "../transport/transport.js";
import { MAX_VERSION, MIN_VERSION } from "../wire/commands.js";
import { Scanner } from "../wire/scanner.js";
import { ServerConnection } from "./connection.js";
import type { Handshake } from "./handshake.js";
import type { IdleLimits } from "./liveness.js";
import { Notifications } from "./notifications.js";
import { DEFAULT_OUTPUT_QUEUE, type OutputQueueLimits, OutputQueues } from "./output-queues.js";
import { Turns } from "./turns.js";
import type { LocalUser } from "./users.js";

export interface DomainOptions {
  /** For the log only. */
  readonly name?: string | undefined;
  readonly versions?: { readonly min: number; readonly max: number };
  readonly idle?: IdleLimits;
  readonly limits?: DomainLimits;
  readonly outputQueue?: OutputQueueLimits;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  /** Every message is logged at debug level. */
  readonly trace?: boolean;
  /** Called whenever a connection has ended; `wasLarge`: much memory waited for its peer. */
  readonly onConnectionEnded?: (wasLarge: boolean) => void;
  readonly outbox: Outbox;
}

/** Of one socket that a domain is served on. */
export interface SocketOptions {
  /** Who its local clients are; default: all the same user. */
  readonly localUser?: LocalUser | undefined;
  /** For `tls` and `utls`. */
  readonly tls?: TlsFiles | undefined;
}

/** The same failure to accept connections is logged at most this often. */
const ACCEPT_ERROR_INTERVAL_MS = 60_000;

/** What an operator asks for first, as of now. */
export interface DomainState {
  /** All of them, and those that have completed the handshake. */
  readonly connections: number;
  readonly clients: number;
  readonly services: number;
  /** Contained in `services`. */
  readonly orphans: number;
  readonly subscriptions: number;
  /** What waits for clients to read it. */
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  /** The addresses really bound. */
  readonly addresses: readonly string[];
}

export class Domain {
  readonly name: string | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  readonly trace: boolean;
  readonly outbox: Outbox;
  readonly versions: { readonly min: number; readonly max: number };
  readonly idle: IdleLimits;
  readonly directory: ServiceDirectory;
  readonly scanner: Scanner;
  readonly notifications: Notifications;
  readonly tableSeed: number;
  readonly turns: Turns;
  /** Connections beyond the time for their handshake, because their client id is taken. */
  readonly contested = new Set<Handshake>();
  readonly outputQueues: OutputQueues;
  private readonly listeners: Listener[] = [];
  private readonly connections = new Set<ServerConnection>();
  /** In order of the handshakes. */
  private readonly byClient = new Map<Client, ServerConnection>();
  private handshakes = 0;
  private readonly maxConnections: number;
  private readonly onConnectionEnded: (wasLarge: boolean) => void;

  constructor(options: DomainOptions) {
    const { clock, timers, random, outbox, name, limits } = options;
    this.name = name;
    this.clock = clock;
    this.timers = timers;
    this.random = random;
    this.outbox = outbox;
    this.log = name === undefined ? options.log : prefixed(options.log, () => `${name}: `);
    this.trace = options.trace ?? false;
    this.versions = options.versions ?? { min: MIN_VERSION, max: MAX_VERSION };
    this.idle = options.idle ?? { min: 4, max: 30 };
    this.onConnectionEnded = options.onConnectionEnded ?? (() => {});
    this.maxConnections = (limits?.total ?? UNLIMITED).clients;
    this.directory = new ServiceDirectory({ clock, timers, random, ...(limits ? { limits } : {}) });
    this.scanner = new Scanner({ builder: this.directory.builder });
    this.notifications = new Notifications(this.directory, outbox);
    this.turns = new Turns(clock, timers, outbox);
    this.outputQueues = new OutputQueues(options.outputQueue ?? DEFAULT_OUTPUT_QUEUE, this.connections);
    this.tableSeed = Math.floor(random() * 0x1_0000_0000) | 0;
  }

  /** Serves the domain on one more socket; returns the address really bound. Rejects with a `TransportError`. */
  async listen(address: string, { localUser, tls }: SocketOptions = {}): Promise<string> {
    let told = { message: "", atMs: 0 };
    const listener = await listen(address, {
      outbox: this.outbox,
      ...(tls ? { tls } : {}),
      onConnection: (connection) => this.accept(connection, localUser),
      onAcceptError: ({ message }) => {
        const atMs = this.clock.monotonicMs();
        if (message === told.message && atMs - told.atMs < ACCEPT_ERROR_INTERVAL_MS) return;
        told = { message, atMs };
        this.log.warning(() => `Accepting a connection on ${address} failed: ${message}.`);
      },
      onWarning: (text) => this.log.warning(() => `${text}.`),
    });
    this.listeners.push(listener);
    if (listener.address !== address) this.log.info(() => `Listening on ${listener.address} (given as ${address}).`);
    if (this.connections.size >= this.maxConnections) listener.pauseAccepting();
    return listener.address;
  }

  /** Stops listening and ends every connection. Nobody is told of the services that become orphans thereby. */
  close(): void {
    for (const listener of this.listeners) listener.close();
    // First, or each of n clients would be told of the end of each other, n² messages that are hardly ever sent (10.3).
    for (const subscription of [...this.directory.subscriptions]) this.directory.removeSubscription(subscription);
    for (const connection of [...this.connections]) connection.drop("the server is exiting");
  }

  /** Connections that have completed the handshake, in that order. */
  get handshakedConnections(): Iterator<ServerConnection> {
    return this.byClient.values();
  }

  /** The `sequence` of the connection that was the last to complete the handshake. */
  get lastHandshake(): number {
    return this.handshakes;
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  /** Where it listens: the addresses really bound. */
  get addresses(): readonly string[] {
    return this.listeners.map(({ address }) => address);
  }

  /** Takes time in proportion to connections and services. */
  state(): DomainState {
    const { directory } = this;
    let orphans = 0;
    for (const walk = directory.openCursor(); !walk.done; ) if (directory.advance(walk, NO_BLOCK)?.isOrphan) orphans++;
    let queuedMessages = 0;
    let queuedBytes = 0;
    for (const { transport } of this.connections) {
      queuedMessages += transport.queuedMessages;
      queuedBytes += transport.queuedBytes;
    }
    return {
      connections: this.connections.size,
      clients: this.byClient.size,
      services: directory.serviceCount,
      orphans,
      subscriptions: directory.subscriptions.size,
      queuedMessages,
      queuedBytes,
      addresses: this.addresses,
    };
  }

  connectionOf(client: Client | undefined): ServerConnection | undefined {
    return client && this.byClient.get(client);
  }

  /** A connection has completed the handshake; returns its place in the order of handshakes. */
  handshaked(client: Client, connection: ServerConnection): number {
    this.byClient.set(client, connection);
    return ++this.handshakes;
  }

  remove(connection: ServerConnection, wasLarge: boolean): void {
    this.connections.delete(connection);
    if (connection.client) this.byClient.delete(connection.client);
    if (this.connections.size === this.maxConnections - 1) {
      for (const listener of this.listeners) listener.resumeAccepting();
    }
    this.onConnectionEnded(wasLarge);
  }

  /**
   * Takes over a new connection. At the limit, which counts connections before their handshake too, nobody is accepted
   * any more (13.3).
   */
  accept(transport: Connection, localUser?: LocalUser): ServerConnection {
    const connection = new ServerConnection(this, transport, localUser);
    this.connections.add(connection);
    if (this.connections.size >= this.maxConnections) for (const listener of this.listeners) listener.pauseAccepting();
    return connection;
  }
}
