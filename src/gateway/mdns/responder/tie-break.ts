/** Who wins if two hosts probe for a name at once: the one whose records are later in order (RFC 6762, 8.2.1). */

import type { DecodedRecord } from "../records.js";
import { type OwnRecord, rdataOf } from "./own-records.js";

interface Proposed {
  readonly class: number;
  readonly type: number;
  readonly rdata: Buffer;
}

const TYPES = { A: 1, NS: 2, CNAME: 5, PTR: 12, HINFO: 13, TXT: 16, RP: 17, AAAA: 28, SRV: 33, NSEC: 47 } as const;
const CLASS_IN = 1;

/** Negative: they win. 0: both propose the same, which is no conflict. */
export function compareProposals(ours: readonly OwnRecord[], theirs: readonly DecodedRecord[]): number {
  const left = ours
    .map(({ type, rdata }): Proposed => ({ class: CLASS_IN, type: typeNumber(type), rdata }))
    .sort(order);
  const right = theirs.flatMap(proposed).sort(order);
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const sign = order(left[i], right[i]);
    if (sign !== 0) return sign;
  }
  return left.length - right.length;
}

/** By class, then type, then the bytes of the data, unsigned. */
function order(a: Proposed, b: Proposed): number {
  return a.class - b.class || a.type - b.type || Buffer.compare(a.rdata, b.rdata);
}

function proposed({ class: of = "IN", type, data }: DecodedRecord): Proposed[] {
  try {
    return [{ class: classNumber(of), type: typeNumber(type), rdata: rdataOf(type, data) }];
  } catch {
    return []; // data that no encoder takes again
  }
}

function typeNumber(type: string): number {
  return TYPES[type as keyof typeof TYPES] ?? (Number(/^UNKNOWN_(\d+)$/.exec(type)?.[1]) || 0);
}

function classNumber(name: string): number {
  return name === "IN" ? CLASS_IN : Number(/^UNKNOWN_(\d+)$/.exec(name)?.[1] ?? 0) || 255;
}
