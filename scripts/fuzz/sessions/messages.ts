/**
 * What a lively client says, made up from a seed: hello, publish and republish, subscribe, lists, track, unpublish.
 * The ids come from small pools, so that clients meet each other: contested client ids, services that change hands.
 */

import type { SeededRandom } from "../random.js";

/** Ids that all sessions share; some are as large as ids get. */
const pool = (count: number, from: bigint): readonly bigint[] =>
  Array.from({ length: count }, (_, i) => (i % 3 === 0 ? (1n << 62n) + from + BigInt(i) : from + BigInt(i)));
export const CLIENT_IDS = pool(120, 1000n);
export const SERVICE_IDS = pool(150, 20_000n);
export const SUBSCRIPTION_IDS = pool(300, 30_000n);

export interface Pools {
  readonly clients: readonly bigint[];
  readonly services: readonly bigint[];
  readonly subscriptions: readonly bigint[];
}

const POOLS: Pools = { clients: CLIENT_IDS, services: SERVICE_IDS, subscriptions: SUBSCRIPTION_IDS };

const NAMES = ["name", "kind", "room", "port", "Küche", "a=b", "x"] as const;
const TEXTS = ["lamp", "lamp-17", "pump", "k", "kitchen", "42", "(*)", "é😀", ""] as const;
const TTLS = [0, 0, 1, 1, 2, 2, 2, 60] as const;

const escaped = (text: string) => text.replace(/[()*\\&|=><]/g, "\\$&");

/** A valid filter over the properties that sessions publish. */
export function randomFilter(random: SeededRandom, depth = 2): string {
  const name = escaped(random.pick(NAMES));
  const text = () => escaped(random.pick(TEXTS)) || "k";
  switch (random.below(depth > 0 ? 9 : 6)) {
    case 0:
    case 1:
    case 2:
      return `(${name}=${text()})`;
    case 3:
      return `(${name}=*)`;
    case 4:
      return `(port${random.pick("<>".split(""))}${random.below(100) - 10})`;
    case 5:
      return random.pick([`(${name}=${text()}*)`, `(${name}=*${text()}*)`, `(${name}=*${text()})`, `(${name}=l*p*1*)`]);
    case 6:
      return `(!${randomFilter(random, depth - 1)})`;
    case 7:
      return `(&${randomFilter(random, depth - 1)}${randomFilter(random, depth - 1)})`;
    default:
      return `(|${randomFilter(random, depth - 1)}${randomFilter(random, depth - 1)})`;
  }
}

function randomProps(random: SeededRandom): string {
  let text = "";
  for (let left = random.below(4); left >= 0; left--) {
    const values: string[] = [];
    for (let more = random.pick([1, 1, 1, 2, 3, 0]); more > 0; more--) {
      values.push(random.below(3) === 0 ? String(random.below(100) - 10) : JSON.stringify(random.pick(TEXTS)));
    }
    text += `${text && ","}${JSON.stringify(random.pick(NAMES))}:[${values.join(",")}]`;
  }
  return `{${text}}`;
}

export const helloText = (taId: number, clientId: bigint, min: number, max: number): string =>
  `{"ta-cmd":"hello","ta-id":${taId},"msg-type":"request","client-id":${clientId},"protocol-minimum-version":${min},"protocol-maximum-version":${max}}`;

export const requestText = (command: string, taId: number, fields = ""): string =>
  `{"ta-cmd":"${command}","ta-id":${taId},"msg-type":"request"${fields}}`;

/** One client's part of the conversation: the same random numbers give the same messages, whatever the server says. */
export class Session {
  readonly clientId: bigint;
  readonly version: number;
  private taId = 0;
  private trackTaId = -1;
  private readonly subscriptions: bigint[] = [];

  constructor(
    private readonly random: SeededRandom,
    private readonly pools: Pools = POOLS,
  ) {
    this.clientId = random.pick(pools.clients);
    this.version = random.below(4) === 0 ? 2 : 3;
  }

  hello(): string {
    return helloText(this.taId++, this.clientId, 2, this.version);
  }

  ping(): string {
    return this.request("ping");
  }

  /** The next message; hardly ever one that the protocol forbids. */
  next(): string {
    const { random } = this;
    const kind = random.below(100);
    if (kind < 30) return this.publish();
    if (kind < 38) return this.request("unpublish", `,"service-id":${random.pick(this.pools.services)}`);
    if (kind < 52) return this.subscribe();
    if (kind < 62) return this.unsubscribe();
    if (kind < 64) return this.request("services", random.below(4) === 0 ? "" : this.filter());
    if (kind < 65) return this.request("subscriptions");
    if (kind < 66) return this.request("clients");
    if (kind < 74) return this.track();
    if (kind < 76) return this.hello();
    return this.ping();
  }

  private request(command: string, fields = ""): string {
    return requestText(command, this.taId++, fields);
  }

  private publish(): string {
    const { random } = this;
    const service = random.pick(this.pools.services);
    const generation = random.pick([0, 1, 1, 2, random.below(1000)]);
    // The same service often looks the same, so that republishing and taking over without a change happen, too.
    const props =
      random.below(2) === 0 ? `{"name":["service-${service}"],"port":[${service % 90n}]}` : randomProps(random);
    const ttl = props.startsWith('{"name":["service') ? Number(service % 3n) : random.pick(TTLS);
    return this.request(
      "publish",
      `,"service-id":${service},"generation":${generation},"service-props":${props},"ttl":${ttl}`,
    );
  }

  private filter(): string {
    return `,"filter":${JSON.stringify(randomFilter(this.random))}`;
  }

  private subscribe(): string {
    const { random } = this;
    const id = random.pick(this.pools.subscriptions);
    this.subscriptions.push(id);
    return this.request("subscribe", `,"subscription-id":${id}${random.below(30) === 0 ? "" : this.filter()}`);
  }

  private unsubscribe(): string {
    const { random, subscriptions } = this;
    const known = subscriptions.length > 0 && random.below(5) > 0;
    const id = known
      ? subscriptions.splice(random.below(subscriptions.length), 1)[0]!
      : random.pick(this.pools.subscriptions);
    return this.request("unsubscribe", `,"subscription-id":${id}`);
  }

  private track(): string {
    if (this.version < 3) return this.ping();
    if (this.trackTaId < 0 || this.random.below(20) === 0) {
      if (this.trackTaId < 0) this.trackTaId = this.taId;
      return this.request("track");
    }
    return this.inform("query");
  }

  /** An answer to the server's question. */
  reply(): string {
    return this.inform("reply");
  }

  private inform(trackType: string): string {
    return `{"ta-cmd":"track","ta-id":${this.trackTaId},"msg-type":"inform","track-type":"${trackType}"}`;
  }
}

/** What no parser likes: huge, deep, several in one. */
export function monstrous(random: SeededRandom, message: string): string {
  const n = 1 << (4 + random.below(12));
  switch (random.below(7)) {
    case 0:
      return message + message;
    case 1:
      return "[".repeat(n);
    case 2:
      return message.replace(/:\d+/, `:${"9".repeat(n)}`);
    case 3:
      return `{"ta-cmd":"publish","ta-id":1,"msg-type":"request","service-id":${random.pick(SERVICE_IDS)},"generation":0,"ttl":0,"service-props":{"x":[${"1,".repeat(n >> 1)}1]}}`;
    case 4:
      return `{"ta-cmd":"services","ta-id":1,"msg-type":"request","filter":"${"(!".repeat(n >> 3)}(a=b)${")".repeat(n >> 3)}"}`;
    case 5:
      return `{"ta-cmd":"publish","ta-id":1,"msg-type":"request","service-id":${random.pick(SERVICE_IDS)},"generation":0,"ttl":0,"service-props":{"name":["${"é".repeat(n >> 1)}"]}}`;
    default:
      return `{"ta-cmd":"services","ta-id":1,"msg-type":"request","filter":"(|${"(name=*a*b*)".repeat(n >> 5)}(a=b)(c=d))"}`;
  }
}
