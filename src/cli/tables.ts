/** What a person reads: the reference's tables and match lines, column by column (pafd-and-pafc.md, 3.1). */

import type { ClientState, SubscriptionState } from "../client/session.js";
import type { Match, ServiceState } from "../core/directory-access.js";
import { printable } from "../core/printable.js";
import type { Properties } from "../core/properties.js";
import { hex } from "./ids.js";

export const SUBSCRIPTIONS_HEADER = "Subscription Id   Owner Id           Filter Expression";
const CLIENTS_HEADER_V2 = "Client Id         Remote Address    Uptime";
const CLIENTS_HEADER_V3 = `${CLIENTS_HEADER_V2}     Idle [s]   Latency [ms]  Version`;

/**
 * `%16x %4d %4d %11s  %-17x  %s` below their headings. The generation's and the TTL's columns are wider than that if a
 * value needs it (gateways count generations in milliseconds); a list without such is letter by letter the reference's.
 */
export function servicesTable(services: readonly ServiceState[], nowUnixSeconds: number): string[] {
  const width = (longest: number, of: (service: ServiceState) => bigint) =>
    services.reduce((most, service) => Math.max(most, String(of(service)).length), longest);
  const generation = width(4, (service) => service.generation);
  const ttl = width(4, (service) => service.ttlSeconds);
  const row = (id: string, gen: string, seconds: string, left: string, owner: string, props: string) =>
    `${id.padStart(16)} ${gen.padStart(generation)} ${seconds.padStart(ttl)} ${left.padStart(11)}  ${owner.padEnd(17)}  ${props}`;
  return [
    row("Service Id", "Gen", "TTL", "Orphan Tmo", "Owner", "Properties"),
    ...services.map((service) => {
      const { id, generation: gen, ttlSeconds, orphanSince, owner, properties } = service;
      const left = orphanSince === undefined ? "-" : secondsLeft(service, orphanSince, nowUnixSeconds).padStart(6);
      return row(hex(id), String(gen), String(ttlSeconds), left, hex(owner), formatProperties(properties));
    }),
  ];
}

/** `%-17x %-17x  %s` */
export function subscriptionRow({ id, client, filter }: SubscriptionState): string {
  const shown = filter === undefined ? "-" : printable(filter);
  return `${hex(id).padEnd(17)} ${hex(client).padEnd(17)}  ${shown}`;
}

export const clientsHeader = (protocolVersion: number): string =>
  protocolVersion >= 3 ? CLIENTS_HEADER_V3 : CLIENTS_HEADER_V2;

/** `%-16x  %-17s %-10s`, and in version 3 ` %-10s %-10s    %d` */
export function clientRow(client: ClientState, protocolVersion: number, nowUnixSeconds: number): string {
  const { id, address, connectedAt, idleSeconds, latencySeconds } = client;
  const uptime = formatUptime(nowUnixSeconds - connectedAt);
  const first = `${hex(id).padEnd(16)}  ${printable(address).padEnd(17)} ${uptime.padEnd(10)}`;
  if (protocolVersion < 3) return first;
  const idle = idleSeconds === undefined ? "-" : idleSeconds.toFixed(3);
  const latency = latencySeconds === undefined ? "-" : (latencySeconds * 1000).toFixed(1);
  return `${first} ${idle.padEnd(10)} ${latency.padEnd(10)}    ${client.protocolVersion ?? "-"}`;
}

/** As Python prints a time span: `0:00:05`, `1 day, 2:03:04`. */
export function formatUptime(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86_400);
  const two = (n: number) => String(n).padStart(2, "0");
  const clock = `${Math.floor(whole / 3600) % 24}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return days === 0 ? clock : `${days} day${days === 1 ? "" : "s"}, ${clock}`;
}

/** `{'name': 'a', 'n': 42}`: one pair per value. */
export function formatProperties(properties: Properties): string {
  const pairs: string[] = [];
  for (const [name, values] of properties) {
    for (const value of values) {
      pairs.push(`'${printable(name)}': ${typeof value === "bigint" ? value : `'${printable(value)}'`}`);
    }
  }
  return `{${pairs.join(", ")}}`;
}

/** The line for one match; `paint` may colour its type. */
export function matchLine(
  subscriptionId: bigint,
  match: Match,
  nowUnixSeconds: number,
  paint: (type: Match["type"]) => string = (type) => type,
): string {
  const parts = [`Match type: ${paint(match.type)}`];
  if (match.type === "disappeared") {
    parts.push(`Service id: ${hex(match.serviceId)}`);
  } else {
    const { service } = match;
    parts.push(`Service id: ${hex(service.id)}`, `Generation: ${service.generation}`, `TTL: ${service.ttlSeconds}`);
    if (service.orphanSince !== undefined) {
      parts.push(`Orphan: ${secondsLeft(service, service.orphanSince, nowUnixSeconds)} s until timeout`);
    }
    parts.push(`Client Id: 0x${hex(service.owner)}`, `Properties: ${formatProperties(service.properties)}`);
  }
  return `Subscription ${hex(subscriptionId)}: ${parts.join("; ")}`;
}

/** Until an orphan runs out, by this machine's clock; never below 0, though the server's clock may differ. */
export function secondsLeft(
  { ttlSeconds }: ServiceState,
  orphanSince: number,
  nowUnixSeconds: number,
  decimals = 1,
): string {
  return Math.max(0, orphanSince + Number(ttlSeconds) - nowUnixSeconds).toFixed(decimals);
}
