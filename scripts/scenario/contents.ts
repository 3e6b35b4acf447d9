/** What the services of a scenario look like, and which of them the consumers ask for: functions of key and version alone. */

import { type Properties, properties } from "../../src/core/properties.js";

const SHARDS = 4;

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x0100_0193);
  return value >>> 0;
}

const shard = (key: string): number => hash(key) % SHARDS;
/** Changes with the version, so that a service comes and goes for who asks for a range of it. */
const load = (key: string, version: number): number => hash(`${key} ${version >> 1}`) % 100;

/** `version` only ever rises in the life of a service. */
export const propertiesOf = (key: string, version: number): Properties =>
  properties({
    service: key,
    version,
    shard: shard(key),
    load: load(key, version),
    address: [`tcp:192.0.2.${hash(key) % 250}:${4000 + version}`, `ux:${key}`],
  });

/** The same text for the same properties. */
export function textOf(of: Properties): string {
  const entries = [...of].map(([name, values]) => [name, values.map((value) => `${typeof value} ${value}`).sort()]);
  return JSON.stringify(entries.sort(([a], [b]) => (a! < b! ? -1 : 1)));
}

export interface Filter {
  readonly text: string | undefined;
  matches(key: string, version: number): boolean;
}

export const FILTERS: readonly Filter[] = [
  { text: undefined, matches: () => true },
  { text: "(&(service=*)(version>-1))", matches: () => true },
  { text: "(|(shard=0)(shard=2))", matches: (key) => shard(key) % 2 === 0 },
  { text: "(load>49)", matches: (key, version) => load(key, version) > 49 },
];
