/** What the model of a domain knows: services, subscriptions, clients and connections, and how they are told. */

import { type Filter, FilterSyntaxError, parseFilter } from "../../../src/core/filter/syntax.js";
import type { Properties, PropertyValue } from "../../../src/core/properties.js";
import { evaluateNaively } from "../filter-reference.js";
import type { ReferenceProps } from "../reference.js";

export type Said = Record<string, unknown>;
/** Answers with a message of this type; `undefined`, so that it can be returned. */
export type Say = (type: string, fields?: Said) => undefined;

export interface ModelService {
  readonly id: bigint;
  readonly user: string;
  owner: bigint;
  generation: bigint;
  ttl: bigint;
  props: ReferenceProps;
  orphanSince: number | undefined;
  expiresAtMs: number;
  /** Orphans that expire at the same time go in the order in which they became orphans. */
  orphanOrder: number;
}

export interface ModelSubscription {
  readonly id: bigint;
  readonly by: ModelConnection;
  readonly taId: bigint;
  readonly filter: Filter | undefined;
}

/** A client that is connected or has orphans; in the order of publication. */
export interface ModelClient {
  readonly user: string;
  connected: boolean;
  readonly services: Set<ModelService>;
}

export class ModelConnection {
  open = true;
  version = 2n;
  claimed: bigint | undefined;
  handshaked = false;
  /** The last hello failed because the id is in use. */
  contested = false;
  everContested = false;
  readonly transactions = new Map<bigint, "track" | ModelSubscription>();
  tracks = false;
  askedAtMs: number | undefined;
  latency: number | undefined;
  lastHeardMs: number;
  /** When somebody else wanted its id, since it was last heard. */
  challengedAtMs: number | undefined;
  /** When the time it may be silent last changed without a word from it. */
  changedAtMs = 0;
  /** What it must have heard since the last look. */
  readonly heard: Said[] = [];

  constructor(
    readonly address: string,
    readonly acceptedAtMs: number,
    readonly acceptedAtUnix: number,
  ) {
    this.lastHeardMs = acceptedAtMs;
  }

  get user(): string {
    return this.address.startsWith("ux") ? "default" : `ip:${/^tcp:(.*):\d+$/.exec(this.address)![1]}`;
  }
}

const asArrays = (props: ReferenceProps): Properties =>
  new Map([...props].map(([name, values]): [string, PropertyValue[]] => [name, [...values]]));

export const satisfies = (filter: Filter | undefined, props: ReferenceProps): boolean =>
  filter === undefined || evaluateNaively(filter, asArrays(props));

export function parsed(text: string | undefined): Filter | undefined | "invalid" {
  if (text === undefined) return undefined;
  try {
    return parseFilter(text);
  } catch (error) {
    if (error instanceof FilterSyntaxError) return "invalid";
    throw error;
  }
}

export const sameProps = (a: ReferenceProps, b: ReferenceProps): boolean =>
  a.size === b.size &&
  [...a].every(([name, values]) => {
    const others = b.get(name);
    return others?.size === values.size && [...values].every((value) => others.has(value));
  });

/** A service as it is told. */
export const state = ({ id, generation, props, ttl, owner, orphanSince }: ModelService): Said => ({
  ...{ "service-id": id, generation, "service-props": props, ttl, "client-id": owner },
  ...(orphanSince === undefined ? {} : { "orphan-since": orphanSince }),
});
