/** The keys of schema-mqtt-conventions.ts as the gateway's options, and back. */

import type { ConventionName, ConventionsOptions } from "../../gateway/mqtt/conventions/conventions.js";
import type { MappingTable, PropertyRule } from "../../gateway/mqtt/conventions/mapping-table.js";

export interface TableInFile {
  readonly name: string;
  readonly announce: string;
  readonly format: "json" | "text";
  readonly needs?: readonly string[];
  readonly id?: string;
  readonly properties: unknown;
  readonly presence?: {
    readonly topic: string;
    readonly pointer?: string;
    readonly up: string;
    readonly down: string;
    readonly replace?: unknown;
  };
  readonly asleep?: string;
  readonly sleep_ttl: number;
  readonly ttl?: number;
  readonly ttl_intervals?: number;
  readonly kept: boolean;
  readonly ask?: { readonly topic: string; readonly payload: string };
}

/** What of a gateway's mapping these keys are. */
export interface ConventionsInFile {
  readonly conventions: readonly ConventionName[];
  readonly homeassistant_prefixes: readonly string[];
  readonly homie_domain: string;
  readonly homie_root?: string;
  readonly zigbee_bases: readonly string[];
  readonly mappings?: readonly TableInFile[];
  readonly precedence?: readonly string[];
}

/** Nothing if only the native convention is read, as by default. */
export function conventionsOptions(gateway: ConventionsInFile): { readonly conventions?: ConventionsOptions } {
  const { conventions, mappings = [] } = gateway;
  if (conventions.length === 1 && conventions[0] === "native" && mappings.length === 0) return {};
  const options: ConventionsOptions = {
    conventions,
    homeassistantPrefixes: gateway.homeassistant_prefixes,
    homie5Domain: gateway.homie_domain,
    ...(gateway.homie_root === undefined ? {} : { homie4Root: gateway.homie_root }),
    zigbee2mqttBases: gateway.zigbee_bases,
    mappings: mappings.map(tableOf),
    ...(gateway.precedence === undefined ? {} : { precedence: gateway.precedence }),
  };
  return { conventions: options };
}

/** The keys of the file for these options: what `conventionsOptions` reads, the other way round. */
export function conventionsFileKeys(options: ConventionsOptions | undefined) {
  return {
    conventions: options?.conventions,
    homeassistant_prefixes: options?.homeassistantPrefixes,
    homie_domain: options?.homie5Domain,
    homie_root: options?.homie4Root,
    zigbee_bases: options?.zigbee2mqttBases,
    precedence: options?.precedence,
    mappings: options?.mappings?.map(({ name, announce, format, needs, id, properties, presence, ...table }) => ({
      ...{ name, announce, format, needs, id, properties },
      presence: presence && {
        topic: presence.topic,
        pointer: presence.pointer,
        up: presence.up,
        down: presence.down,
        replace: presence.replace,
      },
      asleep: table.asleep,
      sleep_ttl: table.sleepTtl,
      ttl: table.ttl,
      ttl_intervals: table.ttlIntervals,
      kept: table.kept,
      ask: table.ask,
    })),
  };
}

/** The reader gives records as maps. */
const record = <T>(from: unknown): Readonly<Record<string, T>> =>
  Object.fromEntries([...(from as ReadonlyMap<string, T>)].filter(([, value]) => value !== undefined));

export function tableOf({ sleep_ttl, ttl_intervals, properties, presence, ...table }: TableInFile): MappingTable {
  const rules = Object.entries(record<string | { value: string; map: unknown }>(properties)).map(
    ([name, rule]): [string, PropertyRule] => [
      name,
      typeof rule === "string" ? rule : { value: rule.value, map: record<string>(rule.map) },
    ],
  );
  const { replace, ...shown } = presence ?? {};
  return {
    ...table,
    properties: Object.fromEntries(rules),
    sleepTtl: sleep_ttl,
    ...(ttl_intervals === undefined ? {} : { ttlIntervals: ttl_intervals }),
    ...(presence ? { presence: { ...presence, ...shown, ...presenceReplace(replace) } } : {}),
  } as MappingTable;
}

const presenceReplace = (replace: unknown) => (replace === undefined ? {} : { replace: record<string>(replace) });
