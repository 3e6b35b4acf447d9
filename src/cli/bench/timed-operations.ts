/** How long the server takes for one operation at a time: sixteen of each kind, as the reference's pafbench. */

import type { Session } from "../../client/session.js";
import type { Clock } from "../../core/clock.js";
import { randomId } from "../ids.js";
import { filterOf, type Population } from "./population.js";

const COUNT = 16;

export interface OperationTimes {
  readonly name: string;
  readonly count: number;
  readonly meanMs: number;
  readonly minMs: number;
  readonly maxMs: number;
}

export interface Conditions {
  readonly session: Session;
  readonly population: Population;
  /** How many there are, so that the new ones get other names. */
  readonly services: number;
  readonly clock: Clock;
  /** Ends it between two operations; the promise rejects with its reason. */
  readonly signal: AbortSignal;
  readonly answered: (done: number, total: number) => void;
}

export async function timeOperations(conditions: Conditions): Promise<OperationTimes[]> {
  const { session, population, services, clock, signal, answered } = conditions;
  const ids = Array.from({ length: COUNT }, randomId);
  const operations: readonly (readonly [string, (i: number) => Promise<void>])[] = [
    ["subscribe", (i) => session.subscribe(ids[i], filterOf(i), () => {})],
    ["unsubscribe", (i) => session.unsubscribe(ids[i])],
    ["publish", (i) => population.publish(ids[i], services + i)],
    ["unpublish", (i) => population.unpublish(ids[i])],
    ["ping", () => session.ping()],
  ];
  const results: OperationTimes[] = [];
  for (const [name, operation] of operations) {
    const times: number[] = [];
    for (let i = 0; i < COUNT; i++) {
      signal.throwIfAborted();
      const beganMs = clock.monotonicMs();
      await operation(i);
      times.push(clock.monotonicMs() - beganMs);
      answered(results.length * COUNT + i + 1, operations.length * COUNT);
    }
    const sumMs = times.reduce((sum, ms) => sum + ms, 0);
    results.push({
      name,
      count: COUNT,
      meanMs: sumMs / COUNT,
      minMs: Math.min(...times),
      maxMs: Math.max(...times),
    });
  }
  return results;
}
