/**
 * Many clients at once, each publishing, modifying, pinging and withdrawing in a loop, one operation at a time. All run in
 * this process: the latencies include the time that their answers wait for it.
 */

import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import type { Session } from "../../client/session.js";
import type { Clock } from "../../core/clock.js";
import { randomId } from "../ids.js";
import { Population } from "./population.js";

const OPERATIONS = ["publish", "modify", "ping", "unpublish"] as const;
type Operation = (typeof OPERATIONS)[number];
/** Connections being made at once: a server may bound half-open ones. */
const CONNECTING = 16;

export interface Latencies {
  readonly name: string;
  readonly count: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface LoadResult {
  readonly clients: number;
  readonly seconds: number;
  readonly operations: number;
  readonly perSecond: number;
  readonly latencies: readonly Latencies[];
}

export class Load {
  private readonly sessions: Session[] = [];
  private readonly histograms: Readonly<Record<Operation, RecordableHistogram>> = {
    publish: createHistogram(),
    modify: createHistogram(),
    ping: createHistogram(),
    unpublish: createHistogram(),
  };

  constructor(
    private readonly clock: Clock,
    private readonly signal: AbortSignal,
  ) {}

  async connect(count: number, connect: () => Promise<Session>, connected: (done: number) => void): Promise<void> {
    let next = 0;
    const one = async () => {
      while (next++ < count && !this.signal.aborted) {
        const session = await connect().catch((error) => {
          next = count;
          throw error;
        });
        this.sessions.push(session);
        await session.track();
        connected(this.sessions.length);
      }
    };
    await Promise.all(Array.from({ length: Math.min(CONNECTING, count) }, one));
  }

  /** `firstService`: the number from which on services are in nobody's filter. */
  async run(seconds: number, firstService: number, answered: (elapsedSeconds: number) => void): Promise<LoadResult> {
    const beganMs = this.clock.monotonicMs();
    const elapsed = () => (this.clock.monotonicMs() - beganMs) / 1000;
    let isOver = false;
    const loops = this.sessions.map(async (session, i) => {
      const population = new Population(session);
      try {
        while (!isOver && !this.signal.aborted && elapsed() < seconds) {
          const id = randomId();
          await this.time("publish", population.publish(id, firstService + i));
          await this.time("modify", population.publish(id, firstService + i + 1, 1n));
          await this.time("ping", session.ping());
          await this.time("unpublish", population.unpublish(id));
          answered(elapsed());
        }
      } finally {
        if (!session.ended) await population.withdrawAll();
      }
    });
    // When one fails, the others still withdraw theirs.
    await Promise.all(loops).catch(async (error) => {
      isOver = true;
      await Promise.allSettled(loops);
      throw error;
    });
    return this.result(elapsed());
  }

  close(): void {
    for (const session of this.sessions) session.close();
  }

  private async time(operation: Operation, answer: Promise<void>): Promise<void> {
    const beganMs = this.clock.monotonicMs();
    await answer;
    this.histograms[operation].record(Math.max(1, Math.round((this.clock.monotonicMs() - beganMs) * 1000)));
  }

  private result(seconds: number): LoadResult {
    const latencies = OPERATIONS.map((name) => {
      const histogram = this.histograms[name];
      const ms = (percent: number) => histogram.percentile(percent) / 1000;
      const { count, max } = histogram;
      return { name, count, p50Ms: ms(50), p90Ms: ms(90), p99Ms: ms(99), maxMs: count === 0 ? 0 : max / 1000 };
    });
    const operations = latencies.reduce((sum, { count }) => sum + count, 0);
    return { clients: this.sessions.length, seconds, operations, perSecond: operations / seconds, latencies };
  }
}
