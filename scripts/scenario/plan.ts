/**
 * What happens when in a scenario, drawn from a seed: the same seed gives the same plan. Phases alternate in which one
 * server is spared (so that the strict rules of the oracle apply) and in which everything may happen to all; these begin
 * with a blackout of all servers, for less or more than the TTLs.
 */

import { SeededRandom } from "../fuzz/random.js";
import { TTL_SECONDS } from "./times.js";
import { hasPackets, type Transport } from "./transports.js";

export type Fault =
  | { readonly kind: "kill" | "terminate" | "freeze" | "cut" | "lossy" | "flap" | "remove"; readonly server: number }
  /** The server's words do not reach one host; the host's words reach the server. */
  | { readonly kind: "deafen"; readonly server: number; readonly host: string }
  /** The domain file is no domain file for a while: nothing may come of it. */
  | { readonly kind: "spoil" };

export type Order =
  | { readonly kind: "publish"; readonly producer: number; readonly key: string; readonly ttlSeconds: number }
  | { readonly kind: "unpublish"; readonly producer: number; readonly key: string }
  | { readonly kind: "modify"; readonly producer: number; readonly key: string; readonly times: number }
  | { readonly kind: "ttl"; readonly producer: number; readonly key: string; readonly ttlSeconds: number }
  /** All services of the producer end with it; then it attaches anew. */
  | { readonly kind: "close" | "abandon"; readonly producer: number }
  | { readonly kind: "resubscribe"; readonly consumer: number };

export type Step = { readonly atMs: number } & (
  | { readonly fault: Fault; readonly lastsMs: number }
  | { readonly order: Order }
);

export interface PlanOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Of each server. */
  readonly transports: readonly Transport[];
  readonly producers: number;
  readonly consumers: number;
  readonly hosts: readonly string[];
  /** Whether the network can be disturbed. */
  readonly network: boolean;
}

/** Between the orders, on average, of all producers together. */
const ORDER_EVERY_MS = 100;
const FAULT_EVERY_MS = { min: 200, max: 1800 };
const SPARED_MS = { min: 10_000, max: 22_000 };
const STORM_MS = { min: 8000, max: 16_000 };
const BLACKOUT_MS = { min: 1500, max: 8000 };
const BLACKOUT_KINDS = ["kill", "terminate", "freeze"] as const;
/** Times that a service may be changed at once: servers are told only the last of what comes too fast. */
const MOST_CHANGES = 4;
const ALONE_KINDS = ["kill", "terminate", "freeze", "remove"] as const;
const CUT = ["cut"] as const;
const NETWORK_KINDS = ["cut", "cut", "lossy", "flap", "deafen", "deafen"] as const;

export const INITIAL_SERVICES = 2;
const MOST_SERVICES = 4;

export const keyOf = (producer: number, serial: number): string => `p${producer}-${serial}`;

export const ttlOf = (random: SeededRandom): number =>
  TTL_SECONDS.min + random.below(TTL_SECONDS.max - TTL_SECONDS.min + 1);

/** The steps in the order of time. Every fault is over before `durationMs`. */
export function planOf(options: PlanOptions): Step[] {
  // Of their own, so that the faults do not change when there are more producers.
  const disturbing = [...faults(options, new SeededRandom(options.seed))];
  const steps = [...disturbing, ...orders(options, new SeededRandom(~options.seed), disturbing)];
  return steps.sort((a, b) => a.atMs - b.atMs);
}

function* faults({ durationMs, transports, hosts, network }: PlanOptions, random: SeededRandom): Generator<Step> {
  const servers = transports.length;
  const onNetwork = transports.map((transport) => network && hasPackets(transport));
  const free = Array.from({ length: servers }, () => 0);
  let fileFree = 0;
  let spared: number | undefined = random.below(servers);
  let phaseEnds = Math.min(between(random, SPARED_MS), durationMs / 2);
  for (let atMs = 500; atMs < durationMs; atMs += between(random, FAULT_EVERY_MS)) {
    if (atMs > phaseEnds) {
      const storm: boolean = spared !== undefined;
      spared = storm ? undefined : random.below(servers);
      phaseEnds = atMs + between(random, storm ? STORM_MS : SPARED_MS);
      if (storm) {
        const kind = random.pick<Exclude<Fault["kind"], "spoil" | "deafen">>([
          ...BLACKOUT_KINDS,
          ...(onNetwork.every(Boolean) ? CUT : []),
        ]);
        const begins = Math.max(atMs, ...free);
        const lastsMs = Math.min(between(random, BLACKOUT_MS), durationMs - begins - 1);
        for (let server = 0; server < servers; server++) {
          free[server] = begins + lastsMs;
          yield { atMs: begins, lastsMs, fault: { kind, server } };
        }
      }
    }
    const lastsMs = Math.min(random.below(3) === 0 ? random.below(9000) : random.below(2500), durationMs - atMs - 1);
    if (random.below(15) === 0) {
      if (fileFree <= atMs) yield { atMs, lastsMs, fault: { kind: "spoil" } };
      fileFree = Math.max(fileFree, atMs + lastsMs);
      continue;
    }
    const able = free.flatMap((until, server) => (server === spared || until > atMs ? [] : [server]));
    if (able.length === 0) continue;
    const server = random.pick(able);
    const kind = random.pick<Exclude<Fault["kind"], "spoil">>([
      ...ALONE_KINDS,
      ...(onNetwork[server] ? NETWORK_KINDS : []),
    ]);
    const host = random.pick(hosts);
    free[server] = atMs + lastsMs;
    yield { atMs, lastsMs, fault: kind === "deafen" ? { kind, server, host } : { kind, server } };
  }
}

function* orders(
  { durationMs, producers, consumers }: PlanOptions,
  random: SeededRandom,
  disturbing: readonly Step[],
): Generator<Step> {
  // Who attaches while the domain file is no domain file has no servers until it is one again.
  const spoilt = disturbing.filter((step) => "fault" in step && step.fault.kind === "spoil");
  const mayAttach = (now: number) =>
    spoilt.every((step) => now < step.atMs - 500 || ("lastsMs" in step && now > step.atMs + step.lastsMs + 500));
  const alive: string[][] = [];
  const serials: number[] = [];
  for (let producer = 0; producer < producers; producer++) {
    alive.push([]);
    serials.push(0);
  }
  const publish = (producer: number): Order => {
    const key = keyOf(producer, serials[producer]!++);
    alive[producer]!.push(key);
    return { kind: "publish", producer, key, ttlSeconds: ttlOf(random) };
  };
  for (let i = 0; i < INITIAL_SERVICES; i++) {
    for (let producer = 0; producer < producers; producer++) yield { atMs: 0, order: publish(producer) };
  }
  for (let atMs = 1; atMs < durationMs; atMs += 1 + random.below(2 * ORDER_EVERY_MS)) {
    const producer = random.below(producers);
    const mine = alive[producer]!;
    const dice = random.below(100);
    if (dice < 3) {
      yield { atMs, order: { kind: "resubscribe", consumer: random.below(consumers) } };
    } else if (dice < 6 && mayAttach(atMs)) {
      mine.length = 0;
      yield { atMs, order: { kind: dice < 4 ? "close" : "abandon", producer } };
    } else if (mine.length === 0 || (dice < 20 && mine.length < MOST_SERVICES)) {
      yield { atMs, order: publish(producer) };
    } else if (dice < 30) {
      const [key] = mine.splice(random.below(mine.length), 1);
      yield { atMs, order: { kind: "unpublish", producer, key: key! } };
    } else if (dice < 40) {
      yield { atMs, order: { kind: "ttl", producer, key: random.pick(mine), ttlSeconds: ttlOf(random) } };
    } else {
      yield {
        atMs,
        order: { kind: "modify", producer, key: random.pick(mine), times: 1 + random.below(MOST_CHANGES) },
      };
    }
  }
}

const between = (random: SeededRandom, { min, max }: { min: number; max: number }): number =>
  min + random.below(max - min + 1);
