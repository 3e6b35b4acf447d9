/** The goodbyes of one link: each is said at once, and again a little later, since packets get lost (RFC 6762, 10.1). */

import type { OutgoingMessage } from "../messages.js";
import type { OwnRecord } from "./own-records.js";
import { goodbyes } from "./packing.js";

export interface FarewellsOptions {
  readonly send: (message: OutgoingMessage) => void;
  readonly isOurs: (record: OwnRecord) => boolean;
}

interface Farewell {
  /** When to say it again. */
  readonly atMs: number;
  readonly records: readonly OwnRecord[];
  readonly isPartial: boolean;
}

const SECOND_GOODBYE_MS = 250;

export class Farewells {
  /** To be repeated, the first one first. */
  private readonly waiting: Farewell[] = [];

  constructor(private readonly options: FarewellsOptions) {}

  /** When `repeatDue` has something to do. */
  get nextMs(): number {
    return this.waiting[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** `isPartial`: see `goodbyes`. */
  say(records: readonly OwnRecord[], isPartial: boolean, nowMs: number): void {
    const farewell = { atMs: nowMs + SECOND_GOODBYE_MS, records, isPartial };
    this.send(farewell);
    this.waiting.push(farewell);
  }

  repeatDue(nowMs: number): void {
    while (this.nextMs <= nowMs) this.send(this.waiting.shift() as Farewell);
  }

  /** Repeats all of them now. */
  repeat(): void {
    for (const farewell of this.waiting.splice(0)) this.send(farewell);
  }

  /** Not for what is claimed again meanwhile. */
  private send({ records, isPartial }: Farewell): void {
    const gone = records.filter((record) => !this.options.isOurs(record));
    for (const message of goodbyes(gone, isPartial)) this.options.send(message);
  }
}
