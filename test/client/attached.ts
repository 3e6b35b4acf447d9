/** Domains of the client library, their matches as text, and servers that can be stopped and started again. */

import type { Domain, DomainMatch, DomainSubscription, Logger } from "../../src/client/index.js";
import type { DomainOptions } from "../../src/server/domain.js";
import { Watch } from "../support/transport-peers.js";
import { type LiveDomain, liveDomain } from "./live-domain.js";

/** Short delays, so that tests need not wait. */
export const ENV = { PAF_RECONNECT_MIN: "0.005", PAF_RECONNECT_MAX: "0.1", PAF_RESCAN: "0.02" };

/** Records what a domain says of the services it sees: as a story, and as what is there now. */
export class Consumer extends Watch {
  readonly told: string[] = [];
  /** `name` property per service. */
  readonly present = new Map<bigint, string>();
  readonly subscription: DomainSubscription;

  constructor(domain: Domain, filter?: string) {
    super();
    this.subscription = domain.subscribe(filter, (match) => this.hear(match));
  }

  private hear(match: DomainMatch): void {
    const { type, serviceId } = match;
    const name = type === "disappeared" ? this.present.get(serviceId) : nameOf(match.properties);
    this.told.push(`${type} ${name}`);
    if (type === "disappeared") this.present.delete(serviceId);
    else this.present.set(serviceId, name!);
    this.happened();
  }

  hears(count: number): Promise<void> {
    return this.until(() => this.told.length >= count, `${count} matches (${this.told.length} came)`);
  }

  sees(count: number): Promise<void> {
    return this.until(() => this.present.size === count, `${count} services (${this.present.size} there)`);
  }
}

const nameOf = (properties: ReadonlyMap<string, readonly unknown[]>): string => String(properties.get("name")?.[0]);

/** A server at an address of its own, which stays the same when it is started again. */
export class RestartableServer {
  private live: LiveDomain | undefined;
  address!: string;

  static async start(options: Partial<DomainOptions> = {}): Promise<RestartableServer> {
    const server = new RestartableServer(options);
    await server.start();
    return server;
  }

  private constructor(private readonly options: Partial<DomainOptions>) {}

  async start(): Promise<void> {
    this.live = await liveDomain(this.options);
    if (this.address === undefined) this.address = this.live.ux;
    else await this.live.domain.listen(this.address);
  }

  /** The server is gone, with everything it knew. */
  stop(): void {
    this.live?.close();
    this.live = undefined;
  }
}

/** A log that can be waited for. */
export class Journal extends Watch {
  readonly lines: string[] = [];
  readonly log: Logger = {
    debug() {},
    info: (text) => this.add(`info: ${text}`),
    warn: (text) => this.add(`warning: ${text}`),
    error: (text) => this.add(`error: ${text}`),
  };

  private add(line: string): void {
    this.lines.push(line);
    this.happened();
  }

  says(pattern: RegExp): Promise<void> {
    return this.until(() => this.lines.some((line) => pattern.test(line)), `${pattern} in the log`);
  }
}
