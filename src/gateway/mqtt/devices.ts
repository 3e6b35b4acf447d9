/** The devices of one broker: carries out device-states.ts with a clock, and tells a sink what shall be published. */

import type { Clock, Random, Timer, Timers } from "../../core/clock.js";
import type { Logger } from "../../core/log.js";
import { sameProperties } from "../../core/properties.js";
import type { Announcement } from "./announced.js";
import { DEVICE, type Effect, type Input, type Phase, PUBLISHED } from "./device-states.js";
import { TIMES } from "./times.js";

/** What becomes of the service when a device's will was heard and it did not come back. */
export type OnLoss = "withdraw" | "orphan";

/** Where the outcome goes. All calls may be repeated without harm. */
export interface DeviceSink {
  /** `isHeard`: it was heard just now. Otherwise the broker had kept what it said, or it sleeps. */
  publish(device: string, announcement: Announcement, isHeard: boolean): void;
  withdraw(device: string): void;
  orphan(device: string): void;
  clearRetained(device: string): void;
}

export interface DevicesOptions {
  readonly sink: DeviceSink;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  /** At most so many are remembered. A further one takes the place of one that is not published, or is refused. */
  readonly limit: number;
  readonly onLoss: (kind: string) => OnLoss;
  readonly clearStale: boolean;
}

/** What a device said of itself in `sd1/s/<dev>`. */
export type DeviceState = "up" | "down" | { readonly sleepSeconds: number };

interface Device {
  readonly name: string;
  phase: Phase;
  announcement?: Announcement;
  sleepSeconds: number;
  timer?: Timer;
  /** When the phase ends by itself; `undefined`: never. Moves while the broker is away. */
  deadlineMs?: number;
  /** What `deadlineMs` was set to at first: all postponements together are limited to one TTL and the settling time. */
  setForMs: number;
}

export class Devices {
  private readonly devices = new Map<string, Device>();
  /** Those that may be dropped for a newcomer, the oldest first. */
  private readonly droppable = new Set<Device>();
  private lostAtMs: number | undefined;
  private settledAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: DevicesOptions) {}

  /** How many devices are remembered. */
  get size(): number {
    return this.devices.size;
  }

  /** The phase of a device, for reports and tests. */
  phase(name: string): Phase {
    return this.devices.get(name)?.phase ?? "new";
  }

  /** An announcement was heard; `replayed`: the broker had kept it. False: refused, the limit is reached. */
  announced(name: string, announcement: Announcement, replayed: boolean): boolean {
    const device = this.admit(name);
    if (!device) return false;
    const known = device.announcement;
    if (known && sameAnnouncement(known, announcement)) {
      this.happen(device, replayed ? "replayed" : "announced");
    } else {
      device.announcement = announcement;
      this.happen(device, replayed ? "replayed-changed" : "announced");
    }
    return true;
  }

  /** An empty announcement was heard. */
  cleared(name: string): void {
    const device = this.devices.get(name);
    if (device) this.happen(device, "cleared");
  }

  /** A state was heard. False: refused, the limit is reached. */
  stated(name: string, state: DeviceState, replayed: boolean): boolean {
    const device = this.admit(name);
    if (!device) return false;
    if (typeof state === "string") {
      this.happen(device, replayed ? `${state}-replayed` : state);
      return true;
    }
    const changed = device.sleepSeconds !== state.sleepSeconds;
    device.sleepSeconds = state.sleepSeconds;
    this.happen(device, replayed && !(changed && device.phase === "asleep") ? "asleep-replayed" : "asleep");
    return true;
  }

  /** The broker is out of reach: nobody can be heard, so nobody is withdrawn for being silent, for a TTL at most. */
  brokerLost(): void {
    if (this.lostAtMs !== undefined) return;
    this.lostAtMs = this.options.clock.monotonicMs();
    for (const device of this.devices.values()) {
      if (device.deadlineMs !== undefined) this.setTimer(device);
    }
  }

  /** The broker is back: each deadline moves by the time it was away, and none comes before all had time to return. */
  brokerBack(): void {
    if (this.lostAtMs === undefined) return;
    const nowMs = this.options.clock.monotonicMs();
    const awayMs = nowMs - this.lostAtMs;
    this.lostAtMs = undefined;
    this.settle(nowMs, awayMs, 0);
  }

  /** Forgets everything, without telling the sink. */
  stop(): void {
    for (const device of this.devices.values()) device.timer?.cancel();
    this.devices.clear();
    this.droppable.clear();
  }

  /** Moves what would end before all had time to be heard; `fromMs` is the least that a postponement is counted from. */
  private settle(nowMs: number, awayMs: number, fromMs: number): void {
    this.settledAtMs = nowMs + TIMES.settleMs;
    for (const device of this.devices.values()) {
      if (device.deadlineMs === undefined) continue;
      if (PUBLISHED.has(device.phase)) {
        const wantedMs = Math.max(device.deadlineMs + awayMs, this.settledAtMs);
        const latestMs = Math.max(device.setForMs + this.ttlMs(device), fromMs) + TIMES.settleMs;
        device.deadlineMs = Math.max(device.deadlineMs, Math.min(wantedMs, latestMs));
      }
      this.setTimer(device);
    }
  }

  private admit(name: string): Device | undefined {
    const present = this.devices.get(name);
    if (present) return present;
    if (this.devices.size >= this.options.limit) {
      const [oldest] = this.droppable;
      if (!oldest) return undefined;
      this.forget(oldest);
    }
    const device: Device = { name, phase: "new", sleepSeconds: 0, setForMs: 0 };
    this.devices.set(name, device);
    this.droppable.add(device);
    return device;
  }

  private forget(device: Device): void {
    device.timer?.cancel();
    this.devices.delete(device.name);
    this.droppable.delete(device);
  }

  /** The one door through which a device changes. */
  private happen(device: Device, input: Input): void {
    const transition = DEVICE[device.phase][input];
    if (!transition) {
      this.options.log.error(() => `MQTT device ${device.name}: "${input}" while "${device.phase}" is not foreseen.`);
      return;
    }
    device.phase = transition.next;
    for (const effect of transition.effects) this.carryOut(device, effect);
    if (device.phase === "new") this.forget(device);
    else if (PUBLISHED.has(device.phase) || device.phase === "orphaned") this.droppable.delete(device);
    else this.droppable.add(device);
  }

  private carryOut(device: Device, effect: Effect): void {
    const { sink } = this.options;
    const ttlMs = this.ttlMs(device);
    switch (effect) {
      case "publish":
      case "adopt":
        if (device.announcement) sink.publish(device.name, device.announcement, effect === "publish");
        break;
      case "withdraw":
        sink.withdraw(device.name);
        break;
      case "orphan":
        sink.orphan(device.name);
        break;
      case "clear-retained":
        sink.clearRetained(device.name);
        break;
      case "await-ttl":
        this.setDeadline(device, ttlMs);
        break;
      case "await-confirmation":
        this.setDeadline(device, Math.min(ttlMs, TIMES.provisionalMs));
        break;
      case "await-return":
        this.setDeadline(device, TIMES.graceMs);
        break;
      case "await-wake":
        this.setDeadline(device, device.sleepSeconds * TIMES.sleepFactor * 1000);
        break;
      case "await-forget":
        this.setDeadline(device, TIMES.leastRememberedMs);
        break;
      case "await-clearing":
        // jitter: after a restart all leftovers are of one age, and clearing writes two messages each
        if (this.options.clearStale) {
          const leastMs = Math.max(TIMES.clearFactor * ttlMs, TIMES.leastRememberedMs);
          this.setDeadline(device, leastMs * (1 + this.options.random() / 10));
        } else this.setDeadline(device, undefined);
        break;
    }
  }

  private ttlMs(device: Device): number {
    return (device.announcement?.ttlSeconds ?? 0) * 1000;
  }

  private setDeadline(device: Device, delayMs: number | undefined): void {
    device.timer?.cancel();
    if (delayMs === undefined) {
      delete device.deadlineMs;
      return;
    }
    device.setForMs = this.options.clock.monotonicMs() + delayMs;
    device.deadlineMs = PUBLISHED.has(device.phase) ? Math.max(device.setForMs, this.settledAtMs) : device.setForMs;
    this.setTimer(device);
  }

  /** Until when a deadline waits for a broker that is away. */
  private frozenUntilMs(device: Device): number {
    return Math.max(device.deadlineMs ?? 0, device.setForMs + this.ttlMs(device));
  }

  private setTimer(device: Device): void {
    device.timer?.cancel();
    const clearing = device.phase === "gone" || device.phase === "expired";
    if (this.lostAtMs !== undefined && clearing) return; // it needs the broker; set again when that is back
    const frozen = this.lostAtMs !== undefined && PUBLISHED.has(device.phase);
    const dueMs = frozen ? this.frozenUntilMs(device) : (device.deadlineMs ?? 0);
    const delayMs = dueMs - this.options.clock.monotonicMs();
    device.timer = this.options.timers.after(`mqtt ${device.phase}`, delayMs, () => this.due(device, dueMs));
  }

  private due(device: Device, dueMs: number): void {
    const nowMs = this.options.clock.monotonicMs();
    if (PUBLISHED.has(device.phase) && nowMs - dueMs > TIMES.stalledMs) {
      // We stood still ourselves (stopped, or the board slept); what was sent meanwhile is not read yet.
      this.options.log.info(
        () => `MQTT: ${Math.round((nowMs - dueMs) / 1000)} s late; waiting for devices to be heard.`,
      );
      this.settle(nowMs, 0, nowMs);
      return;
    }
    const orphan = device.phase === "grace" && this.options.onLoss(device.announcement?.kind ?? "") === "orphan";
    this.happen(device, orphan ? "deadline-orphan" : "deadline");
  }
}

export function sameAnnouncement(a: Announcement, b: Announcement): boolean {
  return a.kind === b.kind && a.ttlSeconds === b.ttlSeconds && sameProperties(a.properties, b.properties);
}
