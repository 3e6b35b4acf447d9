/** Links without a server: sessions whose answers are the test's, and time that stands still. */

import { Link } from "../../src/client/link.js";
import type { LinkOwner, LinkSettings, LinkState, Refusal } from "../../src/client/link-owner.js";
import type { ConnectSessionOptions, LinkSession } from "../../src/client/link-session.js";
import type { LinkPhase } from "../../src/client/link-states.js";
import type { RelayedSubscription } from "../../src/client/relay.js";
import type { ServerConfig } from "../../src/client/server-config.js";
import { RequestError } from "../../src/client/session.js";
import type { Match, Service, ServiceState } from "../../src/core/directory-access.js";
import type { FailReason } from "../../src/core/fail-reason.js";
import type { Logger } from "../../src/core/log.js";
import { FakeClock } from "../support/fake-clock.js";

/** Lets everything that was promised happen. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Request {
  readonly text: string;
  resolve(): void;
  reject(error: Error): void;
}

export class FakeSession implements LinkSession {
  readonly closed: Promise<Error | undefined>;
  isClosed = false;
  /** What was asked and not yet answered, oldest first. */
  readonly open: Request[] = [];
  readonly matchListeners = new Map<bigint, (match: Match) => void>();
  readonly endListeners = new Map<bigint, () => void>();
  queries = 0;
  private settleClosed!: (error: Error | undefined) => void;
  private reply: (() => void) | undefined;

  constructor(
    readonly options: ConnectSessionOptions,
    readonly protocolVersion = 3,
  ) {
    this.closed = new Promise((resolve) => {
      this.settleClosed = resolve;
    });
  }

  track = () => this.ask("track");
  publish = ({ id, generation }: Service) => this.ask(`publish ${id}/${generation}`);
  unpublish = (id: bigint) => this.ask(`unpublish ${id}`);
  unsubscribe = (id: bigint) => this.ask(`unsubscribe ${id}`);
  subscribe = (id: bigint, filter: string | undefined, onMatch: (match: Match) => void, onEnd: () => void) => {
    this.matchListeners.set(id, onMatch);
    this.endListeners.set(id, onEnd);
    return this.ask(`subscribe ${id}${filter ?? ""}`);
  };

  /** What a list of all services gives. */
  listed: readonly ServiceState[] = [];
  services = async () => this.listed;

  trackQuery(): Promise<void> {
    this.queries++;
    return new Promise((resolve) => {
      this.reply = resolve;
    });
  }

  close(): void {
    this.isClosed = true;
    this.settleClosed(undefined);
  }

  private ask(text: string): Promise<void> {
    return new Promise((resolve, reject) => this.open.push({ text, resolve, reject }));
  }

  // --- the server's side --------------------------------------------------------------------------------------------

  get asked(): string[] {
    return this.open.map(({ text }) => text);
  }

  /** Answers the oldest `count` requests; an unsubscribe by ending its subscription, too, unless that is held back. */
  async accept(count = this.open.length, { ends = true } = {}): Promise<void> {
    for (const request of this.open.splice(0, count)) {
      this.options.onHeard();
      const [command, id] = request.text.split(" ");
      if (command === "unsubscribe" && ends) this.endListeners.get(BigInt(id!))!();
      request.resolve();
    }
    await settle();
  }

  /** Refuses the oldest request. */
  async refuse(reason: FailReason): Promise<void> {
    const request = this.open.shift()!;
    this.options.onHeard();
    request.reject(new RequestError(request.text, reason));
    await settle();
  }

  async answerQuery(): Promise<void> {
    this.options.onHeard();
    this.reply!();
    await settle();
  }

  /** The connection ends. */
  async end(error = new Error("gone")): Promise<void> {
    this.isClosed = true;
    for (const request of this.open.splice(0)) request.reject(error);
    this.settleClosed(error);
    await settle();
  }
}

export const SETTINGS: LinkSettings = {
  reconnectMinSeconds: 0.01,
  reconnectMaxSeconds: 5,
  idleMinSeconds: 4,
  idleMaxSeconds: 30,
};

/** One link with its domain. Randomness is 0.5, where it changes nothing but the back-off's first delay (15 ms). */
export class LinkBench implements LinkOwner {
  readonly clock = new FakeClock();
  readonly sessions: FakeSession[] = [];
  /** Attempts that were not answered yet. */
  readonly attempts: {
    readonly options: ConnectSessionOptions;
    accept(version?: number): Promise<FakeSession>;
    fail(error?: Error): Promise<void>;
  }[] = [];
  readonly log: string[] = [];
  readonly downs: string[] = [];
  readonly matches: [number, bigint, Match][] = [];
  wantedServices: Service[] = [];
  wantedSubscriptions: RelayedSubscription[] = [];
  readonly states: LinkPhase[] = [];
  readonly published: bigint[] = [];
  readonly refusals: string[] = [];
  detached = 0;
  readonly link: Link;

  constructor(config: Partial<ServerConfig> = {}, settings: Partial<LinkSettings> = {}) {
    const at = (level: string) => (text: () => string) => void this.log.push(`${level}: ${text()}`);
    const log: Logger = { debug() {}, info: at("info"), warning: at("warning"), error: at("error") };
    this.link = new Link({
      source: 7,
      config: { address: "ux:test", ...config },
      clientId: 1n,
      owner: this,
      connect: (_, options) => this.dial(options),
      settings: { ...SETTINGS, ...settings },
      clock: this.clock,
      timers: this.clock,
      random: () => 0.5,
      log,
    });
  }

  private dial(options: ConnectSessionOptions): Promise<LinkSession> {
    return new Promise((resolve, reject) => {
      this.attempts.push({
        options,
        accept: async (version) => {
          const session = new FakeSession(options, version);
          this.sessions.push(session);
          options.onConnected();
          resolve(session);
          await settle();
          return session;
        },
        fail: async (error = new Error("nobody is listening there")) => {
          reject(error);
          await settle();
        },
      });
    });
  }

  /** Starts, and has the first attempt accepted. */
  async up(version = 3): Promise<FakeSession> {
    this.link.start();
    return this.attempts[0]!.accept(version);
  }

  get state(): string {
    return this.link.state.state;
  }

  unsubscribe(id: number): void {
    this.wantedSubscriptions = this.wantedSubscriptions.filter((other) => other.id !== BigInt(id));
    this.link.unsubscribe(BigInt(id));
  }

  /** The domain's changes, told to the link as the domain does. */
  publish(id: number, generation = 0, ttlSeconds = 30n): void {
    const service = { id: BigInt(id), generation: BigInt(generation), ttlSeconds, properties: new Map() };
    this.wantedServices = [service, ...this.wantedServices.filter((other) => other.id !== service.id)];
    this.link.publish(service);
  }

  unpublish(id: number): void {
    this.wantedServices = this.wantedServices.filter((other) => other.id !== BigInt(id));
    this.link.unpublish(BigInt(id));
  }

  subscribe(id: number, filter?: string): void {
    const subscription = { id: BigInt(id), filter };
    this.wantedSubscriptions.unshift(subscription);
    this.link.subscribe(subscription);
  }

  services = () => this.wantedServices;
  subscriptions = () => this.wantedSubscriptions;
  lowestTtlSeconds = () => Math.min(...this.wantedServices.map(({ ttlSeconds }) => Number(ttlSeconds)));
  onMatch = (source: number, id: bigint, match: Match) => void this.matches.push([source, id, match]);
  onDown = (source: number, removed: boolean) => void this.downs.push(`${source} ${removed}`);
  onDistrusted = (source: number) => void this.downs.push(`${source} distrusted`);
  onLinkState = ({ state }: LinkState) => void this.states.push(state);
  onPublished = (id: bigint) => void this.published.push(id);
  onOutcome(): void {}

  onRefused = ({ command, id, error }: Refusal) => void this.refusals.push(`${command} ${id}: ${error.message}`);
  onDetached = () => void this.detached++;
}
