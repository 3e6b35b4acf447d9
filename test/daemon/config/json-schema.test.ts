/** The schema for editors says the same as the reader, as far as JSON Schema can; held against a validator of its own. */

import { spawnSync } from "node:child_process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { exampleConfig } from "../../../src/daemon/config/example.js";
import { editorSchema } from "../../../src/daemon/config/json-schema.js";
import { RIGHT, WRONG } from "./cases.js";

const schema = editorSchema();

/** The schemas within a schema, itself included. */
function within(part: unknown): Record<string, unknown>[] {
  if (typeof part !== "object" || part === null) return [];
  const { properties = {}, patternProperties = {}, anyOf = [], items } = part as Record<string, object>;
  const below = [...Object.values(properties), ...Object.values(patternProperties), ...Object.values(anyOf), items];
  return [part as Record<string, unknown>, ...below.flatMap(within)];
}

test("it has keywords of draft-07 only, and describes every key", () => {
  const standard = [
    ...["$schema", "title", "description", "deprecated", "default", "examples", "type", "const", "enum", "minimum"],
    ...["maximum", "minLength", "maxLength", "pattern", "minItems", "maxItems", "maxProperties", "required", "items"],
    ...["properties", "patternProperties", "additionalProperties", "anyOf", "oneOf", "not", "dependencies"],
  ];
  for (const part of within(schema)) {
    assert.equal(
      Object.keys(part).filter((keyword) => !standard.includes(keyword)),
      [],
    );
    for (const [key, below] of Object.entries((part.properties ?? {}) as Record<string, object>)) {
      assert.ok("description" in below || "const" in below, key);
    }
  }
});

test("what has a default is not required", () => {
  for (const part of within(schema)) {
    const properties = (part.properties ?? {}) as Record<string, object>;
    for (const key of (part.required ?? []) as string[]) assert.not("default" in properties[key], key);
  }
  assert.not("required" in schema);
});

test("it is JSON, and names no host but the one in the name of the draft", () => {
  const text = JSON.stringify(schema);
  assert.equal(JSON.parse(text), schema);
  assert.equal(text.match(/https?:\/\/[^"#]*/g), ["http://json-schema.org/draft-07/schema"]);
});

/** Says of each document on standard input whether the schema takes it. */
const VALIDATOR = `
import json, sys
from jsonschema import Draft7Validator
schema, documents = json.load(sys.stdin)
Draft7Validator.check_schema(schema)
validator = Draft7Validator(schema)
json.dump([validator.is_valid(document) for document in documents], sys.stdout)
`;

/** Whether each text is right by the schema. */
function validate(texts: readonly string[]): boolean[] {
  const documents = texts.map((text) => parse(text, { logLevel: "silent", uniqueKeys: false }) ?? null);
  const { status, stdout, stderr } = spawnSync("python3", ["-c", VALIDATOR], {
    input: JSON.stringify([schema, documents]),
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as boolean[];
}

const missing = spawnSync("python3", ["-c", "import jsonschema"]).status !== 0;
if (missing)
  console.log("skipped: the schema for editors against a validator (Debian package python3-jsonschema is missing)");
const validated = missing ? test.skip : test;

validated("the example is right by it", () => assert.equal(validate([exampleConfig()]), [true]));

/** Right for the reader and wrong in an editor: other ways to write `true`, or that a key is absent. */
const STRICTER = /: ~|^domains:$|\byes\b|\bOff\b/;

validated("what the reader takes, it takes", () => {
  const texts = RIGHT.map(([text]) => text).filter((text) => !STRICTER.test(text) || text.includes("name: yes"));
  const right = validate(texts);
  assert.equal(
    texts.filter((_, i) => !right[i]),
    [],
  );
});

/** What JSON Schema cannot say, by the reader's message. */
const BEYOND =
  /address "|is also the (address|name)|the same|is not a transport|as the same board|name of a domain file|is (above|below)|is not a service type|broker "|without TLS|is not a port|unknown transport|broker \.|1e1|root topic|site "|not the name of|and there (is|are)|4\.0|not valid YAML|filter "|\.filter: .|template "|publish\[0\]\.(type|port): "|one topic level|a built-in convention|neither a convention nor|mappings\[0\]\.(announce|id|prop|pres)/;

validated("what the reader refuses, it refuses, unless that is beyond JSON Schema", () => {
  const cases = WRONG.filter(([, message]) => !BEYOND.test(message.replaceAll("\\", "")));
  const right = validate(cases.map(([text]) => text));
  assert.equal(
    cases.filter((_, i) => right[i]),
    [],
  );
  assert.ok(cases.length > 60, `${cases.length} of ${WRONG.length}`);
});

test.run();
