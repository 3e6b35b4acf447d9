/** What the conductor (run.ts) and its workers (worker.ts) say to each other. */

import type { Told } from "./history.js";
import type { LinkReport } from "./links.js";
import type { Order } from "./plan.js";

export type ToWorker =
  | {
      readonly kind: "start";
      readonly domain: string;
      readonly producers: readonly number[];
      readonly consumers: readonly number[];
    }
  | { readonly kind: "order"; readonly order: Order }
  /** Close every domain; the process must then end by itself. */
  | { readonly kind: "leave" };

/** What a worker did, before anybody can have been told of it (`at`), or what its consumers were told. */
export type FromWorker =
  | {
      readonly kind: "published";
      readonly key: string;
      readonly serviceId: string;
      readonly producer: number;
      readonly version: number;
      readonly ttlSeconds: number;
      readonly at: number;
    }
  | {
      readonly kind: "changed";
      readonly serviceId: string;
      readonly version: number;
      readonly ttlSeconds: number;
      readonly at: number;
    }
  | { readonly kind: "ended"; readonly serviceId: string; readonly how: "withdrawn" | "abandoned"; readonly at: number }
  | {
      readonly kind: "subscribed" | "cancelled";
      readonly consumer: number;
      readonly epoch: number;
      readonly at: number;
    }
  | { readonly kind: "told"; readonly consumer: number; readonly epoch: number; readonly told: Told }
  | ({ readonly kind: "link" } & LinkReport)
  | { readonly kind: "broken"; readonly text: string }
  | { readonly kind: "left"; readonly loopDelayMs: number; readonly closeMs: number };
