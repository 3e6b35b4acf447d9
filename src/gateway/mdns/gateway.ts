/**
 * The mDNS gateway: one browser per interface, one link per address family, one service per instance; and, if rules for
 * publishing are given, one responder per link.
 */

import { hostname, uptime } from "node:os";
import type { Timers } from "../../core/clock.js";
import { type Logger, prefixed } from "../../core/log.js";
import { Dropped } from "../dropped.js";
import type { Gateway, GatewayContext, GatewayState } from "../gateway.js";
import { Publications } from "../publications.js";
import type { Browser } from "./browser.js";
import { Echoes } from "./echoes.js";
import { Instances } from "./instances.js";
import { listInterfaces, type NetworkInterface } from "./interfaces.js";
import { type Link, type LinkOptions, openLink } from "./link.js";
import type { LinkLimits } from "./link-state.js";
import { Looks, type WatchInterfaces } from "./looks.js";
import { browseOption, type MdnsGatewayOptions, MdnsOptionError, positive } from "./options.js";
import { Port, type PortOptions } from "./port.js";
import { Outbound } from "./responder/outbound.js";
import { ruleProblems } from "./responder/publish-rule.js";
import type { BrowseName } from "./service-names.js";
import { Sleep } from "./sleep.js";
import { SourceRates } from "./source-rates.js";

export { type MdnsGatewayOptions, MdnsOptionError };

/** What the gateway uses of the machine. Node.js has the first two; tests replace them. */
export interface MdnsEnvironment {
  readonly listInterfaces: () => readonly NetworkInterface[];
  readonly openLink: (options: LinkOptions) => Link;
  /** Default: nothing tells. */
  readonly watchInterfaces: WatchInterfaces;
  /** Seconds since the machine was started, those in which it slept included. */
  readonly uptimeSeconds: () => number;
}

const MACHINE: MdnsEnvironment = {
  listInterfaces,
  openLink,
  watchInterfaces: () => undefined,
  uptimeSeconds: uptime,
};

/** Throws an `MdnsOptionError` that names the option. */
export function mdnsGateway(
  options: MdnsGatewayOptions,
  context: GatewayContext,
  environment: Partial<MdnsEnvironment> = {},
): Gateway {
  return new MdnsGateway(options, context, { ...MACHINE, ...environment });
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
  /** By name and number: an interface that was created anew is another one. */
  private readonly ports = new Map<string, Port>();
  private isListTroubleTold = false;
  private readonly looks: Looks;
  private readonly sleep: Sleep;
  /** Those of the context; whatever wakes us is the time to see whether the machine slept. */
  private readonly timers: Timers;
  /** The interfaces that are named but not there, as last told. */
  private waitingFor = "";

  constructor(
    private readonly options: MdnsGatewayOptions,
    private readonly context: GatewayContext,
    private readonly environment: MdnsEnvironment,
  ) {
    const { directory, clock, random } = context;
    this.sleep = new Sleep(clock, environment.uptimeSeconds);
    const timers: Timers = {
      after: (name, delayMs, fire) =>
        context.timers.after(name, delayMs, () => {
          fire();
          this.noticeSleep();
        }),
    };
    this.timers = timers;
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
    return new Outbound(options, { ...this.context, timers: this.timers }, this.log, this.dropped);
  }

  /** Compares the interfaces in use with those the machine has now. Returns when to look again in any case. */
  private look(): number | undefined {
    const wanted = this.wantedInterfaces();
    const nowMs = this.context.clock.monotonicMs();
    if (!wanted) return nowMs + this.pollMs;
    const present = new Map(wanted.map((found) => [`${found.name} ${found.index}`, found]));
    // New ones first: an interface that was created anew then shows its services before the old one's are missed.
    for (const [key, found] of present) {
      const port = this.ports.get(key);
      if (port) port.adjust(found);
      else this.open(key, found);
    }
    for (const [key, port] of this.ports) {
      if (present.has(key)) continue;
      this.log.info(() => `${port.name} is gone.`);
      void this.close(key);
    }
    for (const port of this.ports.values()) port.readdress(); // what one has may be news on another one
    this.tellWaiting(wanted.map(({ name }) => name));
    const dueMs = Math.min(...[...this.ports.values()].map((port) => port.dueMs));
    return Number.isFinite(dueMs) ? dueMs : undefined;
  }

  /** What slept says nothing of the time in between, and heard nothing of it (RFC 6762, 8). */
  private noticeSleep(): void {
    if (this.phase !== "running" || !this.sleep.isOver()) return;
    this.log.info(() => "the machine slept: everything is asked for and probed anew.");
    for (const port of this.ports.values()) port.recheck();
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
      if (interfaces) return found.filter(({ name }) => interfaces.includes(name));
      // a port of a bridge still has a link-local address, but what comes in goes to the bridge
      return found.filter(({ isLoopback, isBridgePort }) => !isLoopback && !isBridgePort);
    } catch (error) {
      const text = `cannot list the interfaces: ${(error as Error).message}`;
      if (!this.isListTroubleTold) this.log.warning(() => text);
      this.noteError(text);
      this.isListTroubleTold = true;
      return undefined;
    }
  }

  private open(key: string, found: NetworkInterface): void {
    const { clock, random } = this.context;
    const { timers, log, echoes, rates, limits, browse } = this;
    const options: PortOptions = {
      clock,
      timers,
      random,
      log,
      echoes,
      rates,
      limits,
      browse,
      openLink: this.environment.openLink,
      addResponder: (link) => this.outbound?.add(link),
      removeResponder: (responder) => this.outbound?.remove(responder),
      retryMs: this.pollMs,
      onTrouble: (text, retryAtMs) => {
        this.noteError(text);
        this.looks.lookAt(retryAtMs);
      },
      addressesBeside: (port) => [...this.ports.values()].flatMap((other) => port.addressesOf(other)),
      onMessage: () => this.noticeSleep(),
      onDropped: (reason) => this.dropped.add(reason),
      onChange: (instanceKey) => this.instances.change(instanceKey),
    };
    this.ports.set(key, new Port(options, found));
    log.info(() => `browsing on ${found.name}.`);
  }

  private async close(key: string): Promise<void> {
    const port = this.ports.get(key);
    this.ports.delete(key);
    await port?.close();
  }

  private noteError(text: string): void {
    this.lastError = { text, unixSeconds: this.context.clock.unixSeconds() };
  }
}
