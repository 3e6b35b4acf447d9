/**
 * The witness: clients that behave, do one thing after the other, and know exactly what they must hear. A model of their
 * own services (told from others' by a property) says what; whatever differs is a failure.
 */

import type { SeededRandom } from "../random.js";
import type { Address } from "./links.js";
import { type Heard, json, Wire } from "./wire.js";

interface Service {
  readonly id: bigint;
  generation: bigint;
  props: Record<string, (string | bigint)[]>;
  ttl: bigint;
  owner: bigint;
  /** When its owner left, by our clock. */
  orphanAtMs: number | undefined;
}

/** Ids that no session uses. */
const FIRST_ID = 0x3a5e_0000_0000_0000n;

export class Witness {
  private readonly pingsMs: number[] = [];
  transactions = 0;
  /** When it was last heard of, by `performance.now()`. */
  lastWordMs = 0;
  private publisher!: Wire;
  private subscriber!: Wire;
  /** In order of creation. */
  private readonly services = new Map<bigint, Service>();
  private publisherSubscription: { readonly taId: bigint; readonly id: bigint } | undefined;
  private subscriberTaId = 0n;
  private nextId: bigint;
  private readonly filter: string;

  constructor(
    private readonly random: SeededRandom,
    /** Where it publishes, and where it (also) listens. */
    private readonly addresses: readonly [Address, Address],
    /** Tells several witnesses apart. */
    private readonly name = "witness",
    first = 0n,
  ) {
    this.nextId = FIRST_ID + (first << 40n);
    this.filter = `(witness=${name})`;
  }

  get clientIds(): bigint[] {
    return [this.publisher.clientId, this.subscriber.clientId];
  }

  /** Its subscriptions at the moment. */
  get subscriptionCount(): number {
    return this.publisherSubscription ? 2 : 1;
  }

  owns(service: bigint): boolean {
    return this.services.has(service);
  }

  async open(): Promise<void> {
    this.publisher = await Wire.open(this.addresses[0], this.nextId++);
    this.subscriber = await Wire.open(this.addresses[1], this.nextId++);
    const { subscriber } = this;
    this.subscriberTaId = subscriber.request("subscribe", { "subscription-id": this.nextId++, filter: this.filter });
    subscriber.same(await subscriber.hear(), this.answer("subscribe", this.subscriberTaId, "accept"));
    const track = this.publisher.request("track");
    this.publisher.same(await this.publisher.hear(), this.answer("track", track, "accept"));
  }

  /** Says that it is there, and nothing else. */
  async stayAlive(): Promise<void> {
    await this.ping(this.publisher);
    await this.ping(this.subscriber);
    this.lastWordMs = performance.now();
  }

  /** How long its pings took, in milliseconds. */
  pingTimes(): { readonly p50: number; readonly p99: number; readonly max: number } {
    const times = this.pingsMs.sort((a, b) => a - b);
    const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
    return { p50: at(0.5), p99: at(0.99), max: times.at(-1) ?? 0 };
  }

  /** Withdraws everything and leaves. */
  async close(): Promise<void> {
    for (const { id } of [...this.services.values()]) if (this.services.has(id)) await this.unpublish(id);
    this.publisher.close();
    this.subscriber.close();
  }

  /** One thing that a client does, and everything that follows from it. */
  async step(): Promise<void> {
    const { random } = this;
    const known = [...this.services.values()].filter(({ orphanAtMs }) => orphanAtMs === undefined);
    const kind = random.below(24);
    if (kind < 4 && known.length < 20) await this.publish();
    else if (kind < 8 && known.length > 0) await this.republish(random.pick(known));
    else if (kind < 11 && known.length > 0) await this.unpublish(random.pick(known).id);
    else if (kind < 12) await this.unpublishNothing();
    else if (kind < 14) await this.listServices();
    else if (kind < 15) await this.listOthers(random.pick(["clients", "subscriptions"]));
    else if (kind < 17) await this.subscribeOrNot();
    else if (kind < 19) await this.visitor();
    else if (kind < 20) await this.query();
    else await this.ping(random.below(2) === 0 ? this.publisher : this.subscriber);
    this.transactions++;
    this.lastWordMs = performance.now();
  }

  // --- what it does -------------------------------------------------------------------------------------------------

  private props(): Record<string, (string | bigint)[]> {
    return { witness: [this.name], n: [BigInt(this.random.below(1000)) - 500n], text: ["é😀\u0001"] };
  }

  private async publish(): Promise<void> {
    const { publisher: by } = this;
    const id = this.nextId++;
    const generation = this.random.bigint(30);
    const service = { id, generation, props: this.props(), ttl: 300n, owner: by.clientId, orphanAtMs: undefined };
    await this.published(by, service, "appeared");
  }

  private async republish(service: Service): Promise<void> {
    const { publisher: by } = this;
    const kind = this.random.below(4);
    if (kind === 0) {
      const taId = by.request("publish", fields(service));
      return this.finish(by, this.answer("publish", taId, "complete"));
    }
    if (kind === 1) {
      const taId = by.request("publish", fields({ ...service, ttl: service.ttl + 1n }));
      return this.finish(by, this.refusal("publish", taId, "same-generation-but-different"));
    }
    if (kind === 2 && service.generation > 0n) {
      const taId = by.request("publish", fields({ ...service, generation: service.generation - 1n }));
      return this.finish(by, this.refusal("publish", taId, "old-generation"));
    }
    service.generation += 1n + this.random.bigint(20);
    service.props = this.props();
    service.ttl = 300n + this.random.bigint(30);
    await this.published(by, service, "modified");
  }

  private async published(by: Wire, service: Service, matchType: string): Promise<void> {
    const taId = by.request("publish", fields(service));
    this.services.set(service.id, service);
    await this.told(service, matchType);
    await this.finish(by, this.answer("publish", taId, "complete"));
  }

  private async unpublish(id: bigint): Promise<void> {
    const { publisher: by } = this;
    const taId = by.request("unpublish", { "service-id": id });
    await this.told(this.services.get(id)!, "disappeared");
    this.services.delete(id);
    await this.finish(by, this.answer("unpublish", taId, "complete"));
  }

  private async unpublishNothing(): Promise<void> {
    const taId = this.publisher.request("unpublish", { "service-id": this.nextId++ });
    await this.finish(this.publisher, this.refusal("unpublish", taId, "non-existent-service-id"));
  }

  private async ping(by: Wire): Promise<void> {
    const began = performance.now();
    const taId = by.request("ping");
    await this.finish(by, this.answer("ping", taId, "complete"));
    this.pingsMs.push(performance.now() - began);
  }

  private async query(): Promise<void> {
    this.publisher.say('{"ta-cmd":"track","ta-id":1,"msg-type":"inform","track-type":"query"}');
    await this.finish(this.publisher, { ...this.answer("track", 1n, "notify"), "track-type": "reply" });
  }

  private async listServices(): Promise<void> {
    const { publisher: by } = this;
    const taId = by.request("services", { filter: this.filter });
    await this.finish(by, this.answer("services", taId, "accept"));
    const listed: Heard[] = [];
    for (;;) {
      const heard = await by.hear();
      if (heard["msg-type"] === "complete") break;
      listed.push(heard);
    }
    const expected = [...this.services.values()].map((service) => ({
      ...this.answer("services", taId, "notify"),
      ...state(service),
    }));
    if (json(listed) !== json(expected)) throw by.failure(`listed ${json(listed)}\ninstead of ${json(expected)}`);
  }

  private async listOthers(command: "clients" | "subscriptions"): Promise<void> {
    const own = (await this.list(command)).filter((heard) => this.clientIds.includes(heard["client-id"] as bigint));
    const expected = command === "clients" ? 2 : this.subscriptionCount;
    if (own.length !== expected) throw this.publisher.failure(`${own.length} own ${command} listed, not ${expected}`);
  }

  /** A whole list, as the server gives it. */
  async list(command: "clients" | "subscriptions" | "services"): Promise<Heard[]> {
    const { publisher: by } = this;
    const taId = by.request(command);
    await this.finish(by, this.answer(command, taId, "accept"));
    const listed: Heard[] = [];
    for (;;) {
      const heard = await by.hear();
      if (heard["ta-id"] !== taId) throw by.failure(`heard ${json(heard)}`);
      if (heard["msg-type"] === "complete") return listed;
      listed.push(heard);
    }
  }

  private async subscribeOrNot(): Promise<void> {
    const { publisher: by, publisherSubscription: current } = this;
    if (current) {
      const taId = by.request("unsubscribe", { "subscription-id": current.id });
      await this.finish(by, this.answer("subscribe", current.taId, "complete"));
      this.publisherSubscription = undefined;
      return this.finish(by, this.answer("unsubscribe", taId, "complete"));
    }
    const id = this.nextId++;
    const taId = by.request("subscribe", { "subscription-id": id, filter: `(&${this.filter}(n=*))` });
    await this.finish(by, this.answer("subscribe", taId, "accept"));
    for (const service of this.services.values()) {
      await this.finish(by, {
        ...this.answer("subscribe", taId, "notify"),
        "match-type": "appeared",
        ...state(service),
      });
    }
    this.publisherSubscription = { taId, id };
  }

  /** A client that comes, publishes and goes: its service becomes an orphan, and is taken over or expires. */
  private async visitor(): Promise<void> {
    const visitor = await Wire.open(this.addresses[0], this.nextId++);
    const ttl = BigInt(this.random.pick([0, 0, 0, 0, 0, 0, 1]));
    const service: Service = {
      id: this.nextId++,
      generation: 1n,
      props: this.props(),
      ttl,
      owner: visitor.clientId,
      orphanAtMs: undefined,
    };
    const taId = visitor.request("publish", fields(service));
    this.services.set(service.id, service);
    await this.told(service, "appeared");
    visitor.same(await visitor.hear(), this.answer("publish", taId, "complete"));
    const closedAtMs = performance.now();
    const closedAt = Date.now() / 1000;
    visitor.close();
    service.orphanAtMs = closedAtMs;
    const since = await this.told(service, "modified");
    if (!(Number(since) >= closedAt - 0.01 && Number(since) <= Date.now() / 1000 + 0.01)) {
      throw this.subscriber.failure(`orphan-since ${since}, but it left at ${closedAt}`);
    }
    if (ttl === 1n && this.random.below(2) === 0) {
      service.owner = this.publisher.clientId;
      service.orphanAtMs = undefined;
      service.generation += 1n;
      // With a short one the publisher itself would have to show signs of life more often.
      service.ttl = 300n;
      return this.published(this.publisher, service, "modified");
    }
    await this.told(service, "disappeared");
    this.services.delete(service.id);
    const stayedMs = performance.now() - closedAtMs;
    if (stayedMs < Number(ttl) * 1000 - 2)
      throw this.publisher.failure(`an orphan went after ${stayedMs} ms, TTL ${ttl} s`);
  }

  // --- what it hears ------------------------------------------------------------------------------------------------

  /** Everybody who subscribes hears of this, and of nothing else. Returns the `orphan-since` that was told. */
  private async told(service: Service, matchType: string): Promise<unknown> {
    let since: unknown;
    const listeners: (readonly [Wire, bigint])[] = [[this.subscriber, this.subscriberTaId]];
    if (this.publisherSubscription) listeners.push([this.publisher, this.publisherSubscription.taId]);
    for (const [wire, taId] of listeners) {
      const { "orphan-since": orphanSince, ...heard } = await wire.hear();
      const rest = matchType === "disappeared" ? { "service-id": service.id } : state(service);
      wire.same(heard, { ...this.answer("subscribe", taId, "notify"), "match-type": matchType, ...rest });
      const isOrphan = matchType === "modified" && service.orphanAtMs !== undefined;
      if ((orphanSince !== undefined) !== isOrphan) throw wire.failure(`orphan-since is ${orphanSince}`);
      since = orphanSince;
    }
    return since;
  }

  private async finish(wire: Wire, expected: object): Promise<void> {
    wire.same(await wire.hear(), expected);
  }

  private answer(command: string, taId: bigint, type: string): object {
    return { "ta-cmd": command, "ta-id": taId, "msg-type": type };
  }

  private refusal(command: string, taId: bigint, reason: string): object {
    return { ...this.answer(command, taId, "fail"), "fail-reason": reason };
  }
}

const fields = ({ id, generation, props, ttl }: Service): object => ({
  "service-id": id,
  generation,
  "service-props": props,
  ttl,
});

const state = (service: Service): object => ({ ...fields(service), "client-id": service.owner });
