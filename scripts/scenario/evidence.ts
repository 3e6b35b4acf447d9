/** Collects what the workers report, for the oracle. */

import { FILTERS } from "./contents.js";
import type { Life, Subscription } from "./history.js";
import type { LinkReport } from "./links.js";
import type { FromWorker } from "./messages.js";

export class Evidence {
  /** By service id. */
  readonly lives = new Map<string, Life>();
  readonly broken: string[] = [];
  /** What the clients say of their links. */
  readonly links: LinkReport[] = [];
  matches = 0;
  private readonly epochs = new Map<string, Subscription>();

  get subscriptions(): Subscription[] {
    return [...this.epochs.values()];
  }

  take(host: string, message: FromWorker): void {
    switch (message.kind) {
      case "published": {
        const { key, serviceId, producer, version, ttlSeconds, at } = message;
        this.lives.set(serviceId, {
          key,
          serviceId,
          producer: `p${producer}`,
          host,
          versions: [{ version, ttlSeconds, at }],
        });
        break;
      }
      case "changed": {
        const { version, ttlSeconds, at } = message;
        this.lives.get(message.serviceId)!.versions.push({ version, ttlSeconds, at });
        break;
      }
      case "ended":
        this.lives.get(message.serviceId)!.end = { at: message.at, how: message.how };
        break;
      case "subscribed":
        this.epochs.set(`${message.consumer}.${message.epoch}`, {
          consumer: `c${message.consumer}.${message.epoch}`,
          client: `c${message.consumer}`,
          host,
          filter: FILTERS[message.consumer % FILTERS.length]!,
          from: message.at,
          to: Number.POSITIVE_INFINITY,
          told: [],
        });
        break;
      case "cancelled":
        this.epochs.get(`${message.consumer}.${message.epoch}`)!.to = message.at;
        break;
      case "told":
        this.matches++;
        this.epochs.get(`${message.consumer}.${message.epoch}`)!.told.push(message.told);
        break;
      case "link":
        this.links.push(message);
        break;
      case "broken":
        this.broken.push(`${host}: ${message.text}`);
        break;
      case "left":
        break;
    }
  }

  /** Ends the subscriptions that are still there. */
  close(at: number): void {
    for (const one of this.epochs.values()) one.to = Math.min(one.to, at);
  }
}
