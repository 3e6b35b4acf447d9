/** `pafc ADDR ping`: how long the server takes to answer, once or several times with a summary like that of ping(8). */

import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "./command-line.js";
import type { CommandContext } from "./commands.js";
import { Deadline } from "./deadline.js";
import { toJson } from "./json.js";

/** With which a command that was interrupted gives up waiting. */
export const INTERRUPTED = new Error("interrupted");

export async function ping(command: Extract<Command, { name: "ping" }>, context: CommandContext): Promise<void> {
  if (command.count === 1) await pingOnce(context, context.deadline);
  else await pingRepeatedly(command.count, command.intervalSeconds * 1000, context);
}

/** Returns the milliseconds it took. */
async function pingOnce({ session, output, clock }: CommandContext, deadline: Deadline): Promise<number> {
  const beganMs = clock.monotonicMs();
  await deadline.bound(session.ping()).finally(() => deadline.cancel());
  const ms = clock.monotonicMs() - beganMs;
  output.line(output.json ? toJson({ ms: microseconds(ms) }) : `${ms.toFixed(1)} ms`);
  return ms;
}

async function pingRepeatedly(count: number, intervalMs: number, context: CommandContext): Promise<void> {
  const { session, output, address, invocation } = context;
  await context.deadline.bound(session.track());
  context.deadline.cancel();
  // One listener for the whole run, however long it is; `stop` ends the pause, `giveUp` the wait for an answer.
  const stop = new AbortController();
  let deadline: Deadline | undefined;
  void Promise.race([context.interrupted(), output.ended]).then(() => {
    stop.abort();
    deadline?.giveUp(INTERRUPTED);
  });
  void session.closed.then(() => stop.abort());
  let sent = 0;
  let answered = 0;
  let minMs = Infinity;
  let maxMs = 0;
  let sumMs = 0;
  try {
    while (!stop.signal.aborted && sent < count) {
      deadline = new Deadline(invocation.timeoutSeconds, address);
      sent++;
      const ms = await pingOnce(context, deadline);
      answered++;
      minMs = Math.min(minMs, ms);
      maxMs = Math.max(maxMs, ms);
      sumMs += ms;
      if (sent < count) await sleep(intervalMs, undefined, { signal: stop.signal }).catch(() => {});
    }
    if (session.ended) throw session.ended;
  } catch (error) {
    if (error !== INTERRUPTED) throw error;
  } finally {
    if (answered > 0) {
      const avgMs = sumMs / answered;
      if (output.json) {
        const times = { minMs: microseconds(minMs), avgMs: microseconds(avgMs), maxMs: microseconds(maxMs) };
        output.line(toJson({ sent, answered, ...times }));
      } else {
        output.line(`--- ${address}: ${sent} sent, ${answered} answered ---`);
        output.line(`min/avg/max = ${minMs.toFixed(1)}/${avgMs.toFixed(1)}/${maxMs.toFixed(1)} ms`);
      }
    }
  }
}

/** Rounded to three decimals: the clock has no more to say. */
export const microseconds = (ms: number): number => Math.round(ms * 1000) / 1000;
