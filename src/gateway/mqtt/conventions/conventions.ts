/** The conventions that are configured, as the gateway uses them. */

import { BUILT_IN_TABLES } from "./built-in-tables.js";
import type { Convention, ConventionContext } from "./convention.js";
import { FilterBudget } from "./filter-budget.js";
import { HomeAssistant } from "./homeassistant.js";
import { Homie4 } from "./homie4.js";
import { Homie5 } from "./homie5.js";
import { LIMITS } from "./limits.js";
import { MappedConvention } from "./mapped.js";
import type { MappingTable } from "./mapping-table.js";
import { MergedDevices, type ServiceSink } from "./merged-devices.js";
import { Replay, type ReplayOptions } from "./replay.js";
import { Zigbee2Mqtt } from "./zigbee2mqtt.js";

/** `native` is not one of those here, but may stand in the same list (sd1, native/inbound.ts). */
export const CONVENTIONS = ["native", "homeassistant", "homie", "zigbee2mqtt", "tasmota", "esphome", "shelly"] as const;
export type ConventionName = (typeof CONVENTIONS)[number];

/** Values of `mqtt.conv` that no mapping may use. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([...CONVENTIONS, "homie4", "homie5"]);

export interface ConventionsOptions {
  readonly conventions: readonly ConventionName[];
  /** Topic prefixes. Defaults: `homeassistant`; `+` and `homie`; `zigbee2mqtt`. */
  readonly homeassistantPrefixes?: readonly string[];
  readonly homie5Domain?: string;
  readonly homie4Root?: string;
  readonly zigbee2mqttBases?: readonly string[];
  readonly mappings?: readonly MappingTable[];
  /** Values of `mqtt.conv` (`homie` for both of its versions) that count more than all others, the best first. */
  readonly precedence?: readonly string[];
}

/** What each convention is given, but for what is made here. */
export interface ConventionsContext extends Omit<ConventionContext, "devices" | "budget" | "replay">, ReplayOptions {
  readonly site: string;
  /** Where services go: `Publications`. */
  readonly sink: ServiceSink;
}

export interface Conventions {
  /** Each is to be given what is heard on its filters, and when the broker comes and goes. */
  readonly all: readonly Convention[];
  readonly devices: MergedDevices;
}

/** Throws a `MappingError` if a mapping cannot be used. */
export function conventions(options: ConventionsOptions, context: ConventionsContext): Conventions {
  const precedence = options.precedence?.flatMap((name) => (name === "homie" ? ["homie5", "homie4"] : [name]));
  const devices = new MergedDevices({ ...context, ...(precedence ? { precedence } : {}) });
  const each: ConventionContext = {
    ...context,
    devices,
    budget: new FilterBudget(LIMITS.filters),
    replay: new Replay(context),
    onFiltersChanged: (convention, added, removed) => context.onFiltersChanged(convention, added, removed),
  };
  const chosen = new Set(options.conventions);
  const all: Convention[] = [];
  if (chosen.has("homeassistant")) {
    for (const prefix of options.homeassistantPrefixes ?? ["homeassistant"]) all.push(new HomeAssistant(each, prefix));
  }
  if (chosen.has("homie")) {
    all.push(new Homie5(each, options.homie5Domain), new Homie4(each, options.homie4Root));
  }
  if (chosen.has("zigbee2mqtt")) {
    for (const base of options.zigbee2mqttBases ?? ["zigbee2mqtt"]) all.push(new Zigbee2Mqtt(each, base));
  }
  const tables = (["tasmota", "esphome", "shelly"] as const).flatMap((name) =>
    chosen.has(name) ? BUILT_IN_TABLES[name] : [],
  );
  for (const [at, table] of [...tables, ...(options.mappings ?? [])].entries()) {
    all.push(new MappedConvention(each, table, String(at).padStart(3, "0")));
  }
  return { all, devices };
}
