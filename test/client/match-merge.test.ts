/** The merging of matches (libpaf-client.md, 7): the table of the specification, its rules one by one, and a model. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MAX_STALE_RECORDS, MatchMerge, type MergedMatch, STALE_SECONDS } from "../../src/client/match-merge.js";
import { SERVER_LIMITS, ServerLimitError, type ServerLimits } from "../../src/client/server-limits.js";
import type { Match } from "../../src/core/directory-access.js";
import { properties } from "../../src/core/properties.js";
import { ProtocolError } from "../../src/wire/protocol-error.js";
import { FakeClock } from "../support/fake-clock.js";

const test = suite("match-merge");

const A = 0;
const B = 1;
const UNIX = 1_700_000_000;

interface State {
  readonly id?: bigint;
  readonly props?: string;
  readonly ttl?: number;
  readonly orphan?: number;
}

class Bench {
  readonly clock = new FakeClock(UNIX * 1000);
  told: MergedMatch[] = [];
  readonly merge: MatchMerge;

  constructor(limits: Partial<ServerLimits> = {}) {
    this.merge = new MatchMerge({
      announce: (match) => this.told.push(match),
      clock: this.clock,
      timers: this.clock,
      limits: { ...SERVER_LIMITS, ...limits },
      addressOf: (source) => `ux:server-${source}`,
    });
  }

  appeared(source: number, generation: number, state: State = {}): string {
    return this.report(source, { type: "appeared", service: service(generation, state) });
  }

  modified(source: number, generation: number, state: State = {}): string {
    return this.report(source, { type: "modified", service: service(generation, state) });
  }

  disappeared(source: number, id = 1n): string {
    return this.report(source, { type: "disappeared", serviceId: id });
  }

  discarded(source: number): string {
    this.merge.discard(source);
    return this.news();
  }

  lost(source: number, removed = false): string {
    this.merge.disconnected(source, removed);
    return this.news();
  }

  /** Lets time pass; what was told meanwhile. */
  after(seconds: number): string {
    this.clock.advanceMs(seconds * 1000);
    return this.news();
  }

  private report(source: number, match: Match): string {
    this.merge.report(source, match);
    return this.news();
  }

  private news(): string {
    return this.told
      .splice(0)
      .map((match) => (match.type === "disappeared" ? "-" : `${match.type[0]}:${match.properties.get("p")?.[0]}`))
      .join(" ");
  }
}

function service(generation: number, { id = 1n, props = "x", ttl = 60, orphan }: State) {
  return {
    id,
    generation: BigInt(generation),
    ttlSeconds: BigInt(ttl),
    properties: properties({ p: props }),
    owner: 9n,
    ...(orphan === undefined ? {} : { orphanSince: UNIX + orphan }),
  };
}

/** Each step with what the application is told: `a:x` appeared with properties x, `m:x` modified, `-` disappeared. */
type Step = readonly [(bench: Bench) => string, string];
const table = (name: string, ...steps: readonly Step[]) =>
  test(name, () => {
    const bench = new Bench();
    for (const [index, [step, told]] of steps.entries()) {
      assert.is(step(bench), told, `step ${index + 1}: ${String(step)}`);
    }
  });

const other = { id: 2n };
table(
  "7.2, as verified with libpaf",
  [(b) => b.appeared(A, 0), "a:x"],
  [(b) => b.appeared(B, 0), ""],
  [(b) => b.modified(A, 1, { props: "y" }), "m:y"],
  [(b) => b.modified(B, 1, { props: "y" }), ""],
  [(b) => b.modified(A, 2, { props: "y", ttl: 7 }), ""],
  [(b) => b.disappeared(A), "-"],
  [(b) => b.modified(B, 2, { props: "y", ttl: 7 }), ""],
  [(b) => b.modified(B, 3, { props: "y" }), "a:y"],
  [(b) => b.disappeared(B), "-"],
  [(b) => b.appeared(A, 3, { props: "y" }), ""],
  [(b) => b.modified(A, 4, { props: "y" }), "a:y"],
  [(b) => b.appeared(A, 0, other), "a:x"],
  [(b) => b.appeared(B, 0, other), ""],
  [(b) => b.modified(A, 0, { ...other, orphan: 0 }), ""],
  [(b) => b.disappeared(A, 2n), ""],
  [(b) => b.modified(B, 0, { ...other, orphan: 0 }), ""],
  [(b) => b.disappeared(B, 2n), "-"],
  [(b) => b.appeared(A, 0, other), "a:x"],
);

table(
  "an orphan at one server, taken over at another, and reclaimed: silent",
  [(b) => b.appeared(A, 0), "a:x"],
  [(b) => b.modified(A, 0, { orphan: 0 }), ""],
  [(b) => b.appeared(B, 0), ""],
  [(b) => b.modified(A, 0), ""],
  [(b) => b.after(1000), ""],
);

table(
  "a connected server with an older generation does not hold the service",
  [(b) => b.appeared(A, 5), "a:x"],
  [(b) => b.appeared(B, 4, { props: "old" }), ""],
  [(b) => b.disappeared(A), "-"],
  [(b) => b.modified(B, 5), ""],
  [(b) => b.modified(B, 6, { props: "new" }), "a:new"],
);

table(
  "appeared with a higher generation while it is there: modified, or nothing if only the TTL differs",
  [(b) => b.appeared(A, 0), "a:x"],
  [(b) => b.appeared(B, 1, { props: "y" }), "m:y"],
  [(b) => b.lost(A), ""],
  [(b) => b.appeared(A, 2, { props: "y", ttl: 1 }), ""],
);

table(
  "7.3: all servers lost: gone when the TTL has passed since the last was lost, not before",
  [(b) => b.appeared(A, 0), "a:x"],
  [(b) => b.appeared(B, 0), ""],
  [(b) => b.lost(A), ""],
  [(b) => b.after(1000), ""],
  [(b) => b.lost(B), ""],
  [(b) => b.after(59.9), ""],
  [(b) => b.after(0.2), "-"],
  [(b) => b.appeared(A, 0), "a:x"],
);

table(
  "7.3: a server that comes back in time, with the same generation or with a new one",
  [(b) => b.appeared(A, 0), "a:x"],
  [(b) => b.lost(A), ""],
  [(b) => b.after(59), ""],
  [(b) => b.appeared(A, 0), ""],
  [(b) => b.after(1000), ""],
  [(b) => b.lost(A), ""],
  [(b) => b.appeared(A, 1, { props: "y" }), "m:y"],
  [(b) => b.after(1000), ""],
);

table(
  "7.3: what was an orphan before the connection was lost ages from then",
  [(b) => b.appeared(A, 0, { orphan: 0 }), "a:x"],
  [(b) => b.after(50), ""],
  [(b) => b.lost(A), ""],
  [(b) => b.after(9.9), ""],
  [(b) => b.after(0.2), "-"],
);

table(
  "the orphan time of a source is the lowest that it reported",
  [(b) => b.appeared(A, 0, { orphan: 5 }), "a:x"],
  [(b) => b.modified(A, 0, { orphan: 20 }), ""],
  [(b) => b.lost(A), ""],
  [(b) => b.after(64.9), ""],
  [(b) => b.after(0.2), "-"],
);

table(
  "7.3: a connected server keeps an orphan, however old: it is the one to say when it is over",
  [(b) => b.appeared(A, 0, { orphan: 0 }), "a:x"],
  [(b) => b.after(1000), ""],
  [(b) => b.disappeared(A), "-"],
);

table(
  "7.3: a lost server does not hold what another says is gone",
  [(b) => b.appeared(A, 0), "a:x"],
  [(b) => b.appeared(B, 0), ""],
  [(b) => b.lost(A), ""],
  [(b) => b.disappeared(B), "-"],
);

table(
  "7.3: one server says that it is gone, the other is lost before it could: gone after the TTL (libpaf: never)",
  [(b) => b.appeared(A, 0), "a:x"],
  [(b) => b.appeared(B, 0), ""],
  [(b) => b.disappeared(A), ""],
  [(b) => b.lost(B), ""],
  [(b) => b.after(59.9), ""],
  [(b) => b.after(0.2), "-"],
);

table(
  "7.3, DEFECT: an older source that is no orphan has no part in the time-out",
  [(b) => b.appeared(B, 0), "a:x"],
  [(b) => b.appeared(A, 1), ""],
  [(b) => b.lost(A), ""],
  [(b) => b.after(60.1), "-"],
);

table(
  "a TTL of 0: gone at once when the last server is lost",
  [(b) => b.appeared(A, 0, { ttl: 0 }), "a:x"],
  [(b) => b.lost(A), ""],
  [(b) => b.after(0), "-"],
);

table(
  "7.4: old news within 30 s do not bring a service back, afterwards any do",
  [(b) => b.appeared(A, 3), "a:x"],
  [(b) => b.disappeared(A), "-"],
  [(b) => b.after(29.9), ""],
  [(b) => b.appeared(B, 3), ""],
  [(b) => b.disappeared(B), ""],
  [(b) => b.after(0.2), ""],
  [(b) => b.appeared(B, 1), "a:x"],
);

table(
  "7.4: a server that still shows a forgotten service may go on to speak of it",
  [(b) => b.appeared(A, 1), "a:x"],
  [(b) => b.appeared(B, 0, { props: "old" }), ""],
  [(b) => b.disappeared(A), "-"],
  [(b) => b.after(STALE_SECONDS), ""],
  [(b) => b.modified(B, 0, { props: "old", orphan: 0 }), "a:old"],
  [(b) => b.disappeared(B), "-"],
);

table(
  "7.4: withdrawn, as one server said, and held by another whose connection was lost: old news when that one is back",
  [(b) => b.appeared(A, 1, { ttl: 4 }), "a:x"],
  [(b) => b.appeared(B, 1, { ttl: 4 }), ""],
  [(b) => b.disappeared(A), ""],
  [(b) => b.lost(B), ""],
  [(b) => b.after(4.1), "-"],
  [(b) => b.appeared(B, 1, { ttl: 4, orphan: 0 }), ""],
  [(b) => b.disappeared(B), ""],
);

table(
  "7.1, where libpaf hides a service: orphaned out, then modified to that generation by a server that was behind",
  [(b) => b.appeared(B, 0), "a:x"],
  [(b) => b.appeared(A, 1, { props: "y" }), "m:y"],
  [(b) => b.modified(A, 1, { props: "y", orphan: 0 }), ""],
  [(b) => b.disappeared(A), "-"],
  [(b) => b.modified(B, 1, { props: "y" }), "a:y"],
  [(b) => b.disappeared(B), "-"],
);

table(
  "7.1: unpublished, then modified to that generation: old news, not told",
  [(b) => b.appeared(B, 0), "a:x"],
  [(b) => b.appeared(A, 1, { props: "y" }), "m:y"],
  [(b) => b.disappeared(A), "-"],
  [(b) => b.modified(B, 1, { props: "y" }), ""],
  [(b) => b.disappeared(B), ""],
);

test("limits: services that one server shows, also while it is lost; what it takes back makes room", () => {
  const bench = new Bench({ matchedServices: 2 });
  const appears = (source: number, id: bigint) => bench.appeared(source, 0, { id });
  const refused = (source: number, id: bigint) =>
    assert.throws(
      () => appears(source, id),
      (error: unknown) =>
        error instanceof ServerLimitError &&
        error.limit === "matchedServices" &&
        error.max === 2 &&
        error.message.startsWith(`ux:server-${source}: too many services`),
    );
  appears(A, 1n);
  appears(A, 2n);
  refused(A, 3n);
  assert.is(bench.merge.size, 2, "nothing is left of it");
  appears(B, 3n);
  appears(B, 1n);
  refused(B, 4n);
  bench.disappeared(A, 2n);
  appears(A, 4n);
  refused(A, 5n);
  bench.lost(A);
  refused(A, 5n);
  appears(A, 1n);
  refused(A, 5n);
  bench.after(61);
  appears(A, 5n);
  refused(A, 6n);
});

test("limits: bytes of properties, as libpaf measures them; fewer is always accepted", () => {
  const bench = new Bench({ matchedBytes: 100 });
  // 1 + 5 for the name, 5 and the text for the value
  bench.appeared(A, 0, { id: 1n, props: "x".repeat(80) });
  assert.throws(() => bench.modified(A, 1, { id: 1n, props: "x".repeat(90) }), /at most 100 accepted: matchedBytes/);
  assert.throws(() => bench.appeared(A, 0, { id: 2n }), /matchedBytes/);
  bench.appeared(B, 0, { id: 2n, props: "y".repeat(89) });
  bench.modified(A, 1, { id: 1n, props: "" });
  assert.is(bench.appeared(A, 0, { id: 3n, props: "x".repeat(70) }), `a:${"x".repeat(70)}`);
});

test("a server that is not believed any more: what only it showed is gone at once, whatever the TTL", () => {
  const bench = new Bench({ matchedServices: 3 });
  const huge = Number.MAX_SAFE_INTEGER;
  bench.appeared(A, 0, { id: 1n, ttl: huge });
  bench.appeared(A, 0, { id: 2n });
  bench.appeared(B, 0, { id: 2n });
  bench.appeared(A, 0, { id: 3n });
  bench.disappeared(A, 3n);
  assert.is(bench.discarded(A), "-");
  assert.is(bench.lost(A), "");
  bench.after(STALE_SECONDS);
  assert.is(bench.merge.size, 1, "the one that B shows");
  assert.is(bench.appeared(A, 0, { id: 1n }), "a:x", "it may be true this time");
  assert.is(bench.disappeared(B, 2n), "-");
  bench.disappeared(A, 1n);
  bench.after(STALE_SECONDS);
  assert.equal([bench.merge.size, bench.clock.timers()], [0, []]);
});

test("limits: what is remembered of services that come and go; it keeps no properties", () => {
  const bench = new Bench({ matchedServices: 1 });
  for (let id = 0n; id < MAX_STALE_RECORDS + 10; id++) {
    bench.appeared(A, 0, { id, props: "x" });
    bench.disappeared(A, id);
  }
  assert.is(bench.merge.size, MAX_STALE_RECORDS);
  assert.is(bench.appeared(B, 0, { id: 9n }), "a:x", "forgotten");
  bench.disappeared(B, 9n);
  assert.is(bench.appeared(B, 0, { id: 20n }), "", "remembered");
  bench.merge.clear();
  assert.equal(bench.clock.timers(), []);
});

test("what is forgotten leaves nothing behind", () => {
  const bench = new Bench();
  bench.appeared(A, 1);
  bench.appeared(B, 0);
  bench.disappeared(A);
  bench.after(STALE_SECONDS);
  assert.is(bench.merge.size, 1, "B still shows it");
  bench.disappeared(B);
  assert.is(bench.merge.size, 0);
  bench.appeared(A, 1);
  bench.appeared(B, 0);
  bench.disappeared(A);
  bench.after(STALE_SECONDS);
  bench.lost(B);
  assert.is(bench.merge.size, 0, "B was lost");
  bench.appeared(A, 1, { ttl: 1 });
  bench.lost(A);
  bench.after(1 + STALE_SECONDS);
  assert.is(bench.merge.size, 0);
  bench.appeared(A, 1);
  bench.lost(A);
  bench.merge.clear();
  assert.equal([bench.merge.size, bench.clock.timers()], [0, []]);
});

test("links that were replaced many times leave no sources behind", () => {
  const bench = new Bench();
  for (let link = 0; link < 1000; link++) {
    bench.appeared(link, 0);
    bench.lost(link, true);
  }
  assert.is(bench.disappeared(999), "-");
  // Only the last link is known: the one before it is a stranger.
  assert.throws(
    () => bench.disappeared(998),
    (error: unknown) => error instanceof ProtocolError,
  );
});

for (const [name, ...steps] of [
  ["appeared twice", (b: Bench) => b.appeared(A, 0), (b: Bench) => b.appeared(A, 1)],
  [
    "back with a lower generation",
    (b: Bench) => b.appeared(A, 5),
    (b: Bench) => b.lost(A),
    (b: Bench) => b.appeared(A, 4),
  ],
  ["modified, but unknown", (b: Bench) => b.modified(A, 0)],
  ["modified, but known to another only", (b: Bench) => b.appeared(B, 0), (b: Bench) => b.modified(A, 0)],
  [
    "modified after disappeared",
    (b: Bench) => b.appeared(A, 0),
    (b: Bench) => b.disappeared(A),
    (b: Bench) => b.modified(A, 1),
  ],
  ["modified to a lower generation", (b: Bench) => b.appeared(A, 5), (b: Bench) => b.modified(A, 4)],
  ["disappeared, but unknown", (b: Bench) => b.disappeared(A)],
] as const) {
  test(`a violation: ${name}`, () => {
    const bench = new Bench();
    for (const step of steps.slice(0, -1)) step(bench);
    assert.throws(
      () => steps[steps.length - 1]!(bench),
      (error: unknown) => error instanceof ProtocolError && /service 0x1 /.test(error.message),
    );
  });
}

/** A random number generator with a seed, so that a failure can be repeated. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 0x8000_0000;
  };
}

/**
 * Three servers that are told the truth late, in order, or not at all while they are lost. Whatever they report:
 * appeared and disappeared alternate; modified comes in between, and always says something new; generations of what is
 * told never go back within 30 s; and when all have caught up, the application knows what is true.
 */
for (let seed = 1; seed <= 200; seed++) {
  test(`model, seed ${seed}`, () => {
    const random = seeded(seed);
    const below = (n: number) => Math.floor(random() * n);
    const bench = new Bench();
    let generation = 0;
    let isPublished = true;
    /** What each server knows, and whether its link is up. */
    const servers = [0, 1, 2].map(() => ({ knows: -1, reported: -1, up: true }));
    let shown: string | undefined;
    const hear = () => {
      for (const match of bench.told.splice(0)) {
        const props = match.type === "disappeared" ? undefined : String(match.properties.get("p")?.[0]);
        if (match.type === "appeared") assert.is(shown, undefined, "appeared while it is there");
        else assert.is.not(shown, undefined, `${match.type} while it is not there`);
        if (match.type === "modified") assert.is.not(props, shown, "modified to the same");
        if (props !== undefined && shown !== undefined) {
          assert.ok(Number(props) > Number(shown), `generation went back from ${shown} to ${props}`);
        }
        shown = props;
      }
    };
    /** The server learns what is true, and reports it if its link is up. Unpublished is -1. */
    const learn = (index: number) => {
      const server = servers[index]!;
      server.knows = isPublished ? generation : -1;
      report(index);
    };
    const report = (index: number) => {
      const server = servers[index]!;
      if (!server.up || server.knows === server.reported) return;
      const state = { props: String(server.knows) };
      if (server.knows < 0) bench.merge.report(index, { type: "disappeared", serviceId: 1n });
      else {
        const type = server.reported < 0 ? "appeared" : "modified";
        bench.merge.report(index, { type, service: service(server.knows, state) });
      }
      server.reported = server.knows;
      hear();
    };
    for (let step = 0; step < 60; step++) {
      const index = below(3);
      const server = servers[index]!;
      switch (below(6)) {
        case 0:
          // A service that comes back has a new generation, like every change.
          isPublished = !isPublished;
          if (isPublished) generation++;
          break;
        case 1:
          if (isPublished) generation++;
          break;
        case 2:
          server.up = !server.up;
          if (server.up) report(index);
          else {
            bench.merge.disconnected(index);
            server.reported = -1; // after the reconnect it begins anew
          }
          break;
        case 3:
          bench.clock.advanceMs(below(20) * 1000);
          break;
        default:
          learn(index);
      }
      hear();
    }
    for (const [index, server] of servers.entries()) {
      server.up = true;
      learn(index);
    }
    bench.clock.advanceMs(120_000);
    hear();
    assert.is(shown, isPublished ? String(generation) : undefined, "in the end the truth");
  });
}

test.run();
