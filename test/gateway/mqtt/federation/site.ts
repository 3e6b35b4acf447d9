/** Boards with real directories, and a broker that keeps retained messages, in one process and on one fake clock. */

import { SeededRandom } from "../../../../scripts/fuzz/random.js";
import type { ServiceState } from "../../../../src/core/directory-access.js";
import { LocalDirectory } from "../../../../src/core/local-directory.js";
import type { Logger } from "../../../../src/core/log.js";
import { properties } from "../../../../src/core/properties.js";
import { ServiceDirectory } from "../../../../src/core/service-directory.js";
import { Federation, type FederationOptions } from "../../../../src/gateway/mqtt/federation/federation.js";
import type { FakeClock } from "../../../support/fake-clock.js";

/** Lets everything that waits for a microtask or an immediate happen. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 6; i++) await new Promise(setImmediate);
}

interface Peer {
  readonly filters: readonly string[];
  readonly will: { readonly topic: string; readonly payload: string };
  deliver(topic: string, payload: Uint8Array, isKept: boolean): void;
}

export class Broker {
  readonly retained = new Map<string, string>();
  private readonly peers = new Set<Peer>();
  /** Heartbeats that say nothing new are counted apart. */
  messages = 0;
  heartbeats = 0;
  maxPayload = Number.POSITIVE_INFINITY;
  /** It takes nothing at the moment, although it is connected. */
  isBusy = false;
  /** Of what it keeps, a new subscriber hears so much, filter by filter (as mosquitto's max_queued_messages). */
  maxReplay = Number.POSITIVE_INFINITY;
  /** Whether this board may write there. */
  mayWrite: (board: string, topic: string, instance: string) => boolean = () => true;
  private across: Broker | undefined;
  private queue: { readonly topic: string; readonly payload: string; readonly untilMs: number }[] | undefined;

  kept(topic: string): string {
    return this.retained.get(topic) ?? "";
  }

  attach(peer: Peer): void {
    this.peers.add(peer);
  }

  /** As a broker answers SUBSCRIBE: what it keeps, filter by filter. */
  replay(peer: Peer, filters = peer.filters): void {
    for (const filter of filters) {
      const pattern = new RegExp(`^${filter.replaceAll(".", "\\.").replaceAll("+", "[^/]+")}$`);
      const kept = [...this.retained].filter(([topic]) => pattern.test(topic));
      for (const [topic, payload] of kept.slice(0, this.maxReplay)) peer.deliver(topic, Buffer.from(payload), true);
    }
  }

  /** From now on both keep and tell the same: each begins by telling what it keeps, as if it were new (as mosquitto's). */
  bridgeTo(other: Broker): void {
    const kept = [...other.retained];
    const ours = [...this.retained];
    for (const [topic, payload] of kept) this.publish(topic, payload, undefined, "", true);
    for (const [topic, payload] of ours) other.publish(topic, payload, undefined, "", true);
    this.across = other;
    other.across = this;
  }

  /** The bridge is cut; what this side would hand on waits in its queue (as mosquitto's does by default). */
  cut(): void {
    if (this.across) this.across.across = undefined;
    this.across = undefined;
    this.queue = [];
  }

  /** What waited is handed on, but for what has expired; then both tell what they keep. */
  mend(other: Broker, nowMs: number): void {
    const queue = this.queue ?? [];
    this.queue = undefined;
    for (const { topic, payload, untilMs } of queue) {
      if (nowMs < untilMs) other.publish(topic, payload, undefined, "", true);
    }
    this.bridgeTo(other);
  }

  publish(
    topic: string,
    payload: string,
    board?: string,
    instance = "",
    isBridged = false,
    untilMs = Number.POSITIVE_INFINITY,
  ): "sent" | "too-large" | "not-connected" {
    if (this.isBusy) return "not-connected";
    if (board !== undefined && !this.mayWrite(board, topic, instance)) return "sent";
    if (payload.length > this.maxPayload) return "too-large";
    if (withoutAge(payload) === withoutAge(this.kept(topic))) this.heartbeats++;
    else this.messages++;
    if (payload === "") this.retained.delete(topic);
    else this.retained.set(topic, payload);
    for (const peer of [...this.peers])
      queueMicrotask(() => this.peers.has(peer) && peer.deliver(topic, Buffer.from(payload), false));
    this.queue?.push({ topic, payload, untilMs });
    if (!isBridged) queueMicrotask(() => this.across?.publish(topic, payload, undefined, "", true));
    return "sent";
  }

  /** The peer's connection ends; `lost`: its will is published. */
  detach(peer: Peer, lost: boolean): void {
    if (this.peers.delete(peer) && lost) this.publish(peer.will.topic, peer.will.payload);
  }
}

/** Nor whom it answers. */
const withoutAge = (payload: string) =>
  payload.replace(/^([12];[0-9a-f]{12});[0-9]+;([0-9]+;[0-9]+)(?:;.*)?$/, "$1;$2");

/** What a board says of itself (presence.ts), here one that is not simulated. */
export const word = (services: number, { state = 1, instance = "aaaaaaaaaaaa", age = 1, more = "" } = {}) =>
  `${state};${instance};${age};60;${services}${more}`;

let seeds = 1;

export class Board {
  readonly directory: ServiceDirectory;
  /** Somebody who publishes on this board. */
  readonly local: LocalDirectory;
  readonly log: string[] = [];
  private readonly access: LocalDirectory;
  private readonly federation: Federation;
  private peer: Peer | undefined;

  constructor(
    readonly name: string,
    readonly clock: FakeClock,
    private readonly broker: Broker,
    options: Partial<FederationOptions> = {},
    directory?: ServiceDirectory,
  ) {
    const random = new SeededRandom(seeds++);
    const unit = () => random.unit();
    this.directory = directory ?? new ServiceDirectory({ clock, timers: clock, random: unit });
    this.local = new LocalDirectory(this.directory, "gateway", unit);
    this.access = new LocalDirectory(this.directory, "gateway", unit);
    const note = (text: () => string) => void this.log.push(text());
    const log: Logger = { debug() {}, info() {}, warning: note, error: note };
    this.federation = new Federation(
      {
        name: "site",
        board: name,
        root: "pf1",
        filter: undefined,
        heartbeatSeconds: 60,
        maxBoards: 64,
        maxServicesPerBoard: 1000,
        ...options,
      },
      {
        ...{ directory: this.access, clock, timers: clock, random: unit, log },
        publish: (topic, payload, expirySeconds = Number.POSITIVE_INFINITY) => {
          const untilMs = clock.monotonicMs() + expirySeconds * 1000;
          return this.peer ? this.broker.publish(topic, payload, name, this.instance, false, untilMs) : "not-connected";
        },
        replay: () => this.peer && this.broker.replay(this.peer, this.peer.filters.slice(0, 1)),
      },
    );
    this.federation.follow();
  }

  /** Somebody else who publishes on this board. */
  user(name: string): LocalDirectory {
    return new LocalDirectory(this.directory, name, Math.random);
  }

  /** The same board's part in another federation. */
  inAnother(broker: Broker, options: Partial<FederationOptions>): Board {
    return new Board(this.name, this.clock, broker, options, this.directory);
  }

  get isHeard(): boolean {
    return this.federation.isHeard;
  }

  get counts() {
    return this.federation.counts;
  }

  get dropped() {
    return this.federation.dropped.counts;
  }

  get instance(): string {
    return this.federation.instance;
  }

  get isConnected(): boolean {
    return this.peer !== undefined;
  }

  connect(): void {
    const { filters } = this.federation.topics;
    const peer: Peer = { filters, will: this.federation.will, deliver: (...said) => this.federation.message(...said) };
    this.peer = peer;
    this.federation.connected(); // it publishes before it subscribes
    this.broker.attach(peer);
    this.broker.replay(peer);
  }

  disconnect(lost = true): void {
    if (!this.peer) return;
    this.broker.detach(this.peer, lost);
    this.peer = undefined;
    this.federation.disconnected();
  }

  /** The process dies: nothing of it acts any more. */
  die(): void {
    this.disconnect();
    this.federation.stop();
  }

  /** The gateway leaves in order. */
  leave(): void {
    this.federation.stop();
    this.disconnect(false);
  }

  hear(topic: string, payload: string, isKept = false): void {
    this.federation.message(topic, Buffer.from(payload), isKept);
  }

  publish(id: bigint, generation: bigint, name: string, ttlSeconds = 20n) {
    return this.local.publish({ id, generation, ttlSeconds, properties: properties({ name }) });
  }

  /** Every service in the directory, by id: `name@board`, with `!` behind it if it is an orphan. */
  async services(): Promise<Record<string, string>> {
    const found = new Map<string, string>();
    const subscription = this.access.subscribe(undefined, (match) => {
      if (match.type !== "disappeared") found.set(String(match.service.id), text(match.service));
    });
    await settled();
    subscription.cancel();
    return Object.fromEntries([...found].sort(([a], [b]) => Number(a) - Number(b)));
  }
}

function text({ properties: shown, orphanSince }: ServiceState): string {
  const board = shown.get("federation.board")?.[0] ?? "here";
  return `${shown.get("name")?.[0]}@${board}${orphanSince === undefined ? "" : "!"}`;
}
