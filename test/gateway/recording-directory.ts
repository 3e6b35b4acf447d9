/** A directory that applies the rules for generations and notes what it is told. */

import type { Directory, Service, ServiceState, Subscription } from "../../src/core/directory-access.js";
import type { PublishOutcome, UnpublishOutcome } from "../../src/core/fail-reason.js";
import { sameProperties } from "../../src/core/properties.js";

export class RecordingDirectory implements Directory {
  readonly clientId = 1n;
  readonly services = new Map<bigint, ServiceState>();
  /** `publish <name>`, `unpublish <name>`, `orphan <name>`, in order; the name is the property, or else the id. */
  readonly calls: string[] = [];
  /** If set, each call waits for it before it takes effect, and what it throws is the call's failure. */
  before: (() => Promise<void>) | undefined;
  /** If set, every publish is answered with it. */
  refusal: PublishOutcome | undefined;

  async publish(service: Service, yieldsTo?: (present: ServiceState) => boolean): Promise<PublishOutcome | "yielded"> {
    this.calls.push(`publish ${name(service)}`);
    await this.before?.();
    if (this.refusal) return this.refusal;
    const present = this.services.get(service.id);
    if (present && yieldsTo?.(present)) return "yielded";
    if (present && service.generation < present.generation) return "old-generation";
    if (present?.generation === service.generation) {
      const isSame =
        present.ttlSeconds === service.ttlSeconds && sameProperties(present.properties, service.properties);
      if (!isSame) return "same-generation-but-different";
    }
    this.services.set(service.id, { ...service, owner: 1n });
    return "ok";
  }

  async unpublish(id: bigint, takes?: (present: ServiceState) => boolean): Promise<UnpublishOutcome | "yielded"> {
    const present = this.services.get(id);
    this.calls.push(`unpublish ${present ? name(present) : id}`);
    await this.before?.();
    if (present && present.owner !== this.clientId && !takes?.(present)) return "yielded";
    return this.services.delete(id) ? "ok" : "non-existent-service-id";
  }

  async orphan(id: bigint): Promise<void> {
    const present = this.services.get(id);
    this.calls.push(`orphan ${present ? name(present) : id}`);
    await this.before?.();
    if (present) this.services.set(id, { ...present, orphanSince: 0 });
  }

  async find(id: bigint): Promise<ServiceState | undefined> {
    return this.services.get(id);
  }

  subscribe(): Subscription {
    return { cancel() {} };
  }
}

function name({ id, properties }: Service): string {
  return String(properties.get("name")?.[0] ?? id);
}
