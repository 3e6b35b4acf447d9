/**
 * Whole sessions against a real pafd: bad clients by the dozen, over ux and as two users over TCP, and a witness that
 * checks all the time that nobody else is disturbed. After every round everybody but the witness leaves, and nothing of
 * them may be left.
 */

import { eventually, openDescriptors, residentMiB } from "../../../test/support/pafd.js";
import { Arena } from "./arena.js";

export interface SessionOptions {
  readonly messages: number;
  readonly seed: number;
  readonly clients?: number;
  /** Called now and then, and at the end of each round. */
  readonly progress?: (text: string) => void;
}

export interface SessionReport {
  readonly sent: number;
  readonly mutated: number;
  readonly received: number;
  readonly connections: number;
  readonly dropped: number;
  readonly transactions: number;
  readonly seconds: number;
  readonly pingMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** After each round. */
  readonly residentMiB: readonly number[];
}

const ROUND = 250_000;
/** What memory may differ by between the first round and the last: V8's heap is not the same size at any two moments. */
const MEMORY_SLACK_MIB = 25;

/** Runs the session fuzzer; throws, with the seed and the last messages, at the first thing that is wrong. */
export async function fuzzSessions(options: SessionOptions): Promise<SessionReport> {
  const { messages, seed, clients = 48, progress = () => {} } = options;
  const began = performance.now();
  const resident: number[] = [];
  let arena: Arena | undefined;
  try {
    await Arena.with(seed, async (opened) => {
      arena = opened;
      const { pafd, tally } = opened;
      await opened.witness.step();
      const descriptors = openDescriptors(pafd.pid);
      let told = began;
      for (let round = 0; tally.sent < messages; round++) {
        const end = Math.min(messages, tally.sent + ROUND);
        await opened.battle({
          clients,
          firstNumber: round * clients,
          goesOn: () => tally.sent < end,
          meanwhile: () => {
            if (performance.now() - told < 5000) return;
            told = performance.now();
            progress(stateOf(opened, began));
          },
        });
        await eventually(
          () => openDescriptors(pafd.pid),
          (n) => n === descriptors,
          `${descriptors} descriptors of the server`,
        );
        resident.push(residentMiB(pafd.pid));
        progress(stateOf(opened, began));
      }
      const [first, last] = [resident[0]!, resident.at(-1)!];
      if (last > first + MEMORY_SLACK_MIB) throw new Error(`memory grows: ${resident.join(", ")} MiB`);
    });
  } catch (error) {
    const { message, stack } = error as Error;
    throw new Error(
      `sessions, after ${arena?.tally.sent} messages: ${message}\nrepeat, as far as scheduling allows: ` +
        `npm run fuzz -- sessions --messages ${messages} --seed ${seed}\n${stack?.replace(message, "")}`,
    );
  }
  const { tally, witness } = arena!;
  const { sent, mutated, received, connections, dropped } = tally;
  return {
    ...{ sent, mutated, received, connections, dropped, transactions: witness.transactions },
    seconds: (performance.now() - began) / 1000,
    pingMs: witness.pingTimes(),
    residentMiB: resident,
  };
}

function stateOf({ pafd, tally, witness }: Arena, beganMs: number): string {
  const rate = tally.sent / ((performance.now() - beganMs) / 1000);
  return (
    `${tally.sent} messages (${tally.mutated} bad) over ${tally.connections} connections, ${Math.round(rate)} a second; ` +
    `witness: ${witness.transactions} transactions; server ${residentMiB(pafd.pid).toFixed(0)} MiB`
  );
}

/** What a run has done, for people. */
export function sessionReport(report: SessionReport, seed: number): string {
  const { sent, mutated, connections, dropped, transactions, seconds, pingMs } = report;
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  return (
    `sessions: ${sent} messages (${mutated} bad) from seed ${seed} over ${connections} connections (${dropped} ended by ` +
    `the server) in ${seconds.toFixed(1)} s; the witness made ${transactions} transactions, all as they must be ` +
    `(its pings: median ${ms(pingMs.p50)}, 99 % ${ms(pingMs.p99)}, longest ${ms(pingMs.max)}); ` +
    `resident after each round ${report.residentMiB.map((mib) => mib.toFixed(0)).join(", ")} MiB`
  );
}
