/**
 * Merges what all interfaces show of each instance into one service, and keeps it in the directory.
 *
 * Changes are gathered for a moment first, since the same news comes over IPv4 and IPv6 and on each interface. A
 * withdrawal waits longer: many hosts say goodbye only to announce the same instance anew. Who changes too often waits
 * (see ../damping.ts).
 */

import type { Clock, Random, Timer, Timers } from "../../core/clock.js";
import type { Logger } from "../../core/log.js";
import { type Properties, sameProperties } from "../../core/properties.js";
import { Damping } from "../damping.js";
import type { Publications } from "../publications.js";
import { agreeing } from "./agreement.js";
import type { InstanceView } from "./instance-view.js";
import { serviceId, serviceProperties, TTL_SECONDS } from "./translation.js";

export interface InstancesOptions {
  readonly scope: string;
  readonly publications: Pick<Publications, "publish" | "withdraw" | "size">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Services in the directory, at most; and those whose changes are counted, see `Damping`. */
  readonly limit: number;
  readonly log: Logger;
  /** An announcement is not taken, for this reason (a fixed text). */
  readonly onDropped: (reason: string) => void;
  /** What each interface shows of an instance now; incomplete instances are left out. */
  readonly views: (instanceKey: string) => readonly InstanceView[];
}

interface Published {
  readonly id: bigint;
  properties: Properties;
  interfaces: readonly string[];
  /** Runs while no interface shows the instance any more. */
  withdrawal: Timer | undefined;
}

const GATHER_MS = 100;
const HOLD_MS = { least: 1500, most: 2000 };
/** How often it is looked whether there is room for what found none. */
const ROOM_GAP_MS = 10_000;

export class Instances {
  private readonly published = new Map<string, Published>();
  private readonly changed = new Set<string>();
  private readonly damping: Damping;
  /** Changes, and first announcements, that wait for their turn. */
  private readonly waiting = new Map<string, Timer>();
  /** Keys of instances of which another interface shows something else. */
  private readonly contested = new Set<string>();
  private gathering: Timer | undefined;
  /** Keys of instances for which there was no room in the directory; of those that the interfaces know, so limited as they are. */
  private readonly refused = new Set<string>();
  private waitingForRoom: Timer | undefined;

  constructor(private readonly options: InstancesOptions) {
    this.damping = new Damping(options.limit);
  }

  /** Services that are in the directory because of this. */
  get size(): number {
    return this.published.size;
  }

  /** What the interfaces show of this instance may have changed. */
  change(instanceKey: string): void {
    this.changed.add(instanceKey);
    this.gathering ??= this.options.timers.after("mdns gather", GATHER_MS, () => {
      this.gathering = undefined;
      const keys = [...this.changed];
      this.changed.clear();
      for (const key of keys) this.settle(key);
    });
  }

  /** Leaves the directory as it is and does nothing more. */
  stop(): void {
    this.gathering?.cancel();
    this.gathering = undefined;
    this.waitingForRoom?.cancel();
    this.waitingForRoom = undefined;
    this.refused.clear();
    for (const { withdrawal } of this.published.values()) withdrawal?.cancel();
    for (const timer of this.waiting.values()) timer.cancel();
    this.waiting.clear();
    this.changed.clear();
    this.published.clear();
    this.contested.clear();
  }

  private settle(key: string): void {
    const published = this.published.get(key);
    const agreement = agreeing(this.options.views(key), published?.interfaces ?? []);
    this.noteContest(key, agreement?.isContested === true);
    if (agreement) {
      published?.withdrawal?.cancel();
      if (published) published.withdrawal = undefined;
      this.show(key, published, agreement.views);
      return;
    }
    this.waiting.get(key)?.cancel();
    this.waiting.delete(key);
    this.refused.delete(key);
    if (published) published.withdrawal ??= this.withdrawLater(key, published);
  }

  /** Publishes the instance, or its change; later, if it has changed too often. */
  private show(key: string, published: Published | undefined, views: readonly [InstanceView, ...InstanceView[]]): void {
    const { publications, scope, clock } = this.options;
    const interfaces = views.map(({ interfaceName }) => interfaceName);
    const properties = serviceProperties(scope, views);
    if (published && sameProperties(published.properties, properties)) return;
    const nowMs = clock.monotonicMs();
    const waitMs = this.damping.waitMs(key, nowMs);
    if (waitMs > 0) {
      this.wait(key, waitMs);
      return;
    }
    const id = published?.id ?? serviceId(scope, key);
    if (!publications.publish(id, TTL_SECONDS, properties)) {
      if (!this.refused.has(key)) this.options.onDropped("more services than max_instances");
      this.refused.add(key);
      this.waitForRoom();
      return;
    }
    this.refused.delete(key);
    this.published.set(key, { id, properties, interfaces, withdrawal: undefined });
    this.damping.changed(key, nowMs);
  }

  private waitForRoom(): void {
    this.waitingForRoom ??= this.options.timers.after("mdns room", ROOM_GAP_MS, () => {
      this.waitingForRoom = undefined;
      const { limit, publications } = this.options;
      for (const key of [...this.refused].slice(0, Math.max(0, limit - publications.size))) this.settle(key);
      if (this.refused.size > 0) this.waitForRoom();
    });
  }

  /** What is shown then is what the interfaces show then. */
  private wait(key: string, waitMs: number): void {
    if (this.waiting.has(key)) return;
    if (this.damping.isHeld(key, this.options.clock.monotonicMs())) {
      this.options.onDropped("announces changes too often");
      const seconds = Math.ceil(waitMs / 1000);
      this.options.log.info(() => `${key} changes too often; its changes wait for ${seconds} s.`);
    }
    const timer = this.options.timers.after("mdns change", waitMs, () => {
      this.waiting.delete(key);
      this.settle(key);
    });
    this.waiting.set(key, timer);
  }

  private noteContest(key: string, isContested: boolean): void {
    if (!isContested) this.contested.delete(key);
    else if (!this.contested.has(key)) {
      this.contested.add(key);
      this.options.onDropped("same name on another link");
    }
  }

  private withdrawLater(key: string, published: Published): Timer {
    const holdMs = HOLD_MS.least + this.options.random() * (HOLD_MS.most - HOLD_MS.least);
    return this.options.timers.after("mdns withdraw", holdMs, () => {
      this.published.delete(key);
      this.options.publications.withdraw(published.id);
    });
  }
}
