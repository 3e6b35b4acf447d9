/** The three tables of `top`, column by column. */

import type { ClientState, SubscriptionState } from "../../client/session.js";
import { hex } from "../ids.js";
import { formatUptime, secondsLeft } from "../tables.js";
import { type Column, Pane, type Source } from "./pane.js";
import type { ServiceRow } from "./services.js";

export const PANE_NAMES = ["services", "subscriptions", "clients"] as const;
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

export type Panes = readonly [Pane<ServiceRow>, Pane<SubscriptionState>, Pane<ClientState>];

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
  ];
}
