/** The names of all keys of the configuration, at any depth. */

import { configSchema } from "../../../src/daemon/config/schema.js";
import type { ReadableSchema } from "../../../src/daemon/config/schema-reader.js";

function keysOf(schema: ReadableSchema): string[] {
  const below = [
    ...Object.values(schema.properties ?? {}),
    ...Object.values(schema.patternProperties ?? {}),
    ...(schema.anyOf ?? []),
    ...(schema.items ? [schema.items] : []),
  ];
  return [...Object.keys(schema.properties ?? {}), ...below.flatMap(keysOf)];
}

export const KEYS: readonly string[] = [...new Set(keysOf(configSchema as ReadableSchema))];
