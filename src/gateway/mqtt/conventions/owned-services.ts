/**
 * Between the merged devices, which every gateway of a broker follows, and the directory, to which only one of them is to
 * publish each (part D.7): what OwnedDevices (native) is for devices by name. Flapping is damped before it comes here.
 */

import type { Clock, Timer, Timers } from "../../../core/clock.js";
import type { Properties } from "../../../core/properties.js";
import type { Dropped } from "../../dropped.js";
import { RecentlyLeft } from "../recently-left.js";
import { TIMES } from "../times.js";
import type { ServiceSink } from "./merged-devices.js";

/** Where services are published: `Publications`. */
export interface OwnedServicesTarget extends Omit<ServiceSink, "publish"> {
  /** False: there is no room. */
  publish(id: bigint, ttlSeconds: bigint, properties: Properties): boolean;
  /** Somebody else publishes it from now on: it is left there, as an orphan unless that one has taken it over. */
  release(id: bigint): void;
  /** It is gone, and the gateway that had published it can no longer withdraw it. */
  withdrawForeign(id: bigint): void;
}

export interface OwnedServicesOptions {
  readonly target: OwnedServicesTarget;
  /** Whether it is this gateway's part to publish what has this name: the id in 16 hexadecimal digits. */
  readonly publishes: (name: string) => boolean;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly dropped: Dropped;
}

export class OwnedServices implements ServiceSink {
  private readonly wanted = new Map<bigint, { readonly ttlSeconds: bigint; readonly properties: Properties }>();
  /** What the target was told to publish by us, and was not told to remove since. */
  private readonly told = new Set<bigint>();
  /** For which there was no room; who waits longest comes first. */
  private readonly refused = new Set<bigint>();
  private readonly left: RecentlyLeft<bigint>;
  private releasing: Timer | undefined;

  constructor(private readonly options: OwnedServicesOptions) {
    this.left = new RecentlyLeft(options.clock);
  }

  /** Services that this gateway publishes. */
  get size(): number {
    return this.told.size;
  }

  publish(id: bigint, ttlSeconds: bigint, properties: Properties): void {
    this.wanted.set(id, { ttlSeconds, properties });
    this.left.forget(id);
    this.tell(id);
  }

  withdraw(id: bigint): void {
    if (!this.wanted.delete(id)) return;
    this.refused.delete(id);
    if (this.told.delete(id)) this.options.target.withdraw(id);
    else if (!this.isMine(id)) this.left.remember(id);
  }

  /** One of those that were refused may be taken now. */
  roomForOne(): void {
    for (const id of this.refused) {
      this.refused.delete(id);
      this.tell(id);
      if (this.told.has(id) || this.refused.has(id)) return;
    }
  }

  /** Who is to act has changed: publishes what is ours now, and gives up what is not, a little later. */
  ownersChanged(): void {
    for (const id of this.wanted.keys()) if (!this.told.has(id)) this.tell(id);
    this.left.take(
      (id) => this.isMine(id),
      (id) => this.options.target.withdrawForeign(id),
    );
    if (this.told.size === 0) return;
    this.releasing?.cancel();
    this.releasing = this.options.timers.after("mqtt hand over", TIMES.handOverMs, () => {
      for (const id of this.told) {
        if (this.isMine(id)) continue;
        this.told.delete(id);
        this.options.target.release(id);
      }
    });
  }

  /** Forgets everything, without telling the target. */
  stop(): void {
    this.releasing?.cancel();
    this.wanted.clear();
    this.told.clear();
    this.refused.clear();
    this.left.clear();
  }

  private isMine(id: bigint): boolean {
    return this.options.publishes(id.toString(16).padStart(16, "0"));
  }

  /** Tells what is wanted of a service if it is ours, or still is because nobody has taken it over yet. */
  private tell(id: bigint): void {
    const wanted = this.wanted.get(id);
    if (!wanted || (!this.told.has(id) && !this.isMine(id))) return;
    if (this.options.target.publish(id, wanted.ttlSeconds, wanted.properties)) {
      this.told.add(id);
      this.refused.delete(id);
    } else {
      if (!this.refused.has(id)) this.options.dropped.add("too many devices");
      this.refused.add(id);
    }
  }
}
