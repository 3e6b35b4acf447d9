/**
 * How the gateways of a domain are doing. Each publishes a service that tells of itself: `src` is `gateway:` and its
 * host, then `host`, `name`, `gateway` (its kind), `state`, `time`, `count.NAME`, `dropped.REASON`, `error` and `error.time`.
 * Anybody can publish such a service, so whatever is of another type is as if it were not there.
 */

import type { ServiceState } from "../core/directory-access.js";
import { printable } from "../core/printable.js";
import { hex } from "./ids.js";
import type { Json } from "./json.js";
import { formatUptime } from "./tables.js";

export const GATEWAYS_FILTER = "(src=gateway:*)";

export interface Gateway {
  readonly id: bigint;
  readonly host?: string;
  /** Of all gateways of its host; a kind and a peer, as in `mqtt localhost:1883`. */
  readonly name?: string;
  readonly kind?: string;
  readonly state?: string;
  /** When it was like this, in seconds since the UNIX epoch; it is told anew only when something else has changed. */
  readonly time?: bigint;
  /** The program that ran it has gone; the rest is what it told last. */
  readonly isOrphan: boolean;
  readonly counts: ReadonlyMap<string, bigint>;
  /** Announcements that it did not pass on, by reason. */
  readonly dropped: ReadonlyMap<string, bigint>;
  readonly error?: string;
  /** Of the last error, in seconds since the UNIX epoch. */
  readonly errorTime?: bigint;
}

/** By host and name. */
export function gatewaysOf(services: readonly ServiceState[]): Gateway[] {
  const place = ({ host = "", name = "" }: Gateway) => `${host}\0${name}`;
  return services
    .map(gatewayOf)
    .map((gateway) => ({ gateway, place: place(gateway) }))
    .sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0))
    .map(({ gateway }) => gateway);
}

/** What GATEWAYS_FILTER says, for services that are at hand. */
export function isGateway({ properties }: ServiceState): boolean {
  return properties.get("src")?.some((value) => typeof value === "string" && value.startsWith("gateway:")) ?? false;
}

export function gatewayOf({ id, properties, orphanSince }: ServiceState): Gateway {
  const text = (name: string) => properties.get(name)?.find((value): value is string => typeof value === "string");
  const integer = (name: string) => properties.get(name)?.find((value): value is bigint => typeof value === "bigint");
  const integers = (prefix: string) => {
    const found = new Map<string, bigint>();
    for (const name of properties.keys()) {
      const value = integer(name);
      if (name.startsWith(prefix) && value !== undefined) found.set(name.slice(prefix.length), value);
    }
    return found;
  };
  const told = {
    host: text("host") ?? text("src")?.slice("gateway:".length),
    name: text("name"),
    kind: text("gateway"),
    state: text("state"),
    time: integer("time"),
    error: text("error"),
    errorTime: integer("error.time"),
  };
  const known = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
  const [counts, dropped] = [integers("count."), integers("dropped.")];
  return { id, isOrphan: orphanSince !== undefined, counts, dropped, ...known };
}

/** One member for each thing that is told; what a gateway does not tell is absent. */
export function gatewayJson({
  id,
  host,
  name,
  kind,
  state,
  time,
  isOrphan,
  counts,
  dropped,
  error,
  errorTime,
}: Gateway): Json {
  return {
    id: hex(id),
    ...(host === undefined ? {} : { host }),
    ...(name === undefined ? {} : { name }),
    ...(kind === undefined ? {} : { gateway: kind }),
    ...(state === undefined ? {} : { state }),
    ...(time === undefined ? {} : { time }),
    orphan: isOrphan,
    counts,
    dropped,
    ...(error === undefined ? {} : { error }),
    ...(errorTime === undefined ? {} : { errorTime }),
  };
}

/** Gateways are asked every 10 s. */
const AGE_SHOWN_SECONDS = 15;

const TITLES = ["Host", "Gateway", "State", "Counts", "Dropped"] as const;
const NONE = [
  "There is no gateway in this domain: no pafd with gateways in its configuration publishes into it,",
  "so nothing comes in from or goes out to mDNS, MQTT or other domains.",
];

/** A table, in which an error follows its gateway; or what it means that there is none. Safe for a terminal. */
export function gatewayLines(gateways: readonly Gateway[], nowUnixSeconds: number): string[] {
  if (gateways.length === 0) return NONE;
  const cells = gateways.map((gateway) => [
    shown(gateway.host),
    shown(gateway.name ?? gateway.kind),
    `${stateText(gateway)}${ageText(gateway, nowUnixSeconds)}`,
    numbers(gateway.counts),
    numbers(gateway.dropped),
  ]);
  const widths = TITLES.map((title, i) => cells.reduce((most, row) => Math.max(most, row[i].length), title.length));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join("  ")
      .trimEnd();
  return [line(TITLES), ...gateways.flatMap((gateway, i) => [line(cells[i]), ...errorLines(gateway, nowUnixSeconds)])];
}

/** Without its age. Safe for a terminal. */
export function stateText({ state, isOrphan }: Gateway): string {
  return `${shown(state)}${isOrphan ? ", orphan" : ""}`;
}

/** How old the line is, unless it is as new as lines can be. */
function ageText({ time }: Gateway, nowUnixSeconds: number): string {
  const seconds = time === undefined ? 0 : nowUnixSeconds - Number(time);
  return seconds > AGE_SHOWN_SECONDS ? `, told ${formatUptime(seconds)} ago` : "";
}

/** Safe for a terminal. */
export const shown = (text: string | undefined): string => (text === undefined || text === "" ? "-" : printable(text));

/** Names and numbers. Safe for a terminal. */
export function numbers(of: ReadonlyMap<string, bigint>): string {
  return of.size === 0 ? "-" : [...of].map(([name, value]) => `${printable(name)} ${value}`).join(", ");
}

function errorLines({ error, errorTime }: Gateway, nowUnixSeconds: number): string[] {
  if (error === undefined || error === "") return [];
  const age = errorTime === undefined ? "" : ` ${formatUptime(nowUnixSeconds - Number(errorTime))} ago`;
  return [`  last error${age}: ${printable(error)}`];
}
