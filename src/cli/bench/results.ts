/** The results of a benchmark as tables and as JSON. */

import { microseconds } from "../ping.js";
import type { LoadResult } from "./load.js";
import type { OperationTimes } from "./timed-operations.js";

const NAME_COLUMNS = 12;
const NUMBER_COLUMNS = 10;

const row = (name: string, ...cells: readonly string[]) =>
  name.padEnd(NAME_COLUMNS) + cells.map((cell) => ` ${cell.padStart(NUMBER_COLUMNS)}`).join("");
const ms = (value: number) => value.toFixed(3);

export function operationsTable(operations: readonly OperationTimes[]): string[] {
  return [
    row("Operation", "Count", "Mean [ms]", "Min [ms]", "Max [ms]"),
    ...operations.map(({ name, count, meanMs, minMs, maxMs }) =>
      row(name, String(count), ms(meanMs), ms(minMs), ms(maxMs)),
    ),
  ];
}

export function loadTable({ clients, seconds, operations, perSecond, latencies }: LoadResult): string[] {
  const who = clients === 1 ? "1 client" : `${clients} clients`;
  return [
    `${who}, ${seconds.toFixed(1)} s: ${operations} operations, ${perSecond.toFixed(1)} per second`,
    row("Operation", "Count", "50 % [ms]", "90 % [ms]", "99 % [ms]", "Max [ms]"),
    ...latencies.map(({ name, count, p50Ms, p90Ms, p99Ms, maxMs }) =>
      row(name, String(count), ms(p50Ms), ms(p90Ms), ms(p99Ms), ms(maxMs)),
    ),
  ];
}

/** Milliseconds and seconds to three decimals. */
const rounded = (of: object) =>
  Object.fromEntries(
    Object.entries(of).map(([key, value]) => [key, typeof value === "number" ? microseconds(value) : value]),
  );

export function benchJson(
  population: { readonly services: number; readonly subscriptions: number },
  operations: readonly OperationTimes[],
  load: LoadResult | undefined,
) {
  return {
    services: population.services,
    subscriptions: population.subscriptions,
    operations: operations.map(rounded),
    ...(load ? { load: { ...rounded(load), latencies: load.latencies.map(rounded) } } : {}),
  };
}
