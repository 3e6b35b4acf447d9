/**
 * What is published by mDNS, on all links, and under which names: a name that somebody else has is replaced by the next
 * (`Lamp (2)`), on every link, and the choice is remembered.
 */

import type { Clock, Random, Timers } from "../../../core/clock.js";
import type { Logger } from "../../../core/log.js";
import { isLinkLocal } from "../addresses.js";
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

export class Publisher {
  private readonly services = new Map<string, Published>();
  /** The keys of services by the key of their full name: two of ours do not have one name. */
  private readonly taken = new Map<string, string>();
  private readonly responders = new Map<Responder, PublisherLink>();
  private readonly conflicts = new ConflictRate();

  constructor(private readonly options: PublisherOptions) {}

  get size(): number {
    return this.services.size;
  }

  /** Services by how far they are; of several links the one that is least far counts. */
  get counts(): { readonly published: number; readonly probing: number; readonly standby: number } {
    const all = [...this.responders.keys()].map((responder) => responder.phases());
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
    if (present && !isSameName) this.taken.delete(nameKey(nameOf(present)));
    const published = { wanted, label: isSameName ? present.label : this.freeLabel(key, wanted, 1) };
    // Also if it was another one of ours that had the name: who came first is no matter after a restart.
    if (published.label !== wanted.label) this.remember(published);
    this.services.set(key, published);
    this.taken.set(nameKey(nameOf(published)), key);
    for (const responder of this.responders.keys()) responder.put(this.outbound(key, published));
  }

  /** Withdraws the service, with a goodbye. */
  drop(key: string): void {
    const published = this.services.get(key);
    if (!published) return;
    this.services.delete(key);
    this.taken.delete(nameKey(nameOf(published)));
    for (const responder of this.responders.keys()) responder.drop(key);
  }

  /** One more link; everything is published there, too. */
  add(link: PublisherLink): Responder {
    const { linkName, interfaceName, addresses, send } = link;
    const { clock, timers, random, isOwnAddress } = this.options;
    const responder = new Responder({
      linkName,
      clock,
      timers,
      random,
      send,
      isOwnAddress,
      addressesOf: (host) => addressesOn(interfaceName, addresses(), host),
      onConflict: (name) => this.rename(name, link),
    });
    this.responders.set(responder, link);
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
    const leaving = [...this.responders.keys()].filter((responder) => responder.stop());
    this.responders.clear();
    if (leaving.length === 0) return;
    await new Promise<void>((resolve) => {
      this.options.timers.after("mdns goodbye", SECOND_GOODBYE_MS, resolve);
    });
    for (const responder of leaving) responder.repeatGoodbyes();
  }

  /** The host that a service is on, under the name that it should have. */
  private wantedHost({ host }: WantedService): OutboundHost {
    return host ?? { name: `${this.options.hostLabel}.${DOMAIN}` };
  }

  private outbound(key: string, published: Published): OutboundService {
    const { label: _, ...wanted } = published.wanted;
    const host = this.wantedHost(published.wanted);
    return { ...wanted, key, name: nameOf(published), host: { ...host, name: this.chosenHost(host.name) } };
  }

  private chosenHost(wanted: string): string {
    return this.options.names.get(`host ${wanted}`, wanted) ?? wanted;
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

  /** Somebody on this link has the name. */
  private rename(name: string, link: PublisherLink): void {
    const nowMs = this.options.clock.monotonicMs();
    const notBeforeMs = nowMs + this.conflicts.conflict(nowMs);
    const key = this.taken.get(nameKey(name));
    if (key !== undefined) this.renameService(key, link, notBeforeMs);
    else this.renameHost(name, notBeforeMs);
  }

  private renameService(key: string, link: PublisherLink, notBeforeMs: number): void {
    const published = this.services.get(key)!;
    const { wanted, label: before } = published;
    this.taken.delete(nameKey(nameOf(published)));
    published.label = this.freeLabel(
      key,
      wanted,
      numberAfter(before, (n) => numberedInstance(wanted.label, n)),
    );
    this.taken.set(nameKey(nameOf(published)), key);
    const { label } = published;
    this.remember(published);
    this.options.log.info(() => `"${before}" is somebody else's ${wanted.type}; ours is "${label}" from now on.`);
    for (const [responder, of] of this.responders) {
      // On other links nobody else has the name.
      responder.put(this.outbound(key, published), notBeforeMs, isSameLink(of, link));
    }
  }

  private remember({ wanted, label }: Published): void {
    this.options.names.set(`${wanted.sdid} ${wanted.type}`, wanted.label, label);
  }

  private renameHost(name: string, notBeforeMs: number): void {
    const isOnIt = ({ wanted }: Published) => nameKey(this.chosenHost(this.wantedHost(wanted).name)) === nameKey(name);
    const moving = [...this.services].filter(([, published]) => isOnIt(published));
    if (moving.length === 0) return;
    const wanted = this.wantedHost(moving[0][1].wanted).name;
    const label = wanted.slice(0, -DOMAIN.length - 1);
    const numbered = (n: number) => `${numberedHost(label, n)}.${DOMAIN}`;
    const chosen = numbered(numberAfter(name, numbered));
    this.options.names.set(`host ${wanted}`, wanted, chosen);
    this.options.log.info(() => `the host name ${name} is somebody else's; ours is ${chosen} from now on.`);
    for (const [key, published] of moving) {
      for (const responder of this.responders.keys()) responder.put(this.outbound(key, published), notBeforeMs);
    }
  }
}

/** By both families of an interface, or by two interfaces: then each shows the addresses of both. */
function isSameLink(a: PublisherLink, b: PublisherLink): boolean {
  const shown = new Set(a.addresses());
  return a.interfaceName === b.interfaceName || b.addresses().some((own) => shown.has(own) && !isLinkLocal(own));
}

const nameOf = ({ wanted, label }: Published) => `${asLabel(label)}.${wanted.type}.${DOMAIN}`;

/** The number after that of `current`, of the names that `numbered` makes. */
function numberAfter(current: string, numbered: (n: number) => string): number {
  for (let n = 1; n < NUMBERS; n++) if (numbered(n) === current) return n + 1;
  return 2;
}
