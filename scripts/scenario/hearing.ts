/**
 * Which servers a consumer heard of a producer's services, and since when: of what conductor and clients say of connections
 * made into bounds that hold for any client that keeps to libpaf-client.md.
 */

import type { Life, Subscription } from "./history.js";
import { complement, firstWithin, type Interval, intersection, union } from "./intervals.js";
import { type Links, LOOK_TOLERANCE } from "./links.js";
import { PROPAGATION, SILENCE_NOTICED } from "./times.js";
import type { Troubles } from "./troubles.js";

/** One consumer and one producer. */
export interface Pair {
  readonly consumer: string;
  readonly consumerHost: string;
  readonly producer: string;
  readonly producerHost: string;
}

export const pairOf = (life: Life, of: Subscription): Pair => ({
  consumer: of.client,
  consumerHost: of.host,
  producer: life.producer,
  producerHost: life.host,
});

export class Hearing {
  private readonly cache = new Map<string, readonly Interval[]>();

  constructor(
    readonly troubles: Troubles,
    private readonly links: Links,
  ) {}

  get servers(): readonly number[] {
    return Array.from({ length: this.troubles.servers }, (_, server) => server);
  }

  /** Whatever clients say: when both must have been connected for long enough that the consumer knew everything. */
  settled(server: number, { consumerHost, producerHost }: Pair): readonly Interval[] {
    return this.troubles.settled(server, [consumerHost, producerHost]);
  }

  /**
   * When both had been connected for PROPAGATION, in the undisturbed: then the server had said to the consumer all that
   * the producer had published PROPAGATION before (5.3), and became a connected source with that generation (7.1).
   */
  heard(server: number, pair: Pair): readonly Interval[] {
    const { consumer, consumerHost, producer, producerHost } = pair;
    return this.cached(`heard ${server} ${consumer} ${producer}`, () => {
      const links = [this.links.of(consumer, server) ?? [], this.links.of(producer, server) ?? []];
      const quiet = this.troubles.quiet(server, [consumerHost, producerHost]);
      return links
        .reduce<readonly Interval[]>(intersection, quiet)
        .map(({ from, to }) => ({ from: from + PROPAGATION, to: to - LOOK_TOLERANCE }))
        .filter(({ from, to }) => from < to);
    });
  }

  /** When some server had told the consumer everything. */
  covered(pair: Pair): readonly Interval[] {
    return this.cached(`covered ${pair.consumer} ${pair.producer}`, () => {
      const { consumerHost, producerHost } = pair;
      const heard = this.servers.flatMap((server) => this.heard(server, pair));
      return union([...this.troubles.covered([consumerHost, producerHost]), ...heard]);
    });
  }

  /** The moment since when the consumer has been connected without interruption, if it says that it still is at `at`. */
  connectedSince(server: number, { consumer }: Pair, at: number): number | undefined {
    return this.links.of(consumer, server)?.find(({ from, to }) => from <= at && at + LOOK_TOLERANCE < to)?.from;
  }

  /**
   * Whether the server can have told the consumer at `at` that something had gone with its TTL (7.1, disappeared): it was
   * connected, and the server had been without the producer for `ttlMs` since `bornAt`, now or when the word left, which
   * may be under way until the connection counts as dead.
   */
  canHaveDenied(server: number, pair: Pair, at: number, ttlMs: number, bornAt: number): boolean {
    const connections = this.links.of(pair.consumer, server);
    if (connections && firstWithin(connections, at - LOOK_TOLERANCE, at + LOOK_TOLERANCE) === undefined) return false;
    const latest = at - SILENCE_NOTICED - PROPAGATION;
    return this.without(server, pair).some(({ from, to }) => {
      const until = Math.min(to, at);
      return until >= latest && until - Math.max(from, bornAt) >= ttlMs;
    });
  }

  /** When the server may have been without the producer. */
  private without(server: number, { producer, producerHost }: Pair): readonly Interval[] {
    return this.cached(`without ${server} ${producer}`, () => {
      const quiet = this.troubles.quiet(server, [producerHost]);
      const connected = intersection(this.links.of(producer, server) ?? [], quiet);
      return complement([...this.troubles.settled(server, [producerHost]), ...connected]);
    });
  }

  private cached(key: string, compute: () => readonly Interval[]): readonly Interval[] {
    const known = this.cache.get(key) ?? compute();
    this.cache.set(key, known);
    return known;
  }
}
