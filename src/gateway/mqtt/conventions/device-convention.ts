/** What the conventions have in common: announcements, topics in which devices tell their presence, and the broker's life. */

import type { Convention, ConventionContext } from "./convention.js";
import type { PresenceTopics } from "./presence-topics.js";
import type { Sightings } from "./sightings.js";

export abstract class DeviceConvention implements Convention {
  abstract readonly name: string;
  protected abstract readonly fixed: readonly string[];
  protected abstract readonly sightings: Sightings;
  /** Absent where the fixed filters suffice. */
  protected readonly topics?: PresenceTopics;

  constructor(protected readonly context: ConventionContext) {}

  get filters(): readonly string[] {
    return [...this.fixed, ...(this.topics?.filters ?? [])];
  }

  heard(topic: string, payload: Uint8Array, retained: boolean): void {
    if (retained) this.context.replay.heard();
    this.take(topic, payload, retained);
  }

  brokerBack(): void {
    this.context.replay.brokerBack();
    this.topics?.brokerBack();
    this.sightings.brokerBack();
  }

  brokerLost(): void {
    this.context.replay.brokerLost();
    this.sightings.brokerLost();
  }

  stop(): void {
    this.context.replay.stop();
    this.sightings.stop();
    this.topics?.stop();
  }

  protected abstract take(topic: string, payload: Uint8Array, retained: boolean): void;
}
