/** The tables of `top`, column by column. */

import type { ClientState, SubscriptionState } from "../../client/session.js";
import { type Gateway, gatewayOf, isGateway, numbers, shown, stateText } from "../gateways.js";
import { hex } from "../ids.js";
import { formatUptime, secondsLeft } from "../tables.js";
import { type Column, Pane, type Source } from "./pane.js";
import type { ServiceRow } from "./services.js";

export const PANE_NAMES = ["services", "subscriptions", "clients", "gateways"] as const;
export type PaneName = (typeof PANE_NAMES)[number];

export interface Sources {
  readonly services: Source<ServiceRow>;
  readonly subscriptions: Source<SubscriptionState>;
  readonly clients: Source<ClientState>;
}

const SERVICES: readonly Column<ServiceRow>[] = [
  { title: "Service Id", width: 16, right: true, text: ({ service }) => hex(service.id), order: (r) => r.service.id },
  {
    title: "Gen",
    width: 4,
    right: true,
    text: ({ service }) => String(service.generation),
    order: ({ service }) => service.generation,
  },
  {
    title: "TTL",
    width: 4,
    right: true,
    text: ({ service }) => String(service.ttlSeconds),
    order: ({ service }) => service.ttlSeconds,
  },
  {
    title: "Orphan",
    width: 7,
    right: true,
    text: ({ service }, now) =>
      service.orphanSince === undefined ? "-" : secondsLeft(service, service.orphanSince, now, 0),
    order: ({ service }) =>
      service.orphanSince === undefined ? undefined : service.orphanSince + Number(service.ttlSeconds),
  },
  { title: "Owner", width: 16, text: ({ service }) => hex(service.owner), order: ({ service }) => service.owner },
  { title: "Properties", width: 0, text: (row) => row.properties, order: (row) => row.properties },
];

const SUBSCRIPTIONS: readonly Column<SubscriptionState>[] = [
  { title: "Subscription Id", width: 16, right: true, text: ({ id }) => hex(id), order: ({ id }) => id },
  { title: "Owner", width: 16, text: ({ client }) => hex(client), order: ({ client }) => client },
  { title: "Filter Expression", width: 0, text: ({ filter }) => filter ?? "-", order: ({ filter }) => filter },
];

const CLIENTS: readonly Column<ClientState>[] = [
  { title: "Client Id", width: 16, right: true, text: ({ id }) => hex(id), order: ({ id }) => id },
  {
    title: "Uptime",
    width: 8,
    right: true,
    text: ({ connectedAt }, now) => formatUptime(now - connectedAt),
    order: ({ connectedAt }) => -connectedAt,
  },
  {
    title: "Idle [s]",
    width: 9,
    right: true,
    text: ({ idleSeconds }) => idleSeconds?.toFixed(1) ?? "-",
    order: ({ idleSeconds }) => idleSeconds,
  },
  {
    title: "Latency [ms]",
    width: 13,
    right: true,
    text: ({ latencySeconds }) => (latencySeconds === undefined ? "-" : (latencySeconds * 1000).toFixed(1)),
    order: ({ latencySeconds }) => latencySeconds,
  },
  {
    title: "Ver",
    width: 4,
    right: true,
    text: ({ protocolVersion }) => String(protocolVersion ?? "-"),
    order: ({ protocolVersion }) => protocolVersion,
  },
  { title: "Remote Address", width: 0, text: ({ address }) => address, order: ({ address }) => address },
];

const GATEWAYS: readonly Column<Gateway>[] = [
  { title: "Host", width: 8, text: ({ host }) => shown(host), order: ({ host }) => host },
  {
    title: "Gateway",
    width: 16,
    text: ({ name, kind }) => shown(name ?? kind),
    order: ({ name, kind }) => name ?? kind,
  },
  { title: "State", width: 8, text: stateText, order: stateText },
  {
    title: "Told",
    width: 8,
    right: true,
    text: ({ time }, now) => (time === undefined ? "-" : formatUptime(now - Number(time))),
    order: ({ time }) => (time === undefined ? undefined : -time),
  },
  {
    title: "Dropped",
    width: 8,
    right: true,
    text: (gateway) => String(droppedBy(gateway)),
    order: droppedBy,
  },
  { title: "Counts And Errors", width: 0, text: gatewayText, order: gatewayText },
];

function droppedBy({ dropped }: Gateway): bigint {
  let sum = 0n;
  for (const count of dropped.values()) sum += count;
  return sum;
}

function gatewayText({ counts, dropped, error }: Gateway): string {
  const parts = [numbers(counts)];
  if (dropped.size > 0) parts.push(`dropped: ${numbers(dropped)}`);
  if (error) parts.push(`last error: ${shown(error)}`);
  return parts.join("; ");
}

/** Looked for in all services whenever one has changed, but only while the table is in sight. */
function* gatewaysIn(rows: Iterable<ServiceRow>): Iterable<Gateway> {
  for (const { service } of rows) if (isGateway(service)) yield gatewayOf(service);
}

export type Panes = readonly [Pane<ServiceRow>, Pane<SubscriptionState>, Pane<ClientState>, Pane<Gateway>];

/** In the order of PANE_NAMES. `sources` is asked again for each picture. */
export function makePanes(sources: Sources): Panes {
  return [
    new Pane(
      "Services",
      SERVICES,
      () => sources.services,
      (row) => row.searched,
    ),
    new Pane(
      "Subscriptions",
      SUBSCRIPTIONS,
      () => sources.subscriptions,
      ({ id, client, filter }) => `${hex(id)} ${hex(client)} ${filter ?? ""}`,
    ),
    new Pane(
      "Clients",
      CLIENTS,
      () => sources.clients,
      ({ id, address }) => `${hex(id)} ${address}`,
    ),
    new Pane(
      "Gateways",
      GATEWAYS,
      () => ({ rows: gatewaysIn(sources.services.rows), version: sources.services.version }),
      (gateway) => `${hex(gateway.id)} ${shown(gateway.host)} ${shown(gateway.name)} ${gatewayText(gateway)}`,
    ),
  ];
}
