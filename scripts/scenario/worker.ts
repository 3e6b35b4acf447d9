/** A process with producers and consumers, each attached to the domain on its own; does what the conductor says. */

import { monitorEventLoopDelay } from "node:perf_hooks";
import { attach, type Domain, type DomainSubscription, type PublishedService } from "../../src/client/index.js";
import { FILTERS, propertiesOf, textOf } from "./contents.js";
import { isConnected, LOOK_EVERY_MS } from "./links.js";
import type { FromWorker, ToWorker } from "./messages.js";
import type { Order } from "./plan.js";
import { Saboteur } from "./sabotage.js";
import { now } from "./times.js";

const tell = (message: FromWorker): void => void process.send!(message);

interface Own {
  readonly service: PublishedService;
  readonly key: string;
  version: number;
  ttlSeconds: number;
}

/** Reports what has become of the links of a domain since the last call. Returns whether one was lost. */
function lookAt(who: string, domain: Domain, known: Map<string, string>): boolean {
  let lost = false;
  const is = new Map(domain.links.map(({ address, state, lastError }) => [address, `${state} (${lastError})`]));
  const at = now();
  for (const address of new Set([...known.keys(), ...is.keys()])) {
    const state = is.get(address) ?? "none";
    if (known.get(address) === state) continue;
    tell({ kind: "link", who, address, state, at });
    lost ||= isConnected(known.get(address)) && !isConnected(state);
    known.set(address, state);
  }
  return lost;
}

class Producer {
  private readonly links = new Map<string, string>();
  private attached: Domain;
  private readonly services = new Map<string, Own>();

  constructor(
    private readonly producer: number,
    private readonly domain: string,
  ) {
    this.attached = attach(domain);
  }

  publish(key: string, ttlSeconds: number): void {
    const at = now();
    const service = this.attached.publish(propertiesOf(key, 0), { ttlSeconds });
    this.services.set(key, { service, key, version: 0, ttlSeconds });
    tell({
      kind: "published",
      producer: this.producer,
      key,
      serviceId: String(service.id),
      version: 0,
      ttlSeconds,
      at,
    });
  }

  modify(key: string): void {
    const own = this.services.get(key)!;
    const at = now();
    own.version++;
    own.service.modify(propertiesOf(key, own.version));
    this.changed(own, at);
  }

  setTtl(key: string, ttlSeconds: number): void {
    const own = this.services.get(key)!;
    const at = now();
    own.ttlSeconds = ttlSeconds;
    own.service.setTtl(ttlSeconds);
    this.changed(own, at);
  }

  unpublish(key: string): void {
    const own = this.services.get(key)!;
    this.ended([own], "withdrawn");
    own.service.unpublish();
    this.services.delete(key);
  }

  async leave(how: "close" | "abandon"): Promise<void> {
    const domain = this.attached;
    this.ended([...this.services.values()], how === "close" ? "withdrawn" : "abandoned");
    this.services.clear();
    if (how === "abandon") domain.abandon();
    else await domain.close();
  }

  async renew(how: "close" | "abandon"): Promise<void> {
    const left = this.leave(how);
    const at = now();
    for (const address of this.links.keys()) tell({ kind: "link", who: this.who, address, state: "left", at });
    this.links.clear();
    this.attached = attach(this.domain);
    await left;
  }

  private get who(): string {
    return `p${this.producer}`;
  }

  look(): void {
    lookAt(this.who, this.attached, this.links);
  }

  private changed({ service, version, ttlSeconds }: Own, at: number): void {
    tell({ kind: "changed", serviceId: String(service.id), version, ttlSeconds, at });
  }

  private ended(services: readonly Own[], how: "withdrawn" | "abandoned"): void {
    const at = now();
    for (const { service } of services) tell({ kind: "ended", serviceId: String(service.id), how, at });
  }
}

class Consumer {
  private readonly links = new Map<string, string>();
  private readonly attached: Domain;
  private subscription: DomainSubscription | undefined;
  private epoch = -1;
  private saboteur: Saboteur | undefined;

  constructor(
    private readonly consumer: number,
    domain: string,
  ) {
    this.attached = attach(domain);
    this.subscribe();
  }

  subscribe(): void {
    const { consumer } = this;
    if (this.subscription) {
      this.subscription.cancel();
      tell({ kind: "cancelled", consumer, epoch: this.epoch, at: now() });
    }
    const epoch = ++this.epoch;
    const saboteur = new Saboteur((told) => tell({ kind: "told", consumer, epoch, told }));
    this.saboteur = saboteur;
    tell({ kind: "subscribed", consumer, epoch, at: now() });
    this.subscription = this.attached.subscribe(FILTERS[consumer % FILTERS.length]!.text, (match) => {
      const told = { at: now(), type: match.type, serviceId: String(match.serviceId) };
      if (match.type === "disappeared") {
        // What the client holds of its links at this very moment may matter.
        this.look();
        saboteur.told(told);
        return;
      }
      const version = Number(match.properties.get("version")?.[0] ?? -1);
      saboteur.told({ ...told, version, text: textOf(match.properties) });
    });
  }

  look(): void {
    if (lookAt(`c${this.consumer}`, this.attached, this.links)) this.saboteur?.linkLost(now());
  }

  leave(): Promise<void> {
    return this.attached.close();
  }
}

/** Runs until the conductor says `leave`; then nothing may keep the process. */
export function work(): void {
  const producers = new Map<number, Producer>();
  const consumers = new Map<number, Consumer>();
  const delay = monitorEventLoopDelay({ resolution: 10 });
  const looking = setInterval(() => {
    for (const one of [...producers.values(), ...consumers.values()]) one.look();
  }, LOOK_EVERY_MS);
  const broken = (error: unknown) =>
    tell({ kind: "broken", text: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.on("uncaughtException", broken);
  process.on("unhandledRejection", broken);

  const carryOut = (order: Order): void => {
    if (order.kind === "resubscribe") {
      consumers.get(order.consumer)!.subscribe();
      return;
    }
    const producer = producers.get(order.producer)!;
    if (order.kind === "publish") producer.publish(order.key, order.ttlSeconds);
    else if (order.kind === "modify") for (let i = 0; i < order.times; i++) producer.modify(order.key);
    else if (order.kind === "ttl") producer.setTtl(order.key, order.ttlSeconds);
    else if (order.kind === "unpublish") producer.unpublish(order.key);
    else void producer.renew(order.kind).catch(broken);
  };

  const leave = async (): Promise<void> => {
    const began = now();
    await Promise.all([...producers.values()].map((producer) => producer.leave("close")));
    // The consumers shall see that everything is gone.
    setTimeout(async () => {
      await Promise.all([...consumers.values()].map((consumer) => consumer.leave()));
      delay.disable();
      clearInterval(looking);
      tell({ kind: "left", loopDelayMs: delay.max / 1e6, closeMs: now() - began - WATCH_THE_END_MS });
      process.disconnect();
    }, WATCH_THE_END_MS);
  };

  process.on("message", (message: ToWorker) => {
    if (message.kind === "order") carryOut(message.order);
    else if (message.kind === "leave") leave().catch(broken);
    else {
      for (const number of message.producers) producers.set(number, new Producer(number, message.domain));
      for (const number of message.consumers) consumers.set(number, new Consumer(number, message.domain));
      delay.enable();
    }
  });
}

const WATCH_THE_END_MS = 3000;
