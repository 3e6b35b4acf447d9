/**
 * Merges what all interfaces show of each instance into one service, and keeps it in the directory.
 *
 * Changes are gathered for a moment first, since the same news comes over IPv4 and IPv6 and on each interface. A
 * withdrawal waits longer: many hosts say goodbye only to announce the same instance anew.
 */

import type { Clock, Random, Timer, Timers } from "../../core/clock.js";
import { type Properties, sameProperties } from "../../core/properties.js";
import type { Publications } from "../publications.js";
import type { InstanceView } from "./link-state.js";
import { nameKey } from "./names.js";
import { dataKey } from "./records.js";
import { serviceId, serviceProperties, TTL_SECONDS } from "./translation.js";

export interface InstancesOptions {
  readonly scope: string;
  readonly publications: Pick<Publications, "publish" | "withdraw">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** What each interface shows of an instance now; incomplete instances are left out. */
  readonly views: (instanceKey: string) => readonly InstanceView[];
}

interface Published {
  readonly id: bigint;
  properties: Properties;
  interfaces: readonly string[];
  changedMs: number;
  /** Runs while a change waits for its turn. */
  change: Timer | undefined;
  /** Runs while no interface shows the instance any more. */
  withdrawal: Timer | undefined;
}

const GATHER_MS = 100;
/** One service changes at most once in this time; honest hosts do not announce more often (RFC 6762, section 6). */
const CHANGE_GAP_MS = 1000;
const HOLD_MS = { least: 1500, most: 2000 };

export class Instances {
  private readonly published = new Map<string, Published>();
  private readonly changed = new Set<string>();
  private gathering: Timer | undefined;

  constructor(private readonly options: InstancesOptions) {}

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
    for (const { change, withdrawal } of this.published.values()) {
      change?.cancel();
      withdrawal?.cancel();
    }
    this.changed.clear();
    this.published.clear();
  }

  private settle(key: string): void {
    const { scope, views: viewsOf } = this.options;
    const published = this.published.get(key);
    const views = agreeing(viewsOf(key), published?.interfaces ?? []);
    if (views) {
      const properties = serviceProperties(scope, views);
      const interfaces = views.map(({ interfaceName }) => interfaceName);
      if (published) this.update(key, published, properties, interfaces);
      else this.publish(key, properties, interfaces);
    } else if (published) {
      published.withdrawal ??= this.withdrawLater(key, published);
    }
  }

  private publish(key: string, properties: Properties, interfaces: readonly string[]): void {
    const { publications, scope, clock } = this.options;
    const id = serviceId(scope, key);
    if (!publications.publish(id, TTL_SECONDS, properties)) return;
    const changedMs = clock.monotonicMs();
    this.published.set(key, { id, properties, interfaces, changedMs, change: undefined, withdrawal: undefined });
  }

  private update(key: string, published: Published, properties: Properties, interfaces: readonly string[]): void {
    const { publications, timers, clock } = this.options;
    published.withdrawal?.cancel();
    published.withdrawal = undefined;
    if (sameProperties(published.properties, properties)) return;
    const waitMs = published.changedMs + CHANGE_GAP_MS - clock.monotonicMs();
    if (waitMs > 0) {
      published.change ??= timers.after("mdns change", waitMs, () => {
        published.change = undefined;
        this.settle(key);
      });
      return;
    }
    Object.assign(published, { properties, interfaces, changedMs: clock.monotonicMs() });
    publications.publish(published.id, TTL_SECONDS, properties);
  }

  private withdrawLater(key: string, published: Published): Timer {
    const holdMs = HOLD_MS.least + this.options.random() * (HOLD_MS.most - HOLD_MS.least);
    return this.options.timers.after("mdns withdraw", holdMs, () => {
      published.change?.cancel();
      this.published.delete(key);
      this.options.publications.withdraw(published.id);
    });
  }
}

/**
 * The views that show the same thing: equal host, port and TXT. Names are unique on one link only, so two links may show
 * two things of one name. Then it is the one on an interface that was `preferred` before, or else on the first by name.
 */
function agreeing(
  views: readonly InstanceView[],
  preferred: readonly string[],
): [InstanceView, ...InstanceView[]] | undefined {
  const sorted = [...views].sort((a, b) => (a.interfaceName < b.interfaceName ? -1 : 1));
  const leader = sorted.find(({ interfaceName }) => preferred.includes(interfaceName)) ?? sorted[0];
  if (!leader) return undefined;
  const same = sorted.filter((view) => view !== leader && thing(view) === thing(leader));
  return [leader, ...same];
}

function thing({ host, port, txt }: InstanceView): string {
  return `${nameKey(host)} ${port} ${dataKey({ type: "TXT", strings: txt })}`;
}
