/** One interface in use, known by its name and number: a browser, and a link for each address family. */

import { isHostAddress } from "./addresses.js";
import { Browser, type BrowserOptions } from "./browser.js";
import { FamilyLink, type FamilyLinkContext } from "./family-link.js";
import { addressesBeside, linkScope, type NetworkInterface } from "./interfaces.js";
import type { Family, Peer } from "./link.js";
import { browserQuery } from "./messages.js";
import { type DecodedMessage, heardRecords } from "./records.js";

export interface PortOptions
  extends FamilyLinkContext,
    Pick<BrowserOptions, "browse" | "limits" | "timers" | "random" | "onChange" | "onDropped"> {
  /** Our addresses on other interfaces that seem to be on the same link as this one: see `addressesOf`. */
  readonly addressesBeside: (port: Port) => readonly string[];
  /** A message has been dealt with. */
  readonly onMessage: () => void;
}

const FAMILIES = [4, 6] as const;

export class Port {
  readonly browser: Browser;
  private readonly links = new Map<Family, FamilyLink>();
  private isInScope: (source: string) => boolean;
  /** That a limit was reached has been told. */
  private isOverflowTold = false;

  constructor(
    private readonly options: PortOptions,
    private found: NetworkInterface,
  ) {
    this.isInScope = linkScope(found);
    this.browser = new Browser({
      ...options,
      interfaceName: found.name,
      acceptsAddress: (address) => isHostAddress(address, found.isLoopback),
      send: (message, over) => {
        const query = browserQuery(message);
        for (const [family, link] of this.links) if (over === undefined || over === family) link.send(query);
      },
      families: () => [...this.links].flatMap(([family, { isUsable }]) => (isUsable ? family : [])),
    });
    this.adjustLinks();
    this.browser.restart();
  }

  get name(): string {
    return this.found.name;
  }

  /** When `adjust` should be called although the interface did not change, of those times that are still to come. */
  get dueMs(): number {
    return Math.min(...[...this.links.values()].map(({ dueMs }) => dueMs ?? Number.POSITIVE_INFINITY));
  }

  /**
   * Brings all in line with the interface as it is now. Another address is news of our host, and maybe of a subnet, where
   * others are to be asked for; what was claimed stays claimed (RFC 6762, 8.4). A link that was away is checked anew (8).
   */
  adjust(found: NetworkInterface): void {
    const before = this.found;
    this.found = found;
    const known = new Set(before.addresses.map(addressKey));
    const isWider = found.addresses.some((address) => !known.has(addressKey(address)));
    if (isWider || known.size !== found.addresses.length) this.isInScope = linkScope(found);
    const opened = this.adjustLinks();
    const isAllNew = [...this.links].every(([family, { isUsable }]) => !isUsable || opened.includes(family));
    if (isOther(before.carrierChanges, found.carrierChanges)) this.recheck();
    else if (isWider || (isAllNew && opened.length > 0)) this.browser.restart();
    else for (const family of opened) this.browser.catchUp(family);
  }

  /** Everything is probed and asked for anew: the link may lead elsewhere now, or this machine slept. */
  recheck(): void {
    for (const { responder } of this.links.values()) responder?.restart();
    this.browser.recheck();
  }

  /** An interface got or lost addresses: this one, or another one on the same link. */
  readdress(): void {
    for (const { responder } of this.links.values()) responder?.readdress();
  }

  /** Addresses of the other one, if it seems to be on the same link. */
  addressesOf(other: Port): string[] {
    return other === this ? [] : addressesBeside(this.found, other.found);
  }

  async close(): Promise<void> {
    this.browser.stop();
    await Promise.all([...this.links.values()].map((link) => link.close()));
  }

  /** The families whose links were opened, for the first time or again. */
  private adjustLinks(): Family[] {
    const opened: Family[] = [];
    for (const family of FAMILIES) {
      const present = this.links.get(family);
      if (!this.found.addresses.some((address) => address.family === family)) {
        this.links.delete(family);
        void present?.close();
        continue;
      }
      const link = present ?? this.newLink(family);
      if (link.adjust(this.found)) opened.push(family);
    }
    return opened;
  }

  private newLink(family: Family): FamilyLink {
    const link: FamilyLink = new FamilyLink(
      {
        ...this.options,
        family,
        isInScope: (source) => this.isInScope(source),
        addresses: () => [
          ...new Set([...this.found.addresses.map(({ address }) => address), ...this.options.addressesBeside(this)]),
        ],
        onMessage: (message, from) => {
          this.receive(link, message, from);
          this.options.onMessage();
        },
      },
      this.found,
    );
    this.links.set(family, link);
    return link;
  }

  private receive({ responder }: FamilyLink, message: DecodedMessage, from: Peer): void {
    if (message.type === "query") {
      responder?.query(message, from);
      this.browser.overhear(message, from);
      return;
    }
    responder?.response(message);
    const records = heardRecords(message);
    if (records.length === 0) return;
    this.browser.receive(records, from.address);
    this.tellOverflow();
  }

  private tellOverflow(): void {
    if (this.isOverflowTold) return;
    const { refused, records, instances } = this.browser.counts;
    if (refused === 0) return;
    this.isOverflowTold = true;
    const kept = `${instances} instances (${records} records)`;
    this.options.log.warning(() => `${this.name}: more is announced than a limit allows; ${kept} kept.`);
  }
}

const addressKey = ({ address, prefixLength }: NetworkInterface["addresses"][number]) => `${address}/${prefixLength}`;

/** Both are known, and differ. */
const isOther = (before: number | undefined, now: number | undefined) =>
  before !== undefined && now !== undefined && before !== now;
