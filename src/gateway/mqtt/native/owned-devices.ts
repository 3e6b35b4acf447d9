/**
 * Between the devices, which every gateway of a broker follows, and the directory, to which only one of them is to
 * publish each (part D.7): keeps what is to be published, tells it when that is our part, and gives it up when it no
 * longer is. Also dampens what flaps (D.6).
 */

import type { Clock, Timer, Timers } from "../../../core/clock.js";
import type { Logger } from "../../../core/log.js";
import type { Claim } from "../../publications.js";
import type { Announcement } from "../announced.js";
import { type DeviceSink, sameAnnouncement } from "../devices.js";
import { RecentlyLeft } from "../recently-left.js";
import { TIMES } from "../times.js";
import { DampedChanges } from "./damped-changes.js";

/** Where devices are published. All calls may be repeated without harm. */
export interface DeviceTarget extends Omit<DeviceSink, "publish"> {
  publish(device: string, announcement: Announcement, claim: Claim): void;
  /** Somebody else publishes it from now on: it is left there, as an orphan unless that one has taken it over. */
  release(device: string): void;
  /** It is gone, and the gateway that had published it can no longer withdraw it. */
  withdrawForeign(device: string): void;
}

/** Devices whose changes are counted. */
const MAX_DAMPED = 100_000;

interface Wanted {
  readonly announcement: Announcement;
  readonly orphaned: boolean;
  /** We have heard it ourselves since it said this. */
  readonly isHeard: boolean;
}

export interface OwnedDevicesOptions {
  readonly target: DeviceTarget;
  /** Whether it is this gateway's part to publish a device, and to clear what it left behind at the broker. */
  readonly publishes: (device: string) => boolean;
  readonly clears: (device: string) => boolean;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
}

export class OwnedDevices implements DeviceSink {
  private readonly wanted = new Map<string, Wanted>();
  /** What the target was told to publish by us, and was not told to remove since. */
  private readonly told = new Set<string>();
  private readonly left: RecentlyLeft<string>;
  private readonly changes: DampedChanges;
  private releasing: Timer | undefined;

  constructor(private readonly options: OwnedDevicesOptions) {
    const { clock, timers, log } = options;
    this.left = new RecentlyLeft(clock);
    this.changes = new DampedChanges({
      name: "mqtt device held",
      ...{ clock, timers, limit: MAX_DAMPED },
      carryOut: (device) => this.tell(device),
      onHold: (device) => log.warning(() => `MQTT device ${device} changes all the time; held for a minute.`),
    });
  }

  /** Devices that this gateway publishes. */
  get size(): number {
    return this.told.size;
  }

  publish(device: string, announcement: Announcement, isHeard: boolean): void {
    const before = this.wanted.get(device);
    this.left.forget(device);
    this.wanted.set(device, { announcement, orphaned: false, isHeard });
    const same = before && !before.orphaned && sameAnnouncement(before.announcement, announcement);
    if (!same) this.changes.change(device);
    else if (!this.changes.isWaiting(device)) this.tell(device); // perhaps it was refused before
  }

  withdraw(device: string): void {
    if (!this.wanted.delete(device)) return;
    if (!this.told.has(device) && !this.options.publishes(device)) this.left.remember(device);
    this.changes.change(device);
  }

  orphan(device: string): void {
    const before = this.wanted.get(device);
    if (!before || before.orphaned) return;
    this.wanted.set(device, { ...before, orphaned: true });
    this.changes.change(device);
  }

  clearRetained(device: string): void {
    if (this.options.clears(device)) this.options.target.clearRetained(device);
  }

  /** Who is to act has changed: publishes what is ours now, and gives up what is not, a little later. */
  ownersChanged(): void {
    for (const device of this.wanted.keys()) {
      if (!this.told.has(device) && !this.changes.isWaiting(device)) this.tell(device);
    }
    this.left.take(this.options.publishes, (device) => this.options.target.withdrawForeign(device));
    if (this.told.size === 0) return;
    this.releasing?.cancel();
    this.releasing = this.options.timers.after("mqtt hand over", TIMES.handOverMs, () => {
      for (const device of this.told) {
        if (this.options.publishes(device)) continue;
        this.told.delete(device);
        this.options.target.release(device);
      }
    });
  }

  /** Forgets everything, without telling the target. */
  stop(): void {
    this.releasing?.cancel();
    this.changes.clear();
    this.wanted.clear();
    this.left.clear();
    this.told.clear();
  }

  /** Tells what is wanted of a device now, if it is ours, or still is because nobody has taken it over yet. */
  private tell(device: string): void {
    const { target, publishes } = this.options;
    if (!this.told.has(device) && !publishes(device)) return;
    const wanted = this.wanted.get(device);
    if (!wanted) {
      this.told.delete(device);
      target.withdraw(device);
    } else if (wanted.orphaned) {
      target.orphan(device);
    } else {
      this.told.add(device);
      target.publish(device, wanted.announcement, this.claimOn(device, wanted));
    }
  }

  /** What we have heard ourselves is ours; but not against the gateway to which we are about to hand it over. */
  private claimOn(device: string, { isHeard }: Wanted): Claim {
    if (!isHeard) return "hearsay";
    return this.options.publishes(device) ? "fresh" : "usual";
  }
}
