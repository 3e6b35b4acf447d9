/** What every convention is given, and what it is to the gateway. */

import type { Clock, Random, Timers } from "../../../core/clock.js";
import type { Logger } from "../../../core/log.js";
import type { Complaints } from "../../complaints.js";
import type { Dropped } from "../../dropped.js";
import type { FilterBudget } from "./filter-budget.js";
import type { MergedDevices } from "./merged-devices.js";
import type { Replay } from "./replay.js";

/** One way in which devices announce themselves to a broker. */
export interface Convention {
  readonly name: string;
  /** What to subscribe to now; the context is told of every change. */
  readonly filters: readonly string[];
  /** A message on one of its filters; others are ignored. `payload` is valid during the call. */
  heard(topic: string, payload: Uint8Array, retained: boolean): void;
  /** Connected and about to subscribe: kept messages will be replayed. */
  brokerBack(): void;
  brokerLost(): void;
  /** Forgets everything; what is shown stays. */
  stop(): void;
}

export interface ConventionContext {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  readonly complaints: Complaints;
  readonly dropped: Dropped;
  readonly devices: MergedDevices;
  readonly budget: FilterBudget;
  readonly replay: Replay;
  /** Topics it waits for have changed. The kept messages of those that were added shall be replayed. */
  onFiltersChanged(convention: Convention, added: readonly string[], removed: readonly string[]): void;
  /** For asking devices to announce themselves; absent unless the configuration allows it. */
  readonly ask?: (topic: string, payload: string) => void;
}
