/** The services of a domain, kept current by matches of a subscription; after a reconnect, compared with what was known. */

import type { Match, ServiceState } from "../../core/directory-access.js";
import { hex } from "../ids.js";
import { formatProperties } from "../tables.js";

export class ServiceRow {
  private text: string | undefined;

  constructor(readonly service: ServiceState) {}

  /** Made when it is first needed: most rows are never in sight. */
  get properties(): string {
    this.text ??= formatProperties(this.service.properties);
    return this.text;
  }

  get searched(): string {
    return `${hex(this.service.id)} ${hex(this.service.owner)} ${this.properties}`;
  }
}

export class Services {
  /** Rises with every change. */
  version = 0;
  orphans = 0;
  private readonly byId = new Map<bigint, ServiceRow>();
  /** While a new subscription tells what there is: what it has told. */
  private told: Set<bigint> | undefined;

  get rows(): Iterable<ServiceRow> {
    return this.byId.values();
  }

  get size(): number {
    return this.byId.size;
  }

  get isSyncing(): boolean {
    return this.told !== undefined;
  }

  beginSync(): void {
    this.told = new Set();
  }

  /** The subscription has told everything: what it did not mention is gone. */
  endSync(): void {
    const { told } = this;
    this.told = undefined;
    if (told === undefined) return;
    for (const id of this.byId.keys()) if (!told.has(id)) this.remove(id);
  }

  apply(match: Match): void {
    if (match.type === "disappeared") {
      this.told?.delete(match.serviceId);
      this.remove(match.serviceId);
      return;
    }
    const { service } = match;
    this.told?.add(service.id);
    this.remove(service.id);
    this.byId.set(service.id, new ServiceRow(service));
    if (service.orphanSince !== undefined) this.orphans++;
    this.version++;
  }

  private remove(id: bigint): void {
    const row = this.byId.get(id);
    if (row === undefined) return;
    this.byId.delete(id);
    if (row.service.orphanSince !== undefined) this.orphans--;
    this.version++;
  }
}
