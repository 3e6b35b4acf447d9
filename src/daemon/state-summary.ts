/** The lines that SIGUSR1 writes to the log: what the process and each of its domains hold at this moment. */

import { readdirSync } from "node:fs";
import type { LinkState } from "../client/index.js";
import type { TimerHeap } from "../core/timer-heap.js";
import type { GatewayState } from "../gateway/gateway.js";
import type { DomainState } from "../server/domain.js";

export interface ProcessState {
  readonly uptimeSeconds: number;
  readonly residentBytes: number;
  /** JavaScript objects, garbage included. */
  readonly heapBytes: number;
  /** `undefined` where the kernel does not tell, or none is left to ask with. */
  readonly descriptors: number | undefined;
  readonly timers: number;
}

export function processState(timers: TimerHeap): ProcessState {
  const { rss, heapUsed } = process.memoryUsage();
  return {
    uptimeSeconds: Math.floor(process.uptime()),
    residentBytes: rss,
    heapBytes: heapUsed,
    descriptors: openDescriptors(),
    timers: timers.size,
  };
}

function openDescriptors(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length - 1; // without the one that reads this folder
  } catch {
    return undefined;
  }
}

export function processLine({ uptimeSeconds, residentBytes, heapBytes, descriptors, timers }: ProcessState): string {
  const open = descriptors === undefined ? "descriptors unknown" : `${descriptors} descriptors`;
  const memory = `memory ${residentBytes} bytes resident, ${heapBytes} heap`;
  return `State: up ${uptimeSeconds} s; ${memory}; ${open}; ${timers} timers.`;
}

export function domainLine(state: DomainState): string {
  const { connections, clients, services, orphans, subscriptions, queuedMessages, queuedBytes, addresses } = state;
  return [
    `State: ${connections} connections (${clients} clients)`,
    `${services} services (${orphans} orphans)`,
    `${subscriptions} subscriptions`,
    `${queuedMessages} messages, ${queuedBytes} bytes queued`,
    `listening on ${addresses.join(", ") || "nothing"}.`,
  ].join("; ");
}

/** Of a domain that other processes serve. */
export function remoteDomainLine(links: readonly LinkState[]): string {
  const each = links.map(({ address, state, lastError }) =>
    state === "operational" || lastError === undefined ? `${address} ${state}` : `${address} ${state} (${lastError})`,
  );
  return `State: remote domain; servers: ${each.join(", ") || "none known"}.`;
}

/** `services`: those that the gateway published, orphans included. */
export function gatewayLine(
  name: string,
  services: number,
  { state, counts, dropped, lastError }: GatewayState,
): string {
  const list = ({ services: _, ...others }: Readonly<Record<string, number>>) =>
    Object.entries(others).map(([what, count]) => `${count} ${what}`);
  const drops = Object.entries(dropped).map(([reason, count]) => `${count} (${reason})`);
  return `${[
    `State: gateway ${name} ${state}; ${services} services`,
    ...list(counts),
    ...(drops.length > 0 ? [`dropped ${drops.join(", ")}`] : []),
    ...(lastError ? [`last error at ${new Date(lastError.unixSeconds * 1000).toISOString()}: ${lastError.text}`] : []),
  ].join("; ")}.`;
}
