/** The services and subscriptions that a server holds while it is measured (those of the reference's pafbench), and their end. */

import { RequestError, type Session } from "../../client/session.js";
import type { Properties } from "../../core/properties.js";
import { randomId } from "../ids.js";

/** Requests without an answer, at most. */
const WINDOW = 1024;
const TTL_SECONDS = 30n;
const COLOURS = ["red", "green", "blue", "yellow"];

/** Properties of service number `i`. */
export const propertiesOf = (i: number): Properties =>
  new Map([
    ["name", [`service-${i}`]],
    ["addr", [`tcp:192.0.2.${i % 256}:${1024 + (i % 60_000)}`]],
    ["color", [COLOURS[i % COLOURS.length]]],
  ]);
/** The filter that matches service number `i` alone. */
export const filterOf = (i: number): string => `(name=service-${i})`;

export class Population {
  /** Services that may exist because of us. */
  private readonly published = new Set<bigint>();

  constructor(private readonly session: Session) {}

  /** `answered` is called after each; asking stops when the signal says so. */
  async publishAll(count: number, signal: AbortSignal, answered: (done: number) => void): Promise<void> {
    await inWindow(count, signal, answered, (i) => this.publish(randomId(), i));
  }

  async subscribeAll(count: number, signal: AbortSignal, answered: (done: number) => void): Promise<void> {
    await inWindow(count, signal, answered, (i) => this.session.subscribe(randomId(), filterOf(i), () => {}));
  }

  /** Service number `i` with this id. */
  async publish(id: bigint, i: number, generation = 0n): Promise<void> {
    this.published.add(id);
    await this.session.publish({ id, generation, ttlSeconds: TTL_SECONDS, properties: propertiesOf(i) });
  }

  async unpublish(id: bigint): Promise<void> {
    await this.session.unpublish(id);
    this.published.delete(id);
  }

  /** Withdraws what is left. Subscriptions end with the session. */
  async withdrawAll(answered: (done: number, total: number) => void = () => {}): Promise<void> {
    const ids = [...this.published];
    await inWindow(
      ids.length,
      undefined,
      (done) => answered(done, ids.length),
      (i) =>
        this.unpublish(ids[i]).catch((error) => {
          // It was asked for, but the server had refused it, or it never got there.
          if (!(error instanceof RequestError) || error.failReason !== "non-existent-service-id") throw error;
        }),
    );
  }
}

/** `count` requests in order, at most WINDOW of them waiting for their answer. Rejects with the first failure. */
export async function inWindow(
  count: number,
  signal: AbortSignal | undefined,
  answered: (done: number) => void,
  request: (i: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let done = 0;
  const ask = async () => {
    while (next < count && !signal?.aborted) {
      await request(next++).catch((error) => {
        next = count;
        throw error;
      });
      answered(++done);
    }
  };
  await Promise.all(Array.from({ length: Math.min(WINDOW, count) }, ask));
}
