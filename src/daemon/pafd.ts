/** The command `pafd`: reads its command line, opens what the configuration names, runs until a signal ends it. */

import { randomInt } from "node:crypto";
import { hostname } from "node:os";
import type { Random } from "../core/clock.js";
import { UNLIMITED } from "../core/limits.js";
import { logStack, prefixed } from "../core/log.js";
import type { Gateway, GatewayContext } from "../gateway/gateway.js";
import { Domain } from "../server/domain.js";
import { optionalAddon } from "../transport/addon.js";
import { Outbox } from "../transport/index.js";
import { watchNetwork } from "../transport/network-watch.js";
import { MAX_VERSION, MIN_VERSION } from "../wire/commands.js";
import { checkConfig } from "./config/check.js";
import type { Config, GatewayConfig } from "./config/config.js";
import { readConfigFile } from "./config/config-file.js";
import { DEMO_BROKER_PORT } from "./config/demo.js";
import { describeConfig } from "./config/describe.js";
import { demoIntroduction } from "./demo.js";
import { type EmbeddedBroker, startEmbeddedBroker } from "./embedded-broker.js";
import { eventLoopTimers, LONGEST_DELAY_MS, systemClock } from "./event-loop-time.js";
import { type DirectoryAccess, type GatewayDomain, remoteDomain, servedDomain } from "./gateway-domain.js";
import { GatewayStatus } from "./gateway-status.js";
import { HookError, runHook } from "./hook.js";
import { type DaemonLog, LogSetupError, openLog } from "./log/daemon-log.js";
import { DescriptorWriter } from "./log/descriptor-writer.js";
import { escapeText } from "./log/escape.js";
import { giveMemoryBack, MemoryTrim } from "./memory-trim.js";
import { pafdHelp, parsePafdOptions } from "./options.js";
import { gatewayLine, processLine, processState } from "./state-summary.js";

/** How long gateways may take to leave in order when the process ends. */
const STOP_LIMIT_MS = 3000;

const STDOUT = 1;
const STDERR = 2;

/** User id of the services that gateways publish: no client is that user, so none can withdraw them. */
const GATEWAY_USER = "gateway";

/** The same of what the hook publishes. */
const HOOK_USER = "hook";

/** Cryptographically random in [0, 1): ids and hash keys must not be guessed. Not called on the hot path. */
const random: Random = () => randomInt(2 ** 47) / 2 ** 47;

export async function runPafd(argv: readonly string[], version: string): Promise<void> {
  const command = parsePafdOptions(argv);
  switch (command.kind) {
    case "help":
      return print(STDOUT, pafdHelp());
    case "version":
      return print(STDOUT, `Server version: ${version}\nProtocol version(s): ${MIN_VERSION} ${MAX_VERSION}\n`);
    case "print":
      return print(STDOUT, command.text);
    case "check":
      return check(command.fileName);
    case "error":
      return refuse(command.lines);
    case "run":
      break;
  }
  let log: DaemonLog;
  try {
    log = openLog(command.config.log);
  } catch (error) {
    if (error instanceof LogSetupError) return refuse([error.message]);
    throw error;
  }
  await new Daemon(command.config, log, version).run(command);
}

function check(fileName: string): void {
  const { good, lines } = checkConfig(fileName, readConfigFile);
  if (good) print(STDOUT, lines.map(escapeText).join("\n"));
  else refuse(lines.map(escapeText));
}

/** Start-up errors go to standard output, where the reference's scripts look for them. */
function refuse(lines: readonly string[]): void {
  print(STDOUT, lines.join("\n"));
  process.exitCode = 1;
}

/**
 * Not through `process.stdout`: a reader that has left would raise an exception there, and making that stream turns a
 * pipe that the log shares to non-blocking mode.
 */
function print(fd: number, text: string): void {
  new DescriptorWriter(fd).writeLine(text.trimEnd());
}

interface RunningGateway {
  readonly gateway: Gateway;
  readonly domain: GatewayDomain;
  readonly directory: DirectoryAccess;
  readonly status: GatewayStatus;
}

class Daemon {
  private readonly outbox = new Outbox();
  private readonly timers = eventLoopTimers(systemClock, this.outbox);
  private readonly domains: GatewayDomain[] = [];
  private readonly gateways: RunningGateway[] = [];
  private readonly memory = new MemoryTrim(this.timers, () => giveMemoryBack(optionalAddon()));
  private broker: EmbeddedBroker | undefined;
  private stopping = false;

  constructor(
    private readonly config: Config,
    private readonly log: DaemonLog,
    private readonly version: string,
  ) {}

  async run({ demo, hook }: { readonly demo: boolean; readonly hook?: string }): Promise<void> {
    process.on("SIGUSR1", () => this.logState());
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => this.onSignal(signal));
    process.on("uncaughtException", (error) => this.onInternalError(error));
    try {
      await this.openDomains();
    } catch (error) {
      this.log.error(() => (error instanceof Error ? error.message : String(error)));
      if ((error as { code?: unknown }).code === "EADDRINUSE") {
        this.log.error(() => "Is another pafd running? `pafc ADDR ping` tells; each address can be served only once.");
      }
      this.end(1);
      return;
    }
    // A domain without sockets is legal, and the process must not end for want of anything to wait for.
    setInterval(() => {}, LONGEST_DELAY_MS);
    const configuration = describeConfig(this.config);
    this.log.info(() => `Server version ${this.version} started with configuration: ${configuration}`);
    try {
      if (demo) this.broker = await this.startBroker();
      for (const gateway of this.config.gateways) await this.startGateway(gateway);
      if (hook !== undefined) await this.runHook(hook);
    } catch (error) {
      this.onInternalError(error);
      return;
    }
    if (demo && !this.stopping) print(STDERR, demoIntroduction());
  }

  private async openDomains(): Promise<void> {
    const { config, log, outbox, timers } = this;
    for (const { name, attach, sockets, protocolVersion, idleSeconds } of config.domains) {
      if (attach !== undefined) {
        this.domains.push(remoteDomain(name, attach, log));
        continue;
      }
      const domain = new Domain({
        name,
        versions: protocolVersion,
        idle: idleSeconds,
        limits: {
          total: { ...UNLIMITED, ...config.resources.total },
          user: { ...UNLIMITED, ...config.resources.user },
        },
        outputQueue: config.resources.outputQueue,
        clock: systemClock,
        timers,
        random,
        log,
        trace: config.log.filter === "debug",
        onConnectionEnded: (wasLarge) => this.memory.connectionEnded(wasLarge),
        outbox,
      });
      this.domains.push(servedDomain(domain, random));
      for (const { address, user, tls } of sockets) await domain.listen(address, { localUser: user, tls });
    }
  }

  private async runHook(fileName: string): Promise<void> {
    const { log, version } = this;
    const domains = this.domains.map((domain) => ({
      name: domain.name,
      addresses: domain.addresses,
      directory: domain.open(HOOK_USER),
    }));
    try {
      await runHook(fileName, domains, { log, version });
    } catch (error) {
      if (!(error instanceof HookError)) throw error;
      log.error(() => error.message);
      log.debug(() => `Thrown by the hook: ${(error.cause as Error | undefined)?.stack ?? String(error.cause)}`);
      if (!this.stopping) await this.stop(1);
    }
  }

  /** What an operator asks for with SIGUSR1. */
  private logState(): void {
    this.log.info(() => processLine(processState(this.timers)));
    for (const domain of this.domains) domain.log.info(() => domain.stateLine());
    for (const { gateway, domain, directory } of this.gateways) {
      domain.log.info(() => gatewayLine(gateway.name, directory.serviceCount, gateway.state()));
    }
  }

  /** A newcomer's machine may already have a broker at the usual port: then that one is used. */
  private async startBroker(): Promise<EmbeddedBroker | undefined> {
    try {
      return await startEmbeddedBroker({ host: "127.0.0.1", port: DEMO_BROKER_PORT, log: this.log });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      this.log.info(() => `Port ${DEMO_BROKER_PORT} is in use; taking what listens there as the MQTT broker.`);
      return undefined;
    }
  }

  /** The code of a gateway (and the libraries below it) is loaded only where one is configured. */
  private async startGateway(config: GatewayConfig): Promise<void> {
    const domain = this.domains[config.domain];
    const { log } = domain;
    const directory = domain.open(GATEWAY_USER);
    const context: GatewayContext = {
      directory,
      isDirectoryReachable: () => directory.isReachable,
      clock: systemClock,
      timers: this.timers,
      random,
      // What the mDNS gateway says begins with its name.
      log: config.type === "mdns" ? log : prefixed(log, () => `${config.type}: `),
    };
    let gateway: Gateway;
    if (config.type === "mdns") {
      const { mdnsGateway } = await import("../gateway/mdns/gateway.js");
      gateway = mdnsGateway(config.options, context, { watchInterfaces: watchNetwork });
    } else if (config.type === "mqtt") {
      const { mqttGateway } = await import("../gateway/mqtt/gateway.js");
      gateway = mqttGateway(config.options, context);
    } else {
      const { federationGateway } = await import("../gateway/mqtt/federation/gateway.js");
      gateway = federationGateway(config.options, context);
    }
    if (this.stopping) return;
    const status = new GatewayStatus({
      gateway,
      type: config.type,
      host: hostname(),
      index: this.gateways.length,
      directory: domain.open(GATEWAY_USER),
      clock: systemClock,
      timers: this.timers,
    });
    this.gateways.push({ gateway, domain, directory, status });
    gateway.start();
    status.start();
  }

  private onSignal(signal: NodeJS.Signals): void {
    if (this.stopping) return;
    this.log.info(() => `Received ${signal}; exiting.`);
    void this.stop(0);
  }

  /** A bug outside of any connection: nothing can be said about the state, so the process ends, in order as far as it can. */
  private onInternalError(error: unknown): void {
    logStack(this.log, "Internal error", error);
    if (this.stopping) this.end(1);
    else void this.stop(1);
  }

  private async stop(exitCode: number): Promise<void> {
    this.stopping = true;
    const limit = new Promise((resolve) => setTimeout(resolve, STOP_LIMIT_MS));
    for (const { status } of this.gateways) status.stop();
    await Promise.race([limit, Promise.allSettled(this.gateways.map(({ gateway }) => gateway.stop()))]);
    await Promise.race([limit, this.broker?.close()]);
    this.end(exitCode);
  }

  private end(exitCode: number): void {
    for (const domain of this.domains) domain.close();
    this.log.close();
    process.exit(exitCode);
  }
}
