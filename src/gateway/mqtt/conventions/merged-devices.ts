/**
 * Devices that speak several conventions become one service: announcements that have a key in common (device-keys.ts)
 * are one device, directly or over others. What the service says follows from what its announcements said last, not from
 * when or in which order: one that was merely silent for long still describes the device as long as another says that it
 * is there, for a gateway that starts now learns of it, too.
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
import { bestKey, connected, devicesAmong } from "./connected.js";
import { type DeviceKey, deviceId } from "./device-keys.js";
import { LIMITS, TIMES, TTL_SECONDS } from "./limits.js";
import { type Described, mergedProperties } from "./merging.js";
import { type Sighting, sameKeys } from "./sighting.js";
import { describing, type Standing } from "./standing.js";

/** Where services go: owned-services.ts. */
export interface ServiceSink {
  publish(id: bigint, ttlSeconds: bigint, properties: Properties): void;
  withdraw(id: bigint): void;
}

export interface MergedDevicesOptions {
  readonly site: string;
  /** Conventions whose values count more than those of others, the best first. Default: the order of merging.ts. */
  readonly precedence?: readonly string[];
  readonly sink: ServiceSink;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly dropped: Dropped;
}

interface Member extends Described {
  sighting: Sighting;
  standing: Standing;
  group: Group;
}

/** Announcements that are connected: one device, as a rule (connected.ts). */
interface Group {
  readonly members: Set<Member>;
  /** What leads here; kept while the last change is not carried out. */
  readonly keys: Set<DeviceKey>;
  /** What is shown, by id: one for each device, unless groups were joined just now. */
  readonly shown: Map<bigint, Properties>;
  timer?: Timer;
  /** When the first of the changes came that are not carried out yet. */
  changedAtMs?: number;
  held: boolean;
}

/** What is to become of a group: what each of its devices that are there shows, and the ids of all of them. */
interface Wanted {
  readonly properties: ReadonlyMap<bigint, Properties>;
  readonly ids: ReadonlySet<bigint>;
}

/** Ids whose changes are counted. */
const MAX_DAMPED = 100_000;

export class MergedDevices {
  private readonly members = new Map<string, Member>();
  private readonly byKey = new Map<DeviceKey, Group>();
  private readonly byId = new Map<bigint, Group>();
  private readonly damping = new Damping<bigint>(MAX_DAMPED, 0);

  constructor(private readonly options: MergedDevicesOptions) {}

  /** Devices that are there: they are shown, or are to be when there is room. */
  get size(): number {
    return this.byId.size;
  }

  tell(convention: string, subject: string, sighting: Sighting, standing: Standing): void {
    const name = `${convention}\0${subject}`;
    let member = this.members.get(name);
    if (member && sameKeys(member.sighting.keys, sighting.keys)) {
      const { group } = member;
      if (member.sighting === sighting && member.standing === standing) return;
      // it is being waited for quiet since this was announced, which is long enough
      const isAwaited = member.sighting === sighting && member.standing === "unsettled" && !group.held;
      member.sighting = sighting;
      member.standing = standing;
      if (!isAwaited || group.changedAtMs === undefined) this.changed(group);
      return;
    }
    if (member) this.leave(member);
    member = { convention, subject, sighting, standing, group: newGroup() };
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
    for (const group of new Set(this.byKey.values())) group.timer?.cancel();
    this.members.clear();
    this.byKey.clear();
    this.byId.clear();
  }

  /** False: too much is said of that device already. */
  private join(member: Member): boolean {
    const groups = new Set<Group>();
    for (const key of member.sighting.keys) {
      const known = this.byKey.get(key);
      if (known) groups.add(known);
    }
    const ordered = [...groups].sort((a, b) => b.members.size - a.members.size);
    const total = ordered.reduce((sum, { members }) => sum + members.size, 1);
    if (total > LIMITS.subjectsOfDevice) {
      this.options.dropped.add("too many announcements of one device");
      return false;
    }
    for (const group of ordered) if (group.members.size === 0) this.dropKeys(group); // they have led here, and no further
    const [group = member.group, ...others] = ordered;
    for (const other of others) this.absorb(group, other);
    this.enter(group, member);
    this.changed(group);
    return true;
  }

  private absorb(group: Group, other: Group): void {
    other.timer?.cancel();
    for (const member of other.members) this.enter(group, member);
    for (const [id, properties] of other.shown) this.give(id, group, properties);
  }

  private enter(group: Group, member: Member): void {
    member.group = group;
    group.members.add(member);
    for (const key of member.sighting.keys) {
      this.byKey.set(key, group);
      group.keys.add(key);
    }
  }

  private dropKeys(group: Group): void {
    for (const key of group.keys) if (this.byKey.get(key) === group) this.byKey.delete(key);
    group.keys.clear();
  }

  private give(id: bigint, group: Group, properties: Properties): void {
    this.byId.get(id)?.shown.delete(id);
    this.byId.set(id, group);
    group.shown.set(id, properties);
  }

  /** Takes a member out of its group, which may be several groups then. */
  private leave(member: Member): void {
    const { group } = member;
    group.members.delete(member);
    const parts = connected(group.members);
    if (parts.length > 0) {
      this.dropKeys(group);
      group.members.clear();
      const shown = parts.map((part) => this.idsAmong(part).filter((id) => group.shown.has(id)));
      // one of which an id is shown goes on as the group, if there is one
      const first = Math.max(
        0,
        shown.findIndex((ids) => ids.length > 0),
      );
      for (const [at, part] of parts.entries()) {
        const to = at === first ? group : newGroup();
        for (const one of part) this.enter(to, one);
        if (to === group) continue;
        for (const id of shown[at]) this.give(id, to, group.shown.get(id)!);
        this.changed(to);
      }
    }
    this.changed(group);
  }

  private idsAmong(members: Iterable<Member>): bigint[] {
    const devices = devicesAmong(members);
    return devices.map((device) => deviceId(this.options.site, bestKey(device, devices.length > 1)));
  }

  /** Waits for quiet, then shows what has become of the group. */
  private changed(group: Group): void {
    if (group.held) return;
    const nowMs = this.options.clock.monotonicMs();
    group.changedAtMs ??= nowMs;
    this.settleIn(group, Math.min(TIMES.quietMs, group.changedAtMs + TIMES.longestWaitMs - nowMs));
  }

  private settleIn(group: Group, delayMs: number): void {
    group.timer?.cancel();
    group.timer = this.options.timers.after("mqtt device", delayMs, () => this.settle(group));
  }

  private settle(group: Group): void {
    delete group.changedAtMs;
    group.held = false;
    const waitMs = this.carryOut(group, this.wanted(group));
    if (waitMs > 0) {
      group.held = true;
      this.settleIn(group, waitMs);
    } else if (group.members.size === 0) this.dropKeys(group);
  }

  private wanted(group: Group): Wanted {
    const { site, precedence } = this.options;
    const properties = new Map<bigint, Properties>();
    const ids = new Set<bigint>();
    if (group.members.size === 0) return { properties, ids };
    const devices = devicesAmong(group.members);
    for (const device of devices) {
      const key = bestKey(device, devices.length > 1);
      const id = deviceId(site, key);
      ids.add(id);
      const live = describing(device, devices.length > 1 ? group.shown.has(id) : group.shown.size > 0);
      const fallbackName = key.slice(key.indexOf(":") + 1);
      if (live.length > 0) properties.set(id, mergedProperties(site, fallbackName, live, precedence));
    }
    return { properties, ids };
  }

  /**
   * Shows what is wanted, the new before the old is withdrawn. Returns the time until it is to be looked at again, because
   * something changes too often: 0 if there is nothing like that.
   */
  private carryOut(group: Group, { properties, ids }: Wanted): number {
    let waitMs = 0;
    const isHeld = (id: bigint) => {
      const thisMs = this.heldMs(group, id);
      if (thisMs > 0) waitMs = waitMs > 0 ? Math.min(waitMs, thisMs) : thisMs;
      return thisMs > 0;
    };
    for (const [id, wanted] of properties) {
      const present = group.shown.get(id);
      if ((!present || !sameProperties(present, wanted)) && !isHeld(id)) this.publish(group, id, wanted);
    }
    if (waitMs > 0) return waitMs;
    for (const id of [...group.shown.keys()]) {
      // one that is no device's id any more has moved, and is shown under the other one
      const hasMoved = properties.size > 0 && !ids.has(id);
      if (!properties.has(id) && (hasMoved || !isHeld(id))) this.withdraw(group, id);
    }
    return waitMs;
  }

  /** How long it stays as it is because it changes too often; 0 or less: it may change now. */
  private heldMs({ shown }: Group, id: bigint): number {
    const { clock, log } = this.options;
    const waitMs = this.damping.waitMs(id, clock.monotonicMs());
    if (waitMs <= 0) return waitMs;
    const name = String(shown.get(id)?.get("name")?.[0] ?? id.toString(16));
    log.warning(
      () => `MQTT device ${show(name)} changes all the time; it stays as it is for ${Math.ceil(waitMs / 1000)} s.`,
    );
    return waitMs;
  }

  private publish(group: Group, id: bigint, properties: Properties): void {
    this.options.sink.publish(id, BigInt(TTL_SECONDS), properties);
    this.give(id, group, properties);
    this.damping.changed(id, this.options.clock.monotonicMs());
  }

  private withdraw(group: Group, id: bigint): void {
    group.shown.delete(id);
    this.byId.delete(id);
    this.damping.changed(id, this.options.clock.monotonicMs());
    this.options.sink.withdraw(id);
  }
}

const newGroup = (): Group => ({ members: new Set(), keys: new Set(), shown: new Map(), held: false });
