/**
 * Two servers are restarted one after the other while a producer with many services and a consumer are attached: how long
 * each takes until it has everything again, what that costs, and what the consumer was told meanwhile.
 */

import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import { attach, type DomainMatch } from "../../src/client/index.js";
import { type Pafd, startPafd } from "../../test/support/pafd.js";
import { freshName } from "../../test/support/transport-peers.js";

export interface Recovery {
  /** From when the server listens until it has all services and the consumer's subscription, and has told everything. */
  readonly recoveryMs: number;
  /** From the order to end until the new process listens; nobody can do anything about it. */
  readonly absentMs: number;
  readonly serverCpuMs: number;
  /** Of this process, which has the producer and the consumer, since the server was told to end. */
  readonly clientCpuMs: number;
}

export interface RollingRestart {
  readonly recoveries: readonly Recovery[];
  /** What the consumer was told after it knew everything; nothing, if all is right. */
  readonly told: readonly DomainMatch[];
}

const LIMIT_MS = 60_000;
const POLL_MS = 20;

export async function rollingRestart(services: number): Promise<RollingRestart> {
  const addresses = [0, 1].map(() => `ux:${freshName()}`);
  const servers = await Promise.all(addresses.map((address) => startPafd([address])));
  const configuration = { servers: addresses.map((address) => ({ address })) };
  const producer = attach(configuration);
  const consumer = attach(configuration);
  try {
    for (let i = 0; i < services; i++) {
      producer.publish({ name: `service-${i}`, address: `tcp:192.0.2.17:${i}`, color: "green", load: i % 97 });
    }
    const known = new Set<bigint>();
    const told: DomainMatch[] = [];
    const events = new EventEmitter();
    consumer.subscribe(undefined, (match) => {
      if (known.size >= services) told.push(match);
      known.add(match.serviceId);
      events.emit("told");
    });
    const untilTold = async (holds: () => boolean) => {
      while (!holds()) await once(events, "told", { signal: AbortSignal.timeout(LIMIT_MS) });
    };
    await untilTold(() => known.size === services);
    for (const server of servers) await hasEverything(server, services);
    const recoveries: Recovery[] = [];
    for (const [i, address] of addresses.entries()) {
      const began = performance.now();
      const cpuBefore = process.cpuUsage();
      await servers[i]!.stop();
      servers[i] = await startPafd([address]);
      const listens = performance.now();
      const serverBefore = cpuMs(servers[i]!.pid);
      await hasEverything(servers[i]!, services);
      const { user, system } = process.cpuUsage(cpuBefore);
      recoveries.push({
        recoveryMs: performance.now() - listens,
        absentMs: listens - began,
        serverCpuMs: cpuMs(servers[i]!.pid) - serverBefore,
        clientCpuMs: (user + system) / 1000,
      });
    }
    // What a server said comes before what it says now: nothing more can come when each has been heard on its own.
    const marks = new Set<bigint>();
    for (const [i] of servers.entries()) {
      const other = servers[1 - i]!.child;
      other.kill("SIGSTOP");
      const { id } = producer.publish({ mark: i });
      marks.add(id);
      await untilTold(() => known.has(id));
      other.kill("SIGCONT");
    }
    return { recoveries, told: told.filter(({ serviceId }) => !marks.has(serviceId)) };
  } finally {
    producer.abandon();
    consumer.abandon();
    await Promise.all(servers.map((server) => server.kill()));
  }
}

/** CPU time so far, all threads, in steps of 10 ms (proc(5): ticks are hundredths of a second). */
function cpuMs(pid: number): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /, "").split(" ").slice(11, 13);
  return (Number(user) + Number(system)) * 10;
}

const STATE =
  /State: \d+ connections \((\d+) clients\); (\d+) services \((\d+) orphans\); (\d+) subscriptions; (\d+) messages/g;

/** Asks the server (SIGUSR1) until both clients are there and nothing is left to be sent. */
async function hasEverything(server: Pafd, services: number): Promise<void> {
  const wanted = [2, services, 0, 1, 0].join(" ");
  for (const until = performance.now() + LIMIT_MS; ; ) {
    const before = server.log.length;
    let is: string | undefined;
    server.child.kill("SIGUSR1");
    await server.until(() => {
      for (const [, ...numbers] of server.log.slice(before).matchAll(STATE)) is = numbers.join(" ");
      return is !== undefined || server.exit !== undefined;
    }, "the state summary");
    if (is === wanted) return;
    if (server.exit || performance.now() > until) {
      throw new Error(`the server has "${is}" clients, services, orphans, subscriptions, messages; wanted "${wanted}"`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
