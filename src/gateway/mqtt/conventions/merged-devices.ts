/**
 * Devices that speak several conventions become one service: announcements that have a key in common (device-keys.ts)
 * are one device, directly or over others.
 *
 * The id follows from the best key of all announcements that are known, also of those whose device is not there at the
 * moment, because these are what every gateway and every later start of this one learns from the broker. If a better key
 * is learnt after the device was shown, the service moves to the new id once: it is shown there before the old one is
 * withdrawn. It moves back only when the announcement with that key was withdrawn, never for a presence.
 */

import type { Clock, Timer, Timers } from "../../../core/clock.js";
import type { Logger } from "../../../core/log.js";
import { type Properties, sameProperties } from "../../../core/properties.js";
import { Damping } from "../../damping.js";
import type { Dropped } from "../../dropped.js";
import { show } from "../announced.js";
import { connected } from "./connected.js";
import { betterKey, type DeviceKey, deviceId } from "./device-keys.js";
import { LIMITS, TIMES, TTL_SECONDS } from "./limits.js";
import { type Described, mergedProperties } from "./merging.js";
import { type Sighting, sameKeys } from "./sighting.js";

/** Where services go: `Publications` (gateway/publications.ts). */
export interface ServiceSink {
  publish(id: bigint, ttlSeconds: bigint, properties: Properties): boolean;
  withdraw(id: bigint): void;
}

export interface MergedDevicesOptions {
  readonly site: string;
  readonly sink: ServiceSink;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly dropped: Dropped;
}

/**
 * What an announcement says of its device's being there: its presence says `up` or `down`; there is no presence, so it is
 * `assumed`, or this is `unsettled` while the broker may still replay one; or it was `silent` for too long.
 */
export type Standing = "up" | "down" | "assumed" | "unsettled" | "silent";

interface Member extends Described {
  sighting: Sighting;
  standing: Standing;
  device: Device;
}

interface Device {
  readonly members: Set<Member>;
  /** What leads here; kept while the last change is not carried out. */
  readonly keys: Set<DeviceKey>;
  /** Under which it is shown: one, unless devices were joined just now. */
  readonly ids: Set<bigint>;
  shown?: { readonly id: bigint; readonly properties: Properties };
  timer?: Timer;
  /** When the first of the changes came that are not carried out yet. */
  changedAtMs?: number;
  held: boolean;
}

/** Ids whose changes are counted. */
const MAX_DAMPED = 100_000;

export class MergedDevices {
  private readonly members = new Map<string, Member>();
  private readonly byKey = new Map<DeviceKey, Device>();
  private readonly byId = new Map<bigint, Device>();
  private readonly damping = new Damping<bigint>(MAX_DAMPED, 0);

  constructor(private readonly options: MergedDevicesOptions) {}

  /** Devices that are shown as services. */
  get size(): number {
    return this.byId.size;
  }

  tell(convention: string, subject: string, sighting: Sighting, standing: Standing): void {
    const name = `${convention}\0${subject}`;
    let member = this.members.get(name);
    if (member && sameKeys(member.sighting.keys, sighting.keys)) {
      const { device } = member;
      if (member.sighting === sighting && member.standing === standing) return;
      // it is being waited for quiet since this was announced, which is long enough
      const isAwaited = member.sighting === sighting && member.standing === "unsettled" && !device.held;
      member.sighting = sighting;
      member.standing = standing;
      if (!isAwaited || device.changedAtMs === undefined) this.changed(device);
      return;
    }
    if (member) this.leave(member);
    member = { convention, subject, sighting, standing, device: newDevice() };
    if (this.join(member)) this.members.set(name, member);
    else this.members.delete(name);
  }

  /** The announcement is no more. */
  forget(convention: string, subject: string): void {
    const name = `${convention}\0${subject}`;
    const member = this.members.get(name);
    if (!member) return;
    this.members.delete(name);
    this.leave(member);
  }

  /** Forgets everything; what is shown stays. */
  stop(): void {
    for (const device of new Set(this.byKey.values())) device.timer?.cancel();
    this.members.clear();
    this.byKey.clear();
    this.byId.clear();
  }

  /** False: too much is said of that device already. */
  private join(member: Member): boolean {
    const devices = new Set<Device>();
    for (const key of member.sighting.keys) {
      const known = this.byKey.get(key);
      if (known) devices.add(known);
    }
    const ordered = [...devices].sort((a, b) => b.members.size - a.members.size);
    const total = ordered.reduce((sum, { members }) => sum + members.size, 1);
    if (total > LIMITS.subjectsOfDevice) {
      this.options.dropped.add("too many announcements of one device");
      return false;
    }
    const [device = member.device, ...others] = ordered;
    for (const other of others) this.absorb(device, other);
    this.enter(device, member);
    this.changed(device);
    return true;
  }

  private absorb(device: Device, other: Device): void {
    other.timer?.cancel();
    for (const member of other.members) this.enter(device, member);
    for (const key of other.keys) this.lead(key, device);
    for (const id of other.ids) this.give(id, device);
  }

  private enter(device: Device, member: Member): void {
    member.device = device;
    device.members.add(member);
    for (const key of member.sighting.keys) this.lead(key, device);
  }

  private lead(key: DeviceKey, device: Device): void {
    this.byKey.set(key, device);
    device.keys.add(key);
  }

  private give(id: bigint, device: Device): void {
    this.byId.get(id)?.ids.delete(id);
    this.byId.set(id, device);
    device.ids.add(id);
  }

  /** Takes a member out of its device, which may be several devices then. */
  private leave(member: Member): void {
    const { device } = member;
    device.members.delete(member);
    const parts = connected(device.members);
    if (parts.length > 0) {
      for (const key of device.keys) this.byKey.delete(key);
      device.keys.clear();
      device.members.clear();
      const [first, ...others] = this.byRightToIds(device, parts);
      for (const one of first) this.enter(device, one);
      for (const part of others) {
        const split = newDevice();
        for (const one of part) this.enter(split, one);
        const id = this.idOf(split);
        if (device.ids.has(id)) this.give(id, split);
        this.changed(split);
      }
    }
    this.changed(device);
  }

  /** The part whose id is shown comes first and goes on as the device. */
  private byRightToIds(device: Device, parts: readonly (readonly Member[])[]): readonly (readonly Member[])[] {
    const isShown = (part: readonly Member[]) => device.shown?.id === deviceId(this.options.site, bestKey(part));
    return [...parts].sort((a, b) => Number(isShown(b)) - Number(isShown(a)));
  }

  private idOf({ members }: Device): bigint {
    return deviceId(this.options.site, bestKey(members));
  }

  /** Waits for quiet, then shows what has become of the device. */
  private changed(device: Device): void {
    if (device.held) return;
    const nowMs = this.options.clock.monotonicMs();
    device.changedAtMs ??= nowMs;
    this.settleIn(device, Math.min(TIMES.quietMs, device.changedAtMs + TIMES.longestWaitMs - nowMs));
  }

  private settleIn(device: Device, delayMs: number): void {
    device.timer?.cancel();
    device.timer = this.options.timers.after("mqtt device", delayMs, () => this.settle(device));
  }

  private settle(device: Device): void {
    delete device.changedAtMs;
    device.held = false;
    const live = describing(device.members, device.shown !== undefined);
    const properties = live.length > 0 ? this.properties(device, live) : undefined;
    const id = properties ? this.idOf(device) : device.shown?.id;
    const same =
      properties === undefined
        ? device.ids.size === 0
        : device.ids.size === 1 &&
          device.shown?.id === id &&
          device.ids.has(id!) &&
          sameProperties(device.shown!.properties, properties);
    if (!same && id !== undefined && this.isHeld(device, id)) return;
    if (!same) this.carryOut(device, id, properties);
    if (device.members.size > 0) return;
    for (const key of device.keys) if (this.byKey.get(key) === device) this.byKey.delete(key);
  }

  private properties(device: Device, live: readonly Member[]): Properties {
    const key = bestKey(device.members);
    return mergedProperties(this.options.site, key.slice(key.indexOf(":") + 1), live);
  }

  /** True if it changes too often; it will be looked at again. */
  private isHeld(device: Device, id: bigint): boolean {
    const { clock, log } = this.options;
    const waitMs = this.damping.waitMs(id, clock.monotonicMs());
    if (waitMs <= 0) return false;
    const name = String(device.shown?.properties.get("name")?.[0] ?? id.toString(16));
    log.warning(
      () => `MQTT device ${show(name)} changes all the time; it stays as it is for ${Math.ceil(waitMs / 1000)} s.`,
    );
    device.held = true;
    this.settleIn(device, waitMs);
    return true;
  }

  private carryOut(device: Device, id: bigint | undefined, properties: Properties | undefined): void {
    const { sink, clock, dropped } = this.options;
    if (id !== undefined && properties) {
      if (!sink.publish(id, BigInt(TTL_SECONDS), properties)) {
        dropped.add("too many devices");
        return;
      }
      this.give(id, device);
      device.shown = { id, properties };
    } else delete device.shown;
    if (id !== undefined) this.damping.changed(id, clock.monotonicMs());
    for (const other of [...device.ids]) {
      if (properties && other === id) continue;
      device.ids.delete(other);
      this.byId.delete(other);
      sink.withdraw(other);
    }
  }
}

const newDevice = (): Device => ({ members: new Set(), keys: new Set(), ids: new Set(), held: false });

/** There is at least one member. What passes counts only if there is nothing that the broker keeps. */
function bestKey(members: Iterable<Member>): DeviceKey {
  const all = [...members];
  const kept = all.filter(({ sighting }) => !sighting.passing);
  return (kept.length > 0 ? kept : all).flatMap(({ sighting }) => sighting.keys).reduce(betterKey);
}

/**
 * Those that describe a device that is there; none if it is not. One presence that says so is enough; where one says that it
 * is not, those that merely assume it do not count. Nobody is shown on an assumption that is about to be settled.
 */
function describing(members: ReadonlySet<Member>, isShown: boolean): Member[] {
  const has = (wanted: Standing) => [...members].some(({ standing }) => standing === wanted);
  if (!has("up") && (has("down") || (!isShown && has("unsettled")))) return [];
  return [...members].filter(({ standing }) => standing === "up" || standing === "assumed");
}
