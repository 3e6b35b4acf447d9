/** Sets of moments: sorted intervals that do not touch, `from` inclusive, `to` exclusive. */

export interface Interval {
  readonly from: number;
  readonly to: number;
}

/** Sorted, with what overlaps or touches joined, without the empty ones. */
export function union(intervals: readonly Interval[]): Interval[] {
  const result: { from: number; to: number }[] = [];
  for (const { from, to } of [...intervals].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (from >= to) continue;
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else result.push({ from, to });
  }
  return result;
}

/** All moments that are in none of `intervals`. */
export function complement(intervals: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  let from = Number.NEGATIVE_INFINITY;
  for (const one of union(intervals)) {
    if (one.from > from) result.push({ from, to: one.from });
    from = one.to;
  }
  if (from < Number.POSITIVE_INFINITY) result.push({ from, to: Number.POSITIVE_INFINITY });
  return result;
}

/** What is in both. */
export const intersection = (a: readonly Interval[], b: readonly Interval[]): Interval[] =>
  complement([...complement(a), ...complement(b)]);

/** The first moment in both `intervals` (a set) and [from, to). */
export function firstWithin(intervals: readonly Interval[], from: number, to: number): number | undefined {
  for (const one of intervals) {
    const at = Math.max(one.from, from);
    if (at < Math.min(one.to, to)) return at;
  }
  return undefined;
}

/** The last moment in both `intervals` (a set) and [from, to), which may be their end. */
export function lastWithin(intervals: readonly Interval[], from: number, to: number): number | undefined {
  const last = intervals.filter((one) => Math.max(one.from, from) < Math.min(one.to, to)).at(-1);
  return last && Math.min(last.to, to);
}

export const contains = (intervals: readonly Interval[], at: number): boolean =>
  intervals.some(({ from, to }) => from <= at && at < to);

/** How much of `intervals` (a set) lies in [from, to). */
export function lengthWithin(intervals: readonly Interval[], from: number, to: number): number {
  return intervals.reduce((sum, one) => sum + Math.max(0, Math.min(one.to, to) - Math.max(one.from, from)), 0);
}
