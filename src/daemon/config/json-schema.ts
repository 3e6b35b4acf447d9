/**
 * The configuration's schema as editors take it: JSON Schema draft-07, the newest that yaml-language-server handles in
 * full. It is stricter than the reader where YAML lets one say a thing in several ways (no `null` for an absent key, no
 * `yes` for `true`), and more lenient where JSON Schema cannot say it (addresses, names used twice, min above max).
 */

import { configSchema } from "./schema.js";
import type { ReadableSchema } from "./schema-reader.js";

/** The keywords of schema.ts that are passed on as they are, in this order. */
const PASSED_ON = [
  ...["description", "deprecated", "type", "const", "enum", "default", "examples"],
  ...["minimum", "maximum", "minLength", "maxLength", "pattern", "minItems", "maxItems", "maxProperties"],
  ...["additionalProperties", "oneOf", "not", "dependencies"],
];

type Json = Record<string, unknown>;

/** The whole schema, ready for `JSON.stringify`. */
export function editorSchema(): Json {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Configuration of pafd",
    ...exported(configSchema as ReadableSchema),
  };
}

function exported(schema: ReadableSchema): Json {
  const result: Json = {};
  for (const keyword of PASSED_ON) {
    const value = (schema as Json)[keyword];
    if (value !== undefined) result[keyword] = value;
  }
  const { anyOf, items, properties, patternProperties, required } = schema;
  if (anyOf) result.anyOf = anyOf.map(exported);
  if (items) result.items = exported(items);
  if (patternProperties) {
    result.patternProperties = each(patternProperties);
    result.additionalProperties = false;
  }
  if (properties) {
    result.properties = each(properties);
    // What has a default may be left out, though the type after reading always has it.
    const needed = required?.filter((key) => properties[key].default === undefined) ?? [];
    if (needed.length > 0) result.required = needed;
  }
  return result;
}

const each = (schemas: Readonly<Record<string, ReadableSchema>>): Json =>
  Object.fromEntries(Object.entries(schemas).map(([key, schema]) => [key, exported(schema)]));
