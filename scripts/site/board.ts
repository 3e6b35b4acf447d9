/** One of the boards: a real pafd with its domain and its gateways, and the clients that publish there and look. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { attach, type Domain, type DomainMatch, type PublishedService } from "../../src/client/index.js";
import { PAFD, Pafd } from "../../test/support/pafd.js";
import type { Deed, Thing, Told } from "./history.js";
import type { Part } from "./plan.js";
import { CLIENT_ENVIRONMENT, GATEWAY_KEEPALIVE_SECONDS, HEARTBEAT_SECONDS, now, TTL_SECONDS } from "./times.js";

interface Own {
  readonly service: PublishedService;
  readonly deeds: Deed[];
  version: number;
}

export class Board {
  /** Services, also former ones. */
  readonly things: Thing[] = [];
  private readonly own = new Map<string, Own>();
  private readonly file: string;
  private readonly socket: string;
  private pafd: Pafd | undefined;
  private earlier = "";
  private readonly clients: Domain[] = [];

  constructor(
    readonly name: Part,
    url: string,
    folder: string,
  ) {
    this.file = join(folder, `${name}.yaml`);
    this.socket = `ux:site-${process.pid}-${name}`;
    const broker = `url: "${url}", keepalive: ${GATEWAY_KEEPALIVE_SECONDS}`;
    writeFileSync(
      this.file,
      `domains: [{name: ${name}, sockets: ["${this.socket}"], idle: {min: 2, max: 5}}]
log: {console: true, syslog: false}
gateways:
- {type: mqtt, ${broker}, client_id: pafd-${name}, presence: {name: ${name}}, mirror: [{filter: "(lab=1)"}], queries: {}}
- {type: federation, ${broker}, board: ${name}, heartbeat: ${HEARTBEAT_SECONDS}}
`,
    );
  }

  async start(): Promise<void> {
    this.pafd = new Pafd(["-f", this.file], { command: PAFD });
    await this.pafd.says("started with configuration");
  }

  async stop(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    await this.pafd!.stop(signal);
    this.earlier += this.pafd!.log;
    this.pafd = undefined;
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.pafd!.child.kill(signal);
  }

  get pid(): number {
    return this.pafd!.pid;
  }

  get log(): string {
    return this.earlier + (this.pafd?.log ?? "");
  }

  // --- its clients ------------------------------------------------------------------------------------------------------

  /** Tells `onTold` of everything that belongs to the lab. */
  watch(onTold: (told: Told) => void): void {
    const keys = new Map<bigint, string>();
    this.attach().subscribe("(lab=1)", (match: DomainMatch) => {
      const { serviceId, type } = match;
      if (type === "disappeared") {
        onTold({ at: now(), type, serviceId: String(serviceId), key: keys.get(serviceId) ?? "?" });
        return;
      }
      const key = String(match.properties.get("name")?.[0]);
      keys.set(serviceId, key);
      const version = Number(match.properties.get("version")?.[0]);
      onTold({ at: now(), type, serviceId: String(serviceId), key, version, text: textOf(match.properties) });
    });
  }

  publish(key: string): void {
    const deeds: Deed[] = [];
    const service = this.publisher.publish(contents(key, 0), { ttlSeconds: TTL_SECONDS });
    this.own.set(key, { service, deeds, version: 0 });
    this.things.push({ key, home: this.name, deeds });
    deeds.push({ at: now(), what: "live", version: 0 });
  }

  modify(key: string): void {
    const own = this.own.get(key)!;
    own.version++;
    own.service.modify(contents(key, own.version));
    own.deeds.push({ at: now(), what: "live", version: own.version });
  }

  unpublish(key: string): void {
    const own = this.own.get(key)!;
    this.own.delete(key);
    own.service.unpublish();
    own.deeds.push({ at: now(), what: "left" });
  }

  async end(): Promise<void> {
    for (const client of this.clients) client.abandon();
    await this.pafd?.kill();
  }

  private get publisher(): Domain {
    return this.clients[1] ?? this.attach();
  }

  private attach(): Domain {
    const client = attach({ servers: [{ address: this.socket }] }, { env: { ...process.env, ...CLIENT_ENVIRONMENT } });
    this.clients.push(client);
    return client;
  }
}

const contents = (key: string, version: number) => ({ name: key, kind: "printer", lab: 1, version });

/** In one order, without what tells how it came to this board. */
function textOf(properties: ReadonlyMap<string, readonly (string | bigint)[]>): string {
  return [...properties]
    .filter(([name]) => !name.startsWith("federation."))
    .map(([name, values]) => `${name}=${[...values].sort().join(",")}`)
    .sort()
    .join(" ");
}
