/** Which of several records of one name and type counts. */

import type { CachedRecord } from "./cached-record.js";
import type { RecordData } from "./records.js";

/** The one stated last, and none that is about to go if another one is not. */
export function newest(records: readonly CachedRecord[]): RecordData | undefined {
  const order = (a: CachedRecord, b: CachedRecord) =>
    Number(a.dying) - Number(b.dying) || b.firstHeardMs - a.firstHeardMs;
  return [...records].sort(order)[0]?.data;
}

/**
 * The lowest priority, then the highest weight: RFC 2782 says to draw lots by weight, but a directory's entry must not
 * change with each look. Port 0 and the target "." say "not offered".
 */
export function preferred(records: readonly CachedRecord[]): Extract<RecordData, { type: "SRV" }> | undefined {
  const lasting = records.some(({ dying }) => !dying) ? records.filter(({ dying }) => !dying) : records;
  return lasting
    .flatMap(({ data }) => (data.type === "SRV" && data.port !== 0 && data.target !== "." ? data : []))
    .sort((a, b) => a.priority - b.priority || b.weight - a.weight || (a.target < b.target ? -1 : 1))[0];
}
