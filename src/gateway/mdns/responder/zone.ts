/** What is ours on one link, by name: which records answer a question, and which ones the asker will want next. */

import { nameKey } from "../names.js";
import type { DecodedQuestion } from "../records.js";
import { META_QUERY } from "../service-names.js";
import type { Claim } from "./claim.js";
import { denial, type OwnRecord, type OwnType } from "./own-records.js";

const ADDRESS_TYPES: readonly string[] = ["A", "AAAA"];

export class Zone {
  private readonly claims = new Map<string, Claim>();
  /** By the key of their name: the pointers of all that is announced. Absent: to be built anew. */
  private pointers: Map<string, OwnRecord[]> | undefined;

  constructor(ready: Iterable<Claim>) {
    for (const claim of ready) this.claims.set(nameKey(claim.name), claim);
  }

  /** All records of ours that answer; none for a name that is not ours (RFC 6762, 6). */
  answers({ name, type, class: of = "IN" }: DecodedQuestion): readonly OwnRecord[] {
    if (of !== "IN" && of !== "ANY") return [];
    const claim = this.claims.get(nameKey(name));
    if (!claim) return type === "PTR" || type === "ANY" ? (this.allPointers().get(nameKey(name)) ?? []) : [];
    if (type === "ANY") return claim.unique;
    const fitting = claim.unique.filter((record) => record.type === type);
    return fitting.length > 0 ? fitting : [denialOf(claim)];
  }

  /** RFC 6763, 12; and that a host has no addresses of the other family. */
  additionals({ type, name, data }: OwnRecord): readonly OwnRecord[] {
    if (type === "PTR") {
      const claim = this.claims.get(nameKey(data as string));
      return claim ? [...claim.unique, ...this.hostRecords(claim.host)] : [];
    }
    const claim = this.claims.get(nameKey(name));
    if (type === "SRV") return this.hostRecords(claim?.host);
    return ADDRESS_TYPES.includes(type) ? this.hostRecords(claim) : [];
  }

  /** None of a host that is not sure to be ours just now. */
  private hostRecords(host: Claim | undefined): readonly OwnRecord[] {
    if (!host || this.claims.get(nameKey(host.name)) !== host) return [];
    const isWhole = ADDRESS_TYPES.every((type) => host.unique.some((record) => record.type === type));
    return isWhole ? host.unique : [...host.unique, denialOf(host)];
  }

  private allPointers(): Map<string, OwnRecord[]> {
    if (!this.pointers) {
      this.pointers = new Map();
      for (const { shared } of this.claims.values())
        for (const record of shared) this.addPointer(this.pointers, record);
    }
    return this.pointers;
  }

  private addPointer(to: Map<string, OwnRecord[]>, record: OwnRecord): void {
    const key = nameKey(record.name);
    const present = to.get(key) ?? [];
    // Many instances share the pointer to their type.
    if (key === META_QUERY && present.some((other) => other.key === record.key)) return;
    present.push(record);
    to.set(key, present);
  }
}

function denialOf({ name, unique }: Claim): OwnRecord {
  return denial(name, [...new Set(unique.map(({ type }): OwnType => type))]);
}
