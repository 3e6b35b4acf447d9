/**
 * Between the merged devices, which every gateway of a broker follows, and the directory, to which only one of them is to
 * publish each (part D.7): what OwnedDevices (native) is for devices by name. Flapping is damped before it comes here.
 */

import type { Timer, Timers } from "../../../core/clock.js";
import type { Properties } from "../../../core/properties.js";
import { TIMES } from "../times.js";
import type { ServiceSink } from "./merged-devices.js";

/** Where services are published: `Publications`. */
export interface OwnedServicesTarget extends ServiceSink {
  /** Somebody else publishes it from now on: it is left there, as an orphan unless that one has taken it over. */
  release(id: bigint): void;
}

export interface OwnedServicesOptions {
  readonly target: OwnedServicesTarget;
  /** Whether it is this gateway's part to publish what has this name: the id in 16 hexadecimal digits. */
  readonly publishes: (name: string) => boolean;
  readonly timers: Timers;
}

export class OwnedServices implements ServiceSink {
  private readonly wanted = new Map<bigint, { readonly ttlSeconds: bigint; readonly properties: Properties }>();
  /** What the target was told to publish by us, and was not told to remove since. */
  private readonly told = new Set<bigint>();
  private releasing: Timer | undefined;

  constructor(private readonly options: OwnedServicesOptions) {}

  /** Services that this gateway publishes. */
  get size(): number {
    return this.told.size;
  }

  publish(id: bigint, ttlSeconds: bigint, properties: Properties): boolean {
    this.wanted.set(id, { ttlSeconds, properties });
    return this.tell(id);
  }

  withdraw(id: bigint): void {
    this.wanted.delete(id);
    if (this.told.delete(id)) this.options.target.withdraw(id);
  }

  /** Who is to act has changed: publishes what is ours now, and gives up what is not, a little later. */
  ownersChanged(): void {
    for (const id of this.wanted.keys()) if (!this.told.has(id)) this.tell(id);
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
  }

  private isMine(id: bigint): boolean {
    return this.options.publishes(id.toString(16).padStart(16, "0"));
  }

  /** Tells what is wanted of a service if it is ours, or still is because nobody has taken it over yet. */
  private tell(id: bigint): boolean {
    const wanted = this.wanted.get(id);
    if (!wanted || (!this.told.has(id) && !this.isMine(id))) return true;
    const taken = this.options.target.publish(id, wanted.ttlSeconds, wanted.properties);
    if (taken) this.told.add(id);
    return taken;
  }
}
