/** A broker and a directory on paper: what is said on topics, and the services that come of it. */

import { type Properties, type PropertyValue, sameProperties } from "../../../../src/core/properties.js";
import { Complaints } from "../../../../src/gateway/complaints.js";
import { Dropped } from "../../../../src/gateway/dropped.js";
import type { Convention } from "../../../../src/gateway/mqtt/conventions/convention.js";
import {
  type Conventions,
  type ConventionsOptions,
  conventions,
} from "../../../../src/gateway/mqtt/conventions/conventions.js";
import { matchesFilter } from "../../../../src/gateway/mqtt/conventions/topic-filter.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { keptLog } from "../recording-directory.js";

export class Desk {
  readonly clock = new FakeClock();
  readonly log = keptLog();
  readonly dropped = new Dropped();
  /** By id. */
  readonly services = new Map<bigint, Properties>();
  /** `publish <name>` for each generation, `withdraw <name>`. */
  readonly history: string[] = [];
  readonly asked: string[] = [];
  readonly conventions: Conventions;
  /** As the changes tell it. */
  readonly filters: Set<string>;
  /** What the broker keeps. */
  readonly kept = new Map<string, Uint8Array>();
  /** Whether the broker is slow to answer subscriptions; what it keeps there is heard by `replayAll`. */
  isSubscribing = false;

  constructor(options: ConventionsOptions, asking = false) {
    const { clock, log, dropped } = this;
    this.conventions = conventions(options, {
      ...{ clock, timers: clock, random: () => 0.5, log, dropped, site: "lab" },
      complaints: new Complaints(clock, log),
      sink: {
        publish: (id, _ttl, properties) => {
          const present = this.services.get(id);
          if (present && sameProperties(present, properties)) return;
          this.services.set(id, properties);
          this.history.push(`publish ${properties.get("name")?.[0]}`);
        },
        withdraw: (id) => {
          const present = this.services.get(id);
          if (present) this.history.push(`withdraw ${present.get("name")?.[0]}`);
          this.services.delete(id);
        },
      },
      isSubscribing: () => this.isSubscribing,
      onFiltersChanged: (convention, added, removed) => {
        for (const filter of removed) this.filters.delete(filter);
        for (const filter of added) this.subscribed(convention, filter);
      },
      ...(asking ? { ask: (topic: string, payload: string) => this.asked.push(`${topic} ${payload}`) } : {}),
    });
    this.filters = new Set(this.conventions.all.flatMap(({ filters }) => filters));
  }

  /** A device publishes. The conventions hear it if they have subscribed, with retain flag 0. */
  say(topic: string, payload: unknown, retain = false): void {
    const bytes = toBytes(payload);
    if (retain && bytes.length > 0) this.kept.set(topic, bytes);
    else if (retain) this.kept.delete(topic);
    this.hear(topic, bytes, false);
  }

  /** What the broker had kept from earlier is replayed. */
  replay(topic: string, payload: unknown): void {
    const bytes = toBytes(payload);
    this.kept.set(topic, bytes);
    this.hear(topic, bytes, true);
  }

  hearKept(topic: string): void {
    this.hear(topic, this.kept.get(topic)!, true);
  }

  replayAll(): void {
    for (const [topic, bytes] of [...this.kept]) this.hear(topic, bytes, true);
  }

  wait(seconds: number): void {
    this.clock.advanceMs(seconds * 1000);
  }

  lose(): void {
    for (const convention of this.conventions.all) convention.brokerLost();
  }

  /** `keeps`: the broker still has what it kept. */
  back(keeps = true): void {
    for (const convention of this.conventions.all) convention.brokerBack();
    if (keeps) this.replayAll();
    else this.kept.clear();
  }

  stop(): void {
    for (const convention of this.conventions.all) convention.stop();
    this.conventions.devices.stop();
  }

  /** The services by name, without what all have. */
  shown(): Record<string, Record<string, readonly (string | number)[]>> {
    const plain = (value: PropertyValue) => (typeof value === "bigint" ? Number(value) : value);
    return Object.fromEntries(
      [...this.services.values()].map((properties) => [
        String(properties.get("name")?.[0]),
        Object.fromEntries(
          [...properties]
            .filter(([name]) => name !== "name" && name !== "src")
            .map(([name, values]) => [name, values.map(plain)]),
        ),
      ]),
    );
  }

  names(): string[] {
    return Object.keys(this.shown()).sort();
  }

  private subscribed(convention: Convention, filter: string): void {
    this.filters.add(filter);
    if (this.isSubscribing) return;
    for (const [topic, bytes] of [...this.kept]) {
      if (matchesFilter(filter, topic)) convention.heard(topic, bytes, true);
    }
  }

  private hear(topic: string, bytes: Uint8Array, retained: boolean): void {
    for (const convention of this.conventions.all) {
      if (convention.filters.some((filter) => matchesFilter(filter, topic))) convention.heard(topic, bytes, retained);
    }
  }
}

function toBytes(payload: unknown): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  return Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload));
}
