/**
 * What is published by mDNS, on all links, and under which names: a name that somebody else has is replaced by the next
 * (`Lamp (2)`), on every link, and the choice is remembered.
 */

import type { Clock, Random, Timers } from "../../../core/clock.js";
import type { Logger } from "../../../core/log.js";
import { nameKey } from "../names.js";
import { DOMAIN } from "../service-names.js";
import { ConflictRate } from "./conflict-rate.js";
import { asLabel, numberedHost, numberedInstance } from "./labels.js";
import type { RememberedNames } from "./remembered-names.js";
import { Responder, type ResponderOptions } from "./responder.js";
import { addressesOn, type OutboundHost, type OutboundService } from "./service-records.js";

/** A service as it should be published; the host is ours if `host` is absent. */
export interface WantedService extends Omit<OutboundService, "key" | "name" | "host"> {
  /** The instance name that is wanted, as a person writes it. */
  readonly label: string;
  readonly host?: OutboundHost | undefined;
}

export interface PublisherOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  readonly names: RememberedNames;
  /** What our own host is to be called, without `.local`. */
  readonly hostLabel: string;
  readonly isOwnAddress: (address: string) => boolean;
}

export interface PublisherLink {
  readonly linkName: string;
  readonly interfaceName: string;
  /** The addresses of the interface as they are when asked for. */
  readonly addresses: () => readonly string[];
  readonly send: ResponderOptions["send"];
}

interface Published {
  readonly wanted: WantedService;
  label: string;
}

/** Attempts at a name; more than these many hosts of one name are not tried to pass. */
const NUMBERS = 10_000;
const SECOND_GOODBYE_MS = 250;
const OWN_HOST_KEY = "host";

export class Publisher {
  private readonly services = new Map<string, Published>();
  /** The keys of services by the key of their full name: two of ours do not have one name. */
  private readonly taken = new Map<string, string>();
  private readonly responders = new Set<Responder>();
  private readonly conflicts = new ConflictRate();
  private hostLabel: string;

  constructor(private readonly options: PublisherOptions) {
    const { names, hostLabel } = options;
    this.hostLabel = names.get(OWN_HOST_KEY, hostLabel) ?? hostLabel;
  }

  get size(): number {
    return this.services.size;
  }

  /** Services by how far they are; of several links the one that is least far counts. */
  get counts(): { readonly published: number; readonly probing: number; readonly standby: number } {
    const all = [...this.responders].map((responder) => responder.phases());
    const least = (of: (phases: (typeof all)[number]) => number, pick: (...counts: number[]) => number) =>
      all.length === 0 ? 0 : pick(...all.map(of));
    return {
      published: least(({ held }) => held, Math.min),
      probing: least(({ probing }) => probing, Math.max),
      standby: least(({ standby }) => standby, Math.max),
    };
  }

  /** Publishes the service, or its new state. */
  put(key: string, wanted: WantedService): void {
    const present = this.services.get(key);
    const isSameName = present?.wanted.label === wanted.label && present.wanted.type === wanted.type;
    if (present && !isSameName) this.drop(key);
    const published = { wanted, label: isSameName ? present.label : this.freeLabel(key, wanted, 1) };
    this.services.set(key, published);
    this.taken.set(nameKey(nameOf(published)), key);
    for (const responder of this.responders) responder.put(this.outbound(key, published));
  }

  /** Withdraws the service, with a goodbye. */
  drop(key: string): void {
    const published = this.services.get(key);
    if (!published) return;
    this.services.delete(key);
    this.taken.delete(nameKey(nameOf(published)));
    for (const responder of this.responders) responder.drop(key);
  }

  /** One more link; everything is published there, too. */
  add({ linkName, interfaceName, addresses, send }: PublisherLink): Responder {
    const { clock, timers, random, isOwnAddress } = this.options;
    const responder = new Responder({
      linkName,
      clock,
      timers,
      random,
      send,
      isOwnAddress,
      addressesOf: (host) => addressesOn(interfaceName, addresses(), host),
      onConflict: (name) => this.rename(name),
    });
    this.responders.add(responder);
    for (const [key, published] of this.services) responder.put(this.outbound(key, published));
    return responder;
  }

  /** The link is gone: nothing can be said there any more. */
  remove(responder: Responder): void {
    this.responders.delete(responder);
    responder.stop();
  }

  /** Says goodbye on all links, twice. */
  async stop(): Promise<void> {
    const leaving = [...this.responders].filter((responder) => responder.stop());
    this.responders.clear();
    if (leaving.length === 0) return;
    await new Promise<void>((resolve) => {
      this.options.timers.after("mdns goodbye", SECOND_GOODBYE_MS, resolve);
    });
    for (const responder of leaving) responder.repeatGoodbyes();
  }

  private get hostName(): string {
    return `${asLabel(this.hostLabel)}.${DOMAIN}`;
  }

  private outbound(key: string, published: Published): OutboundService {
    const { label: _, ...wanted } = published.wanted;
    return { ...wanted, key, name: nameOf(published), host: wanted.host ?? { name: this.hostName } };
  }

  /** The wanted name or the next one that none of our services has, from the `first`th on. */
  private freeLabel(key: string, wanted: WantedService, first: number): string {
    const { label, type } = wanted;
    const remembered = first === 1 ? this.options.names.get(`${wanted.sdid} ${type}`, label) : undefined;
    const isFree = (candidate: string) => {
      const owner = this.taken.get(nameKey(nameOf({ wanted, label: candidate })));
      return owner === undefined || owner === key;
    };
    if (remembered !== undefined && isFree(remembered)) return remembered;
    for (let n = first; n < first + NUMBERS; n++) {
      const candidate = numberedInstance(label, n);
      if (isFree(candidate)) return candidate;
    }
    return wanted.sdid;
  }

  private rename(name: string): void {
    const delayMs = this.conflicts.conflict(this.options.clock.monotonicMs());
    const notBeforeMs = this.options.clock.monotonicMs() + delayMs;
    const key = this.taken.get(nameKey(name));
    if (key !== undefined) this.renameService(key, notBeforeMs);
    else if (nameKey(name) === nameKey(this.hostName)) this.renameHost(notBeforeMs);
    else this.options.log.warning(() => `the host name ${name} is somebody else's; its services are not published.`);
  }

  private renameService(key: string, notBeforeMs: number): void {
    const published = this.services.get(key)!;
    const { wanted, label: before } = published;
    this.taken.delete(nameKey(nameOf(published)));
    published.label = this.freeLabel(
      key,
      wanted,
      numberAfter(before, (n) => numberedInstance(wanted.label, n)),
    );
    this.taken.set(nameKey(nameOf(published)), key);
    this.options.names.set(`${wanted.sdid} ${wanted.type}`, wanted.label, published.label);
    const { label } = published;
    this.options.log.info(() => `"${before}" is somebody else's ${wanted.type}; ours is "${label}" from now on.`);
    for (const responder of this.responders) {
      responder.drop(key, true);
      responder.put(this.outbound(key, published), notBeforeMs);
    }
  }

  private renameHost(notBeforeMs: number): void {
    const { names, hostLabel, log } = this.options;
    const before = this.hostLabel;
    this.hostLabel = numberedHost(
      hostLabel,
      numberAfter(before, (n) => numberedHost(hostLabel, n)),
    );
    names.set(OWN_HOST_KEY, hostLabel, this.hostLabel);
    log.info(() => `the host name ${before}.local is somebody else's; ours is ${this.hostLabel}.local from now on.`);
    for (const [key, published] of this.services) {
      if (published.wanted.host) continue;
      for (const responder of this.responders) responder.put(this.outbound(key, published), notBeforeMs);
    }
  }
}

const nameOf = ({ wanted, label }: Published) => `${asLabel(label)}.${wanted.type}.${DOMAIN}`;

/** The number after that of `current`, of the names that `numbered` makes. */
function numberAfter(current: string, numbered: (n: number) => string): number {
  for (let n = 1; n < NUMBERS; n++) if (numbered(n) === current) return n + 1;
  return 2;
}
