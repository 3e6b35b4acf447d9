/** The links of a domain, one per server, while servers come, go and change (libpaf-client.md, 3.4). */

import type { Random, Timer, Timers } from "../core/clock.js";
import type { Logger } from "../core/log.js";
import type { Reading } from "./domain-directory.js";
import type { Link } from "./link.js";
import type { LinkState } from "./link-owner.js";
import type { ServerConfig } from "./server-config.js";
import { settingsKey } from "./server-list.js";

/** The servers as they are now; if they can not be read, why: the links stay then. */
export type ReadServers = () => Promise<Reading<readonly ServerConfig[]>>;

export interface ServerLinksOptions {
  /** A link with a number that was never used before; not yet started. */
  readonly makeLink: (config: ServerConfig, source: number) => Link;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  /** After each reading of the servers: why they can not be read. */
  readonly onRead: (reason: string | undefined) => void;
}

export class ServerLinks {
  /** By address. */
  private readonly active = new Map<string, { readonly key: string; readonly link: Link }>();
  private nextSource = 0;
  /** Of the rescan period, once per domain. */
  private readonly factor: number;
  private rescanTimer: Timer | undefined;
  private ended = false;

  constructor(private readonly options: ServerLinksOptions) {
    this.factor = 0.5 + options.random();
  }

  get size(): number {
    return this.active.size;
  }

  get states(): readonly LinkState[] {
    return this.all.map((link) => link.state);
  }

  /** A copy: links may end while one goes through them. */
  get all(): readonly Link[] {
    return [...this.active.values()].map(({ link }) => link);
  }

  /** Of a link's server; that of one which is not a server any more is not known. */
  addressOf(source: number): string {
    return this.all.find((link) => link.source === source)?.config.address ?? "a server that was removed";
  }

  /** Links of servers that are gone or were changed end, those of new ones begin, the others do not notice. */
  update(servers: readonly ServerConfig[]): void {
    const { log, makeLink } = this.options;
    const keys = new Map(servers.map((config) => [config.address, settingsKey(config)]));
    for (const [address, { key, link }] of [...this.active]) {
      if (keys.get(address) === key) continue;
      log.info(() => `${address}: ${keys.has(address) ? "The settings have changed" : "Not a server any more"}.`);
      this.active.delete(address);
      link.stop();
    }
    for (const config of servers) {
      if (this.active.has(config.address)) continue;
      const link = makeLink(config, this.nextSource++);
      this.active.set(config.address, { key: keys.get(config.address)!, link });
      link.start();
    }
  }

  /** Reads the servers now and after each period; zero or less: now only. */
  follow(read: ReadServers, periodSeconds: number): void {
    void this.rescan(read, periodSeconds * 1000 * this.factor);
  }

  /** The link is over. */
  remove(source: number): void {
    for (const [address, { link }] of this.active) if (link.source === source) this.active.delete(address);
  }

  /** The servers are not followed any more; the links are still there. */
  end(): void {
    this.ended = true;
    this.rescanTimer?.cancel();
  }

  /** Never rejects. The next one begins a period after this one has ended, so that a slow file system is not pressed. */
  private async rescan(read: ReadServers, periodMs: number): Promise<void> {
    const { timers, onRead } = this.options;
    const { found, reason } = await read();
    if (this.ended) return;
    onRead(reason);
    if (found) this.update(found);
    if (this.ended || !(periodMs > 0)) return;
    this.rescanTimer = timers.after("rescan", periodMs, () => void this.rescan(read, periodMs));
  }
}
