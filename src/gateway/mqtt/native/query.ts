/** A device's query (part D.4): `number;max;filter`; with an MQTT 5 response topic `max;filter`. Takes hostile input. */

import { type Filter, FilterSyntaxError, parseFilter } from "../../../core/filter/syntax.js";

export const QUERY_LIMITS = { payloadBytes: 192, filterBytes: 150, filterDepth: 4, replies: 8 } as const;

export interface Query {
  /** As the device wrote it; it begins every reply. Empty if the query came with a response topic. */
  readonly number: string;
  /** 1 to 8 */
  readonly max: number;
  /** `undefined`: it is none, too long or too deep. */
  readonly filter: Filter | undefined;
}

/** The query, or `undefined` if it cannot even be answered. */
export function parseQuery(payload: Uint8Array, hasResponseTopic: boolean): Query | undefined {
  if (payload.length > QUERY_LIMITS.payloadBytes) return undefined;
  const text = Buffer.from(payload).toString("utf8");
  const parts = /^(?:([0-9]{1,10});)?([0-9]{1,3});(.*)$/s.exec(text);
  if (!parts || (parts[1] === undefined && !hasResponseTopic)) return undefined;
  const [, number = "", max, filter] = parts;
  return {
    number: hasResponseTopic ? "" : number,
    max: Math.min(Math.max(Number(max), 1), QUERY_LIMITS.replies),
    filter: smallFilter(filter),
  };
}

function smallFilter(text: string): Filter | undefined {
  if (Buffer.byteLength(text) > QUERY_LIMITS.filterBytes) return undefined;
  try {
    const filter = parseFilter(text);
    return depthOf(filter) <= QUERY_LIMITS.filterDepth ? filter : undefined;
  } catch (error) {
    if (error instanceof FilterSyntaxError) return undefined;
    throw error;
  }
}

/** Levels of brackets. */
function depthOf(filter: Filter): number {
  if (filter.kind === "not") return 1 + depthOf(filter.operand);
  if (filter.kind === "and" || filter.kind === "or") return 1 + Math.max(0, ...filter.operands.map(depthOf));
  return 1;
}
