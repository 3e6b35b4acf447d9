/**
 * Sessions in memory, compared message for message with the model: valid and mutated, with leaving and coming back, slow readers,
 * with time that passes, timer by timer, and time in which the server stood still. One seed is one script.
 */

import { UNLIMITED } from "../../../src/core/limits.js";
import { parseExact } from "../../../test/support/exact-json.js";
import { InMemoryDomain, type Peer } from "../../../test/support/in-memory.js";
import { mutate } from "../mutate.js";
import { SeededRandom } from "../random.js";
import { helloText, type Pools, requestText, Session } from "./messages.js";
import { DomainModel } from "./model.js";
import { ModelConnection, type Said, state } from "./model-state.js";

const STEPS = 150;
const PEERS = 6;
const ADDRESSES = ["ux:00001", "ux:00002", "tcp:127.0.0.1:40001", "tcp:127.0.0.1:40002", "tcp:[::1]:40003"] as const;
/** Few enough that everybody meets everybody. */
const POOLS: Pools = {
  clients: [1n, 2n, 3n, 4n, (1n << 63n) - 1n],
  services: [1n, 2n, 3n, 4n, 5n, 6n, 7n, (1n << 62n) + 1n],
  subscriptions: [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 1n << 60n],
};

interface Pair {
  readonly peer: Peer;
  readonly model: ModelConnection;
  readonly session: Session;
  /** Of a peer that reads now and then only: what each of its subscriptions has told it, by transaction. */
  readonly views?: Views;
}

type Views = Map<bigint, Map<bigint, string>>;
const SLOW_CLIENT = 99n;

/** What is a number of seconds, whole or not. */
const TIMES = new Set(["time", "idle", "latency", "orphan-since"]);

/** In a form in which what is equal looks equal: sets sorted, times to the millisecond. */
function plain(message: Said): string {
  return JSON.stringify(message, (name, value: unknown) => {
    if (TIMES.has(name)) return `~${Number(value).toFixed(3)}`;
    if (typeof value === "bigint") return `#${value}`;
    if (name !== "service-props") return value;
    const members = value instanceof Map ? [...value] : Object.entries(value as object);
    return members
      .map(([key, values]) => [key, [...values].map((item) => `${typeof item}:${item}`).sort()])
      .sort(([a], [b]) => (a < b ? -1 : 1));
  });
}

class Script {
  private readonly random: SeededRandom;
  private readonly memory: InMemoryDomain;
  private readonly model: DomainModel;
  private readonly pairs: Pair[] = [];
  /** When the server last ran late. */
  private lateMs = 0;
  private readonly history: string[] = [];
  private readonly versions: { readonly min: number; readonly max: number };
  private slowTaId = 100;
  /** Every fourth script is valid throughout. */
  readonly disturbs: boolean;

  constructor(seed: number) {
    const random = new SeededRandom(seed);
    this.random = random;
    this.disturbs = random.below(4) > 0;
    const some = () => random.pick([2, 4, 8, Infinity]);
    const limits = {
      total: { ...UNLIMITED, services: some(), subscriptions: some() },
      user: { clients: random.pick([2, Infinity]), services: some(), subscriptions: some() },
    };
    const idle = random.pick([
      { min: 4, max: 30 },
      { min: 1, max: 3 },
    ]);
    const versions = random.pick([
      { min: 2, max: 3 },
      { min: 2, max: 3 },
      { min: 2, max: 2 },
      { min: 3, max: 3 },
    ]);
    this.versions = versions;
    this.memory = new InMemoryDomain({ limits, idle, versions, random: () => random.unit() });
    const { clock } = this.memory;
    this.model = new DomainModel({
      ...{ limits, idle },
      versions: { min: BigInt(versions.min), max: BigInt(versions.max) },
      nowMs: () => clock.monotonicMs(),
      nowUnix: () => clock.unixSeconds(),
    });
  }

  run(): void {
    try {
      for (let left = STEPS; left > 0; left--) this.step();
      this.end();
    } catch (error) {
      (error as Error).message += `\nbefore that:\n${this.history.slice(-60).join("\n")}`;
      throw error;
    }
  }

  private step(): void {
    const { random, pairs } = this;
    const kind = random.below(40);
    if (pairs.length < PEERS && (pairs.length === 0 || kind < 6)) {
      this.come();
      return;
    }
    const pair = random.pick(pairs);
    if (pair.views) {
      this.slowly(pair, pair.views);
    } else if (kind < 31) {
      this.say(pair, Buffer.from(pair.session.next()));
    } else if (kind < 34 && this.disturbs) {
      const messages = [Buffer.from(pair.session.next()), Buffer.from(pair.session.next())] as const;
      const bytes = mutate(random, messages[0], messages[1]);
      if (bytes.length > 0) this.say(pair, bytes);
    } else if (kind < 36) {
      this.leave(pair);
    } else {
      this.pass(random.pick([1, 100, 1000, 1000, 3000, 20_000]) * random.unit(), random.below(8) === 0);
    }
  }

  private come(): void {
    const { random, memory } = this;
    if (random.below(5) === 0 && this.versions.min === 2 && !this.pairs.some(({ views }) => views)) {
      this.comeSlowly();
      return;
    }
    const address = random.pick(ADDRESSES);
    const peer = memory.connect(address);
    const model = new ModelConnection(address, memory.clock.monotonicMs(), memory.clock.unixSeconds());
    const pair = { peer, model, session: new Session(random, POOLS) };
    this.pairs.push(pair);
    this.note(pair, "comes");
    if (random.below(12) > 0) this.say(pair, Buffer.from(pair.session.hello()));
  }

  /** A client of version 2, so that its silence is its own business, that sees everything. */
  private comeSlowly(): void {
    const { memory } = this;
    const [address] = ADDRESSES;
    const peer = memory.connect(address);
    const model = new ModelConnection(address, memory.clock.monotonicMs(), memory.clock.unixSeconds());
    const pair = { peer, model, session: new Session(this.random, POOLS), views: new Map() };
    this.pairs.push(pair);
    this.note(pair, "comes, and reads now and then");
    this.say(pair, Buffer.from(helloText(0, SLOW_CLIENT, 2, 2)));
    this.say(pair, Buffer.from(requestText("subscribe", 1, `,"subscription-id":${SLOW_CLIENT}`)));
    if (!model.handshaked || model.transactions.size === 0) {
      // A limit is reached.
      this.leave(pair);
      return;
    }
    peer.reads = false;
  }

  /** Asks for more than it reads, or reads what there is: then it must see what everybody else sees. */
  private slowly(pair: Pair, views: Views): void {
    const { random, model } = this;
    const { peer } = pair;
    const kind = random.below(24);
    if (kind === 0) {
      this.leave(pair);
    } else if (kind < 22) {
      // The model knows nothing of messages that are not read yet.
      for (let left = 1 + random.below(12); left > 0 && peer.reading; left--) {
        const taId = ++this.slowTaId;
        const id = SLOW_CLIENT + BigInt(random.below(3)) + 1n;
        const text = random.pick([
          requestText("services", taId),
          requestText("subscribe", taId, `,"subscription-id":${id}`),
          requestText("unsubscribe", taId, `,"subscription-id":${id}`),
        ]);
        this.say(pair, Buffer.from(text));
      }
    } else {
      this.note(pair, "reads");
      while (peer.backlog.length > 0) peer.drain();
      for (const text of peer.received.splice(0)) this.see(pair, views, parseExact(text) as Said);
      const expected = new Map([...model.services].map(([id, service]) => [id, plain(state(service))]));
      for (const view of views.values()) {
        if (view.size === expected.size && [...expected].every(([id, text]) => view.get(id) === text)) continue;
        throw this.differs(pair, `it sees ${[...view.values()]}\ninstead of ${[...expected.values()]}`);
      }
    }
  }

  private see(pair: Pair, views: Views, said: Said): void {
    const { "ta-cmd": command, "ta-id": taId, "msg-type": type, "match-type": match, ...rest } = said;
    if (command !== "subscribe") return;
    if (type === "accept") views.set(taId as bigint, new Map());
    if (type === "complete") views.delete(taId as bigint);
    if (type !== "notify") return;
    const view = views.get(taId as bigint);
    const id = rest["service-id"] as bigint;
    if (view?.has(id) !== (match !== "appeared")) throw this.differs(pair, `it saw ${plain(said)} out of order`);
    if (match === "disappeared") view.delete(id);
    else view.set(id, plain(rest));
  }

  private say(pair: Pair, bytes: Buffer): void {
    this.note(pair, bytes.toString("latin1"));
    const stays = this.model.process(pair.model, bytes);
    if (!stays) this.model.disconnect(pair.model);
    pair.peer.send(bytes);
    if (pair.peer.closedByServer === stays) throw this.differs(pair, stays ? "it was dropped" : "it was not dropped");
    this.compare();
  }

  private leave(pair: Pair): void {
    this.note(pair, "leaves");
    this.model.disconnect(pair.model);
    pair.peer.leave();
    this.compare();
  }

  /** Time passes, timer by timer; or the server stood still all the while, and everything is late. */
  private pass(ms: number, still: boolean): void {
    const { memory, model } = this;
    const { clock } = memory;
    this.history.push(`${ms.toFixed(3)} ms pass${still ? " in which the server stands still" : ""}`);
    const end = clock.monotonicMs() + ms;
    if (still) {
      clock.passMs(ms);
      this.lateMs = end;
    }
    for (;;) {
      const name = memory.fireNext(end - clock.monotonicMs());
      if (name === undefined) break;
      this.history.push(`${name} timer at ${clock.monotonicMs().toFixed(3)}`);
      if (name === "orphan") this.expire();
      for (const pair of this.pairs) if (pair.peer.closedByServer) this.dropped(pair);
      this.compare();
    }
    memory.advanceMs(Math.max(0, end - clock.monotonicMs()));
    for (const pair of this.pairs) {
      const problem = model.tooLate(pair.model, this.lateMs);
      if (problem) throw this.differs(pair, problem);
    }
    const late = model.nextOrphan();
    if (late && late.expiresAtMs < clock.monotonicMs()) throw new Error(`the orphan ${late.id} did not go`);
  }

  private expire(): void {
    const orphan = this.model.nextOrphan();
    const now = this.memory.clock.monotonicMs();
    if (orphan === undefined || orphan.expiresAtMs > now + 1e-6) throw new Error("an orphan expired too early");
    this.model.remove(orphan);
  }

  private dropped(pair: Pair): void {
    const problem = this.model.tooEarly(pair.model);
    if (problem) throw this.differs(pair, `it was dropped, but ${problem}`);
    this.history.push(`${this.who(pair)} was dropped`);
    this.model.disconnect(pair.model);
  }

  /** Everybody has heard what the model says, and nothing else. */
  private compare(): void {
    for (const pair of this.pairs) {
      const { model, peer } = pair;
      if (pair.views) {
        model.heard.length = 0;
      } else if (model.open) {
        for (const text of peer.received.splice(0)) {
          const said = plain(parseExact(text) as Said);
          const expected = model.heard.shift();
          if (expected !== undefined && plain(expected) === said) continue;
          if (expected === undefined && this.asks(model, text)) continue;
          throw this.differs(pair, `it heard ${said}\ninstead of ${expected ? plain(expected) : "nothing"}`);
        }
        if (model.heard.length > 0) throw this.differs(pair, `it did not hear ${plain(model.heard[0]!)}`);
      } else if (peer.received.length > 0 && peer.closedByServer) {
        throw this.differs(pair, `it was dropped, and heard ${peer.received}`);
      }
    }
    for (let i = this.pairs.length - 1; i >= 0; i--) if (!this.pairs[i]!.model.open) this.pairs.splice(i, 1);
  }

  /** The server asks for a sign of life: only of who tracks, once, and is silent, or whose id somebody else wants. */
  private asks(model: ModelConnection, text: string): boolean {
    if (!text.endsWith('"msg-type":"notify","track-type":"query"}')) return false;
    const now = this.memory.clock.monotonicMs();
    const due = model.challengedAtMs !== undefined || this.model.silentFor(model) >= 0.45;
    if (!model.tracks || model.askedAtMs !== undefined || !due) return false;
    model.askedAtMs = now;
    return true;
  }

  /** Everybody leaves, all orphans go, and nothing is left. */
  private end(): void {
    const { memory, model } = this;
    for (const pair of [...this.pairs]) this.leave(pair);
    for (let orphan = model.nextOrphan(); orphan; orphan = model.nextOrphan()) {
      if (memory.clock.nextInMs() === undefined) throw new Error(`no timer for the orphan ${orphan.id}`);
      memory.fireNext(Infinity);
      this.expire();
    }
    const { directory } = memory.domain;
    // Walks that nobody goes on with are of no interest to anybody else.
    const { cursors } = directory as unknown as { readonly cursors: ReadonlySet<unknown> };
    const left = {
      services: directory.serviceCount,
      subscriptions: directory.subscriptions.size,
      cursors: cursors.size,
    };
    const used = (["clients", "services", "subscriptions"] as const).map((resource) =>
      directory.counter.used(resource),
    );
    const words = directory.store.usedWords;
    const timers = memory.clock.timers();
    const sum =
      left.services + left.subscriptions + left.cursors + used[0]! + used[1]! + used[2]! + words + timers.length;
    if (sum > 0) throw new Error(`left behind: ${JSON.stringify({ ...left, used, words, timers })}`);
  }

  private note(pair: Pair, what: string): void {
    this.history.push(`${this.who(pair)} ${what.length > 400 ? `${what.slice(0, 400)}…` : what}`);
  }

  private who({ model }: Pair): string {
    return `${model.address}/${model.claimed ?? "?"}`;
  }

  private differs(pair: Pair, what: string): Error {
    return new Error(`${this.who(pair)}: ${what}`);
  }
}

/** One script; returns whether it was valid throughout. */
export function domainTarget(seed: number): boolean {
  const script = new Script(seed);
  script.run();
  return !script.disturbs;
}
