/**
 * What a script reads: the JSON of --json, described in pafc(1). Ids are hexadecimal strings, because JSON consumers lose
 * digits above 2^53; every other integer is bare, to the last digit. Written by hand: JSON.stringify knows no bigint.
 */

import type { ClientState, SubscriptionState } from "../client/session.js";
import type { Match, ServiceState } from "../core/directory-access.js";
import { jsonString } from "../core/printable.js";
import { hex } from "./ids.js";

export type Json =
  | string
  | number
  | bigint
  | boolean
  | readonly Json[]
  | ReadonlyMap<string, Json>
  | { readonly [key: string]: Json };

export function toJson(value: Json): string {
  if (typeof value === "string") return jsonString(value);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map(toJson).join(",")}]`;
  const members = value instanceof Map ? [...value] : Object.entries(value);
  return `{${members.map(([name, member]) => `${jsonString(name)}:${toJson(member)}`).join(",")}}`;
}

export function serviceJson(service: ServiceState): Json {
  return {
    id: hex(service.id),
    generation: service.generation,
    ttl: service.ttlSeconds,
    owner: hex(service.owner),
    ...(service.orphanSince === undefined ? {} : { orphanSince: service.orphanSince }),
    properties: service.properties,
  };
}

export function subscriptionJson({ id, client, filter }: SubscriptionState): Json {
  return { id: hex(id), owner: hex(client), ...(filter === undefined ? {} : { filter }) };
}

export function clientJson({ id, ...others }: ClientState): Json {
  return { id: hex(id), ...others };
}

export function matchJson(subscriptionId: bigint, match: Match): Json {
  return {
    subscription: hex(subscriptionId),
    type: match.type,
    service: match.type === "disappeared" ? { id: hex(match.serviceId) } : serviceJson(match.service),
  };
}
