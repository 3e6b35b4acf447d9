/**
 * Merges what all interfaces show of each instance into one service, and keeps it in the directory.
 *
 * Changes are gathered for a moment first, since the same news comes over IPv4 and IPv6 and on each interface. A
 * withdrawal waits longer: many hosts say goodbye only to announce the same instance anew.
 */

import type { Random, Timer, Timers } from "../../core/clock.js";
import type { Publications } from "../publications.js";
import type { InstanceView } from "./link-state.js";
import { nameKey } from "./names.js";
import { dataKey } from "./records.js";
import { serviceId, serviceProperties, TTL_SECONDS } from "./translation.js";

export interface InstancesOptions {
  readonly scope: string;
  readonly publications: Pick<Publications, "publish" | "withdraw">;
  readonly timers: Timers;
  readonly random: Random;
  /** What each interface shows of an instance now; incomplete instances are left out. */
  readonly views: (instanceKey: string) => readonly InstanceView[];
}

interface Published {
  readonly id: bigint;
  readonly interfaces: readonly string[];
  /** Runs while no interface shows the instance any more. */
  withdrawal: Timer | undefined;
}

const GATHER_MS = 100;
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
    for (const { withdrawal } of this.published.values()) withdrawal?.cancel();
    this.changed.clear();
    this.published.clear();
  }

  private settle(key: string): void {
    const before = this.published.get(key);
    const views = agreeing(this.options.views(key), before?.interfaces ?? []);
    if (!views) {
      if (before) before.withdrawal ??= this.withdrawLater(key, before.id);
      return;
    }
    before?.withdrawal?.cancel();
    const id = before?.id ?? serviceId(this.options.scope, key);
    const interfaces = views.map(({ interfaceName }) => interfaceName);
    const { publications, scope } = this.options;
    if (publications.publish(id, TTL_SECONDS, serviceProperties(scope, views))) {
      this.published.set(key, { id, interfaces, withdrawal: undefined });
    }
  }

  private withdrawLater(key: string, id: bigint): Timer {
    const holdMs = HOLD_MS.least + this.options.random() * (HOLD_MS.most - HOLD_MS.least);
    return this.options.timers.after("mdns withdraw", holdMs, () => {
      this.published.delete(key);
      this.options.publications.withdraw(id);
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
