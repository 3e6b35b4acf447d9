/**
 * The mDNS gateway: one browser per interface, one link per address family, one service per instance; and, if rules for
 * publishing are given, one responder per link.
 */

import { hostname } from "node:os";
import { type Logger, prefixed } from "../../core/log.js";
import { Dropped } from "../dropped.js";
import type { Gateway, GatewayContext, GatewayState } from "../gateway.js";
import { Publications } from "../publications.js";
import { isHostAddress } from "./addresses.js";
import { Browser } from "./browser.js";
import { Echoes } from "./echoes.js";
import { Instances } from "./instances.js";
import { linkScope, listInterfaces, type NetworkInterface } from "./interfaces.js";
import { type Family, type Link, type LinkOptions, openLink } from "./link.js";
import type { LinkLimits } from "./link-state.js";
import { Looks, type WatchInterfaces } from "./looks.js";
import { browserQuery } from "./messages.js";
import { NameError } from "./names.js";
import { heardRecords } from "./records.js";
import { Outbound } from "./responder/outbound.js";
import { type PublishRule, ruleProblems } from "./responder/publish-rule.js";
import type { Responder } from "./responder/responder.js";
import { type BrowseName, parseBrowseName } from "./service-names.js";
import { SourceRates } from "./source-rates.js";

/** All have defaults but `types`; what each limit does when it is reached is in docs/mdns.md. */
export interface MdnsGatewayOptions {
  /** Service types such as `_http._tcp` (or subtypes: `_printer._sub._http._tcp`), or whatever the link offers. */
  readonly types: readonly string[] | "all";
  /** Part of each service's id and of its `src`. Gateways on one link should use one scope. Default: `local`. */
  readonly scope?: string | undefined;
  /** Names of the interfaces to use. Default: all but loopback. They may come later. */
  readonly interfaces?: readonly string[] | undefined;
  /**
   * How often to look for interfaces that came or went, where the system does not tell (`MdnsEnvironment`). A link that
   * broke is tried again after this time, then after twice as long, and so on up to 64 times. Default: 5.
   */
  readonly interfacePollSeconds?: number | undefined;
  /** Default: 4500. */
  readonly maxTtlSeconds?: number | undefined;
  /** Instances per interface, and services in the directory. Default: 4096. */
  readonly maxInstances?: number | undefined;
  /** Learnt types per interface, if `types` is "all". Default: 256. */
  readonly maxTypes?: number | undefined;
  /** Default: four times `maxInstances`. */
  readonly maxRecordsPerInterface?: number | undefined;
  /** Records from one source address. Default: 2048; a host has three for each service, and some for itself. */
  readonly maxRecordsPerHost?: number | undefined;
  /** What of the directory is published. Default: nothing. */
  readonly publish?: readonly PublishRule[] | undefined;
  /** Names this gateway in what it publishes; its host is `pf-NAME.local`. Default: the machine's host name. */
  readonly gatewayName?: string | undefined;
  /** Services published at most. Default: 512. */
  readonly maxPublished?: number | undefined;
  /** Where the names are kept that were taken because somebody else had the wanted ones. Default: in memory only. */
  readonly namesFile?: string | undefined;
}

/** What the gateway uses of the machine. Node.js has the first two; tests replace them. */
export interface MdnsEnvironment {
  readonly listInterfaces: () => readonly NetworkInterface[];
  readonly openLink: (options: LinkOptions) => Link;
  /** Default: nothing tells. */
  readonly watchInterfaces: WatchInterfaces;
}

const MACHINE: MdnsEnvironment = { listInterfaces, openLink, watchInterfaces: () => undefined };

export class MdnsOptionError extends Error {}

/** Throws an `MdnsOptionError` that names the option. */
export function mdnsGateway(
  options: MdnsGatewayOptions,
  context: GatewayContext,
  environment: Partial<MdnsEnvironment> = {},
): Gateway {
  return new MdnsGateway(options, context, { ...MACHINE, ...environment });
}

const FAMILIES = [4, 6] as const;

/** A link that keeps breaking is tried again after 2^6 times `interfacePollSeconds` at most. */
const RETRY_DOUBLINGS = 6;

/** One interface that is in use. */
interface Port {
  interface: NetworkInterface;
  isInScope: (source: string) => boolean;
  /** That a limit was reached has been told. */
  isOverflowTold: boolean;
  readonly browser: Browser;
  readonly links: Map<Family, OpenLink>;
}

interface OpenLink {
  readonly link: Link;
  readonly address: string;
  readonly state: { isBroken: boolean };
  readonly responder: Responder | undefined;
}

class MdnsGateway implements Gateway {
  readonly name = "mdns";
  private readonly browse: readonly BrowseName[] | "all";
  private readonly limits: LinkLimits;
  private readonly pollMs: number;
  private readonly log: Logger;
  private readonly instances: Instances;
  private readonly publications: Publications;
  private readonly dropped = new Dropped();
  private readonly outbound: Outbound | undefined;
  private phase: "starting" | "running" | "stopped" = "starting";
  private lastError: GatewayState["lastError"];
  /** Of all interfaces. */
  private ownAddresses: ReadonlySet<string> = new Set();
  private readonly echoes: Echoes;
  private readonly rates: SourceRates;
  private readonly ports = new Map<string, Port>();
  /** Links that broke and have not brought anything since, by interface and family. */
  private readonly troubles = new Map<string, { failures: number; retryAtMs: number; isTold: boolean }>();
  private isListTroubleTold = false;
  private readonly looks: Looks;
  /** The interfaces that are named but not there, as last told. */
  private waitingFor = "";

  constructor(
    private readonly options: MdnsGatewayOptions,
    private readonly context: GatewayContext,
    private readonly environment: MdnsEnvironment,
  ) {
    const { directory, clock, timers, random } = context;
    this.log = prefixed(context.log, () => "mdns: ");
    this.echoes = new Echoes(clock, (address) => this.ownAddresses.has(address));
    this.rates = new SourceRates(clock, (source) =>
      this.log.warning(() => `${source} sends more packets than are read of one host; the others are counted only.`),
    );
    this.browse = options.types === "all" ? "all" : options.types.map(browseOption);
    this.pollMs = 1000 * positive("interfacePollSeconds", options.interfacePollSeconds, 5);
    const maxInstances = positive("maxInstances", options.maxInstances, 4096);
    this.limits = {
      instances: maxInstances,
      types: positive("maxTypes", options.maxTypes, 256),
      records: positive("maxRecordsPerInterface", options.maxRecordsPerInterface, 4 * maxInstances),
      recordsPerSource: positive("maxRecordsPerHost", options.maxRecordsPerHost, 2048),
      ttlSeconds: positive("maxTtlSeconds", options.maxTtlSeconds, 4500),
    };
    const { watchInterfaces: watch } = environment;
    this.looks = new Looks({ clock, timers, watch, pollMs: this.pollMs, look: () => this.look() });
    const scope = options.scope ?? "local";
    this.publications = new Publications({ directory, clock, timers, log: this.log, limit: this.limits.instances });
    this.outbound = this.makeOutbound(scope);
    this.instances = new Instances({
      scope,
      publications: this.publications,
      clock,
      timers,
      random,
      limit: this.limits.instances,
      log: this.log,
      onDropped: (reason) => this.dropped.add(reason),
      views: (key) => [...this.ports.values()].flatMap(({ browser }) => browser.view(key) ?? []),
    });
  }

  start(): void {
    this.phase = "running";
    this.looks.start();
    this.outbound?.start();
  }

  async stop(): Promise<void> {
    this.phase = "stopped";
    this.looks.stop();
    await this.outbound?.stop();
    const closed = [...this.ports.keys()].map((key) => this.close(key));
    this.instances.stop(); // before it hears that everything is gone
    this.publications.stop();
    await Promise.all(closed);
  }

  state(): GatewayState {
    const { dropped, lastError, phase, ports, publications, waitingFor } = this;
    const browsers = [...ports.values()].map(({ browser }) => browser.counts);
    const total = (of: (counts: Browser["counts"]) => number) => browsers.reduce((sum, counts) => sum + of(counts), 0);
    const refused = total((counts) => counts.refused);
    return {
      state: phase === "running" && waitingFor !== "" ? "waiting" : phase,
      counts: {
        interfaces: ports.size,
        instances: total(({ instances }) => instances),
        services: publications.size,
        ...this.outbound?.counts,
      },
      dropped: {
        ...dropped.counts,
        ...(refused > 0 && { "beyond a limit": refused }),
        ...(this.rates.refused > 0 && { "too many packets of one host": this.rates.refused }),
      },
      ...(lastError && { lastError }),
    };
  }

  private makeOutbound(scope: string): Outbound | undefined {
    const { publish = [], gatewayName = hostname(), namesFile } = this.options;
    if (publish.length === 0) return undefined;
    publish.forEach((rule, i) => {
      const [problem] = ruleProblems(rule);
      if (problem) throw new MdnsOptionError(`publish[${i}].${problem.key}: ${problem.message}`);
    });
    const maxPublished = positive("maxPublished", this.options.maxPublished, 512);
    const isOwnAddress = (address: string) => this.ownAddresses.has(address);
    const options = { rules: publish, scope, gatewayName, maxPublished, namesFile, isOwnAddress };
    return new Outbound(options, this.context, this.log, this.dropped);
  }

  /** Compares the interfaces in use with those the machine has now. Returns when to look again in any case. */
  private look(): number | undefined {
    const wanted = this.wantedInterfaces();
    const nowMs = this.context.clock.monotonicMs();
    if (!wanted) return nowMs + this.pollMs;
    const present = new Map(wanted.map((found) => [`${found.name} ${found.index}`, found]));
    // New ones first: an interface that was created anew then shows its services before the old one's are missed.
    for (const [key, found] of present) this.adjust(this.ports.get(key) ?? this.open(key, found), found);
    for (const [key, port] of this.ports) {
      if (present.has(key)) continue;
      this.log.info(() => `${port.interface.name} is gone.`);
      void this.close(key);
    }
    this.tellWaiting(wanted.map(({ name }) => name));
    const retries = [...this.troubles.values()].flatMap(({ retryAtMs }) => (retryAtMs > nowMs ? retryAtMs : []));
    return retries.length > 0 ? Math.min(...retries) : undefined;
  }

  /** Names each listed interface that is not there: it may be a mistake in writing. */
  private tellWaiting(present: readonly string[]): void {
    const { interfaces } = this.options;
    const missing = interfaces?.filter((name) => !present.includes(name)).join(", ");
    const waitingFor = missing ?? (present.length === 0 ? "a network interface" : "");
    if (waitingFor !== "" && waitingFor !== this.waitingFor) this.log.info(() => `waiting for ${waitingFor}.`);
    this.waitingFor = waitingFor;
  }

  /** `undefined`: the system did not tell (no free descriptor, say); then all stays as it is. */
  private wantedInterfaces(): NetworkInterface[] | undefined {
    const { interfaces } = this.options;
    try {
      const found = this.environment.listInterfaces();
      this.isListTroubleTold = false;
      this.ownAddresses = new Set(found.flatMap(({ addresses }) => addresses.map(({ address }) => address)));
      return found.filter(({ name, isLoopback }) => (interfaces ? interfaces.includes(name) : !isLoopback));
    } catch (error) {
      const text = `cannot list the interfaces: ${(error as Error).message}`;
      if (!this.isListTroubleTold) this.log.warning(() => text);
      this.noteError(text);
      this.isListTroubleTold = true;
      return undefined;
    }
  }

  private open(key: string, found: NetworkInterface): Port {
    const { clock, timers, random } = this.context;
    const port: Port = {
      interface: found,
      isInScope: linkScope(found),
      isOverflowTold: false,
      links: new Map(),
      browser: new Browser({
        interfaceName: found.name,
        browse: this.browse,
        limits: this.limits,
        clock,
        timers,
        random,
        acceptsAddress: (address) => isHostAddress(address, found.isLoopback),
        send: (message) => {
          const query = browserQuery(message);
          for (const { link, state } of port.links.values()) if (!state.isBroken) link.send(query);
        },
        families: () => [...port.links].flatMap(([family, { state }]) => (state.isBroken ? [] : family)),
        onDropped: (reason) => this.dropped.add(reason),
        onChange: (instanceKey) => this.instances.change(instanceKey),
      }),
    };
    this.ports.set(key, port);
    this.log.info(() => `browsing on ${found.name}.`);
    return port;
  }

  /** Brings the links of an interface in line with its addresses; asks anew if any of these changed. */
  private adjust(port: Port, found: NetworkInterface): void {
    let isChanged = JSON.stringify(port.interface) !== JSON.stringify(found);
    port.interface = found;
    if (isChanged) port.isInScope = linkScope(found);
    for (const family of FAMILIES) {
      const present = port.links.get(family);
      const addresses = found.addresses.filter((candidate) => candidate.family === family);
      const isUsable =
        present && !present.state.isBroken && addresses.some(({ address }) => address === present.address);
      if (isUsable || this.isTooEarly(port, family)) continue;
      if (present) {
        port.links.delete(family);
        void this.closeLink(present);
      }
      if (addresses.length === 0) continue;
      this.openFamily(port, family, addresses[0].address);
      isChanged = true;
    }
    if (!isChanged) return;
    port.browser.restart();
    for (const { responder } of port.links.values()) responder?.restart();
  }

  private openFamily(port: Port, family: Family, address: string): void {
    const place = placeOf(port, family);
    const state = { isBroken: false };
    let responder: Responder | undefined;
    const link = this.environment.openLink({
      family,
      interface: port.interface,
      isInScope: (source) => port.isInScope(source),
      echoes: this.echoes,
      rates: this.rates,
      onMessage: (message, from) => {
        this.troubles.delete(place);
        if (message.type === "query") {
          responder?.query(message, from);
          port.browser.overhear(message, from);
          return;
        }
        responder?.response(message);
        const records = heardRecords(message);
        if (records.length === 0) return;
        port.browser.receive(records, from.address);
        this.tellOverflow(port);
      },
      onBroken: (error) => {
        if (state.isBroken) return;
        state.isBroken = true;
        this.onTrouble(place, error);
      },
      log: this.log,
    });
    responder = this.outbound?.add({
      linkName: `${port.interface.name} IPv${family}`,
      interfaceName: port.interface.name,
      addresses: () => port.interface.addresses.map((own) => own.address),
      send: (message, to) => {
        if (!state.isBroken) link.send(message, to);
      },
    });
    port.links.set(family, { link, address, state, responder });
  }

  /** The link is opened anew after 5, 10, 20 … 320 s: each opening starts the questions again, which must not be a storm. */
  private onTrouble(place: string, error: Error): void {
    const { failures: before, isTold } = this.troubles.get(place) ?? { failures: 0, isTold: false };
    const failures = before + 1;
    const delayMs = this.pollMs * 2 ** Math.min(failures - 1, RETRY_DOUBLINGS);
    // An IPv6 address cannot send for its first second or two (duplicate address detection): at each boot, say.
    const isWarning = !isTold && !(failures === 1 && error.message.includes("EADDRNOTAVAIL"));
    const retryAtMs = this.context.clock.monotonicMs() + delayMs;
    this.troubles.set(place, { failures, retryAtMs, isTold: isTold || isWarning });
    this.looks.lookAt(retryAtMs);
    const text = () => `${place}: ${error.message}; trying again in ${delayMs / 1000} s.`;
    this.noteError(text());
    if (isWarning) this.log.warning(text);
    else this.log.debug(text);
  }

  private isTooEarly(port: Port, family: Family): boolean {
    const trouble = this.troubles.get(placeOf(port, family));
    return trouble !== undefined && this.context.clock.monotonicMs() < trouble.retryAtMs;
  }

  private tellOverflow(port: Port): void {
    if (port.isOverflowTold) return;
    const { refused, records, instances } = port.browser.counts;
    if (refused === 0) return;
    port.isOverflowTold = true;
    this.log.warning(
      () =>
        `${port.interface.name}: more is announced than a limit allows; ${instances} instances (${records} records) kept.`,
    );
  }

  private async close(key: string): Promise<void> {
    const port = this.ports.get(key);
    if (!port) return;
    this.ports.delete(key);
    for (const family of port.links.keys()) this.troubles.delete(placeOf(port, family));
    port.browser.stop();
    await Promise.all([...port.links.values()].map((open) => this.closeLink(open)));
  }

  private closeLink({ link, responder }: OpenLink): Promise<void> {
    if (responder) this.outbound?.remove(responder);
    return link.close();
  }

  private noteError(text: string): void {
    this.lastError = { text, unixSeconds: this.context.clock.unixSeconds() };
  }
}

/** A link's name in the log; with the number, since an interface that is created anew starts without its past. */
function placeOf({ interface: { name, index } }: Port, family: Family): string {
  return `${name} (number ${index}), IPv${family}`;
}

function browseOption(type: string, i: number): BrowseName {
  try {
    return parseBrowseName(type);
  } catch (error) {
    if (error instanceof NameError) throw new MdnsOptionError(`types[${i}]: ${error.message}`);
    throw error;
  }
}

function positive(name: string, value: number | undefined, preset: number): number {
  if (value === undefined) return preset;
  if (Number.isFinite(value) && value > 0) return value;
  throw new MdnsOptionError(`${name}: ${value} is not a number above 0`);
}
