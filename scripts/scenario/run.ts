/** Conducts a scenario: servers, workers, the plan, and the wait until all consumers have converged. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { DOMAIN, DomainFile } from "./domain-file.js";
import { Evidence } from "./evidence.js";
import { describe, Faults, seconds } from "./faults.js";
import { Hearing } from "./hearing.js";
import { isConnected, Links } from "./links.js";
import type { FromWorker, ToWorker } from "./messages.js";
import { createNetwork, Host, type Network } from "./network.js";
import { differences, judge, type Violation } from "./oracle.js";
import { type Order, planOf, type Step } from "./plan.js";
import { freePort, Server } from "./server.js";
import { CLIENT_ENVIRONMENT, CONVERGENCE, LONGEST_STALL, now, RECOVERY, TTL_SECONDS, TTL_TOLERANCE } from "./times.js";
import { accessOf, hasPackets, type Transport } from "./transports.js";
import { Troubles } from "./troubles.js";

export interface ScenarioOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Of each server. */
  readonly transports: readonly Transport[];
  readonly producers: number;
  readonly consumers: number;
  /** An empty folder for files. */
  readonly folder: string;
  /** The program that calls `work` (worker.ts). */
  readonly worker: readonly string[];
  /** Whether this process has a network namespace to itself. */
  readonly network: boolean;
  readonly progress: (text: string) => void;
}

export interface ScenarioReport {
  readonly violations: readonly Violation[];
  /** Whatever else went wrong: not converged, exceptions in workers, processes that did not end. */
  readonly failures: readonly string[];
  readonly evidence: Evidence;
  readonly troubles: Troubles;
  readonly beganAt: number;
  /** From the last fault. */
  readonly convergedMs: number;
  readonly loopDelayMs: number;
  readonly closeMs: number;
  readonly loss: string;
}

/** Of the clients: half on each. */
export const HOSTS = ["east", "west"] as const;
const PORT = 4711;
/** A worker that has closed everything ends by itself; it gets this long. */
const END_LIMIT_MS = 10_000;

interface Worker {
  readonly host: string;
  readonly child: ChildProcess;
  send(message: ToWorker): void;
}

export async function runScenario(options: ScenarioOptions): Promise<ScenarioReport> {
  const scenario = new Scenario(options);
  try {
    return await scenario.run();
  } finally {
    await scenario.end();
  }
}

class Scenario {
  private readonly evidence = new Evidence();
  private readonly troubles: Troubles;
  private readonly failures: string[] = [];
  private readonly servers: Server[] = [];
  private readonly workers: Worker[] = [];
  private readonly hosts = new Map<string, Host>();
  private network: Network | undefined;
  private file!: DomainFile;
  private loopDelayMs = 0;
  private closeMs = 0;

  constructor(private readonly options: ScenarioOptions) {
    this.troubles = new Troubles(options.transports.length);
  }

  async run(): Promise<ScenarioReport> {
    const { options, evidence, troubles, failures } = this;
    const starts = options.transports.map((_, server) => troubles.begin(server, "start", now()));
    await this.setUp();
    const plan = planOf({ ...options, hosts: HOSTS });
    for (const step of plan) if ("order" in step && step.atMs === 0) this.give(step.order);
    await this.converged("before the first fault", RECOVERY);
    await this.linked(RECOVERY);
    for (const start of starts) start.over(now());
    const beganAt = now();
    await this.play(plan, beganAt);
    options.progress(`${seconds(now() - beganAt)}: the last fault is over`);
    const convergedMs = await this.converged("after the last fault", CONVERGENCE);
    await this.staysConverged();
    await this.leave();
    evidence.close(now());
    failures.push(...evidence.broken);
    if (this.loopDelayMs > LONGEST_STALL) {
      failures.push(`the event loop of a client stood still for ${seconds(this.loopDelayMs)}`);
    }
    for (const { number, log } of this.servers) {
      const trouble = /^.*(?:ERROR|Internal error).*$/m.exec(log);
      if (trouble) failures.push(`server ${number} logged: ${trouble[0]}`);
    }
    const links = new Links(
      evidence.links,
      this.servers.map(({ access }) => access.address),
    );
    return {
      violations: judge(evidence.lives, evidence.subscriptions, new Hearing(troubles, links)),
      failures,
      evidence,
      troubles,
      beganAt,
      convergedMs,
      loopDelayMs: this.loopDelayMs,
      closeMs: this.closeMs,
      loss: this.network?.loss[0] ?? "none",
    };
  }

  async end(): Promise<void> {
    for (const { child } of this.workers) child.kill("SIGKILL");
    await Promise.all(this.servers.map((server) => server.kill()));
    for (const host of this.hosts.values()) host.close();
  }

  // --- setting up ---------------------------------------------------------------------------------------------------

  private async setUp(): Promise<void> {
    const { options } = this;
    if (options.network) {
      this.network = await createNetwork();
      for (const [i, name] of HOSTS.entries()) this.hosts.set(name, await Host.create(name, `10.77.0.${i + 1}`));
    }
    for (const [number, transport] of options.transports.entries()) await this.startServer(number, transport);
    const entries = this.servers.map(({ access }) => access.entry);
    this.file = new DomainFile(options.folder, entries);
    for (const [i, name] of HOSTS.entries()) {
      const worker = this.startWorker(name);
      const share = (count: number) => Array.from({ length: count }, (_, k) => k).filter((k) => k % HOSTS.length === i);
      worker.send({
        kind: "start",
        domain: DOMAIN,
        producers: share(options.producers),
        consumers: share(options.consumers),
      });
    }
  }

  private async startServer(number: number, transport: Transport): Promise<void> {
    const host = this.network ? await Host.create(`server${number}`, `10.77.0.${number + 11}`) : undefined;
    if (host) this.hosts.set(host.name, host);
    const at = hasPackets(transport)
      ? `${host ? `${host.address}:${PORT}` : `127.0.0.1:${await freePort()}`}`
      : `scenario-${process.pid}-${number}`;
    if (!hasPackets(transport)) await host?.announce();
    const server = new Server(number, accessOf(transport, at, host?.name), this.options.folder, host);
    await server.start();
    this.servers.push(server);
  }

  private startWorker(host: string): Worker {
    const [command, ...args] = [...(this.hosts.get(host)?.prefix ?? []), ...this.options.worker];
    const child = spawn(command!, args, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, ...CLIENT_ENVIRONMENT, PAF_DOMAINS: this.options.folder },
    });
    child.on("message", (message: FromWorker) => {
      this.evidence.take(host, message);
      if (message.kind !== "left") return;
      this.loopDelayMs = Math.max(this.loopDelayMs, message.loopDelayMs);
      this.closeMs = Math.max(this.closeMs, message.closeMs);
    });
    const worker = { host, child, send: (message: ToWorker) => void child.send(message) };
    this.workers.push(worker);
    return worker;
  }

  // --- playing ------------------------------------------------------------------------------------------------------

  private async play(plan: readonly Step[], beganAt: number): Promise<void> {
    const { seed } = this.options;
    const { servers, hosts, file, network, troubles, failures } = this;
    const faults = new Faults({ seed, servers, hosts, file, network, troubles });
    const done: Promise<void>[] = [];
    for (const step of plan) {
      if (step.atMs === 0) continue;
      const wait = beganAt + step.atMs - now();
      if (wait > 0) await sleep(wait);
      if ("order" in step) this.give(step.order);
      else {
        this.options.progress(
          `${seconds(step.atMs)}: ${describe(step.fault)} for ${seconds(step.lastsMs)} (${this.evidence.matches} matches so far)`,
        );
        const failed = (error: Error) => void failures.push(`${describe(step.fault)}: ${error.stack}`);
        done.push(faults.inTurn(step.fault, step.lastsMs).catch(failed));
      }
    }
    await Promise.all(done);
  }

  private give(order: Order): void {
    const who = order.kind === "resubscribe" ? order.consumer : order.producer;
    this.workers[who % HOSTS.length]!.send({ kind: "order", order });
  }

  /** Waits until every consumer shows what is published; returns after how many milliseconds that was. */
  private async converged(when: string, limitMs: number): Promise<number> {
    const began = now();
    for (;;) {
      const wrong = differences(this.evidence.lives, this.evidence.subscriptions);
      const after = now() - began;
      // Something must have been heard of at all.
      if (wrong.length === 0 && this.evidence.lives.size > 0) return after;
      if (after > limitMs) {
        const some = wrong.slice(0, 10).join("\n  ");
        this.failures.push(
          `${when}: not converged within ${seconds(limitMs)}; ${wrong.length} differences:\n  ${some}`,
        );
        return after;
      }
      await sleep(20);
    }
  }

  /** Until every client is connected to every server, or for `limitMs`: then the oracle knows no better than the clients. */
  private async linked(limitMs: number): Promise<void> {
    for (const began = now(); now() - began < limitMs; await sleep(20)) {
      const last = new Map(this.evidence.links.map(({ who, address, state }) => [`${who} ${address}`, state]));
      const clients = new Set(this.evidence.links.map(({ who }) => who));
      const connected = [...last.values()].filter(isConnected).length;
      if (connected > 0 && connected === clients.size * this.servers.length) return;
    }
  }

  /** Until no orphan of the time of the faults can be left. */
  private async staysConverged(): Promise<void> {
    if (this.failures.length > 0) return;
    await sleep(TTL_SECONDS.max * 1000 + TTL_TOLERANCE);
    for (const wrong of differences(this.evidence.lives, this.evidence.subscriptions)) {
      this.failures.push(`converged, but not for long: ${wrong}`);
    }
  }

  private async leave(): Promise<void> {
    const ends = this.workers.map(async ({ host, child, send }) => {
      if (child.exitCode !== null || child.signalCode !== null) {
        this.failures.push(`${host}: the worker has ended (${child.exitCode ?? child.signalCode})`);
        return;
      }
      const ended = once(child, "exit");
      send({ kind: "leave" });
      const late = sleep(END_LIMIT_MS, "late" as const, { ref: false });
      const end = await Promise.race([ended, late]);
      if (end === "late") this.failures.push(`${host}: something keeps the worker's process alive after close()`);
      else if (end[0] !== 0) this.failures.push(`${host}: the worker ended with ${end[0] ?? end[1]}`);
    });
    await Promise.all(ends);
  }
}
