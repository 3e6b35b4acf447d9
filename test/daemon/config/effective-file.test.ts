/** What `pafd --print-config` prints is read again with the same result, and tells no secret. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { type Config, DEFAULT_CONFIG, loadConfig } from "../../../src/daemon/config/config.js";
import { demoConfig } from "../../../src/daemon/config/demo.js";
import { effectiveFile } from "../../../src/daemon/config/effective-file.js";
import { exampleConfig } from "../../../src/daemon/config/example.js";
import { configSchema } from "../../../src/daemon/config/schema.js";
import type { ReadableSchema } from "../../../src/daemon/config/schema-reader.js";
import { DOMAIN, mqtt, RIGHT } from "./cases.js";
import { exampleInForce } from "./example-in-force.js";

const again = (config: Config) => loadConfig(effectiveFile(config), "printed");

for (const [text] of RIGHT.filter(([text]) => !text.includes("password:"))) {
  test(`${JSON.stringify(text)} printed is the same again`, () => {
    const config = loadConfig(text, "f");
    assert.equal(again(config), config);
  });
}

test("the defaults, the demo and the example too", () => {
  for (const config of [DEFAULT_CONFIG, demoConfig(), loadConfig(exampleConfig(), "example")]) {
    assert.equal(again(config), config);
  }
});

test("texts that YAML would take for something else stay what they are", () => {
  const names = [
    "yes",
    "~",
    "null",
    "1e3",
    "0x10",
    "007",
    "- a",
    "a: b",
    "#x",
    " x ",
    "'",
    '"',
    "*a",
    "&a",
    "!x",
    "{a",
  ];
  const odd = [
    ...names,
    "%a",
    "@a",
    "`a",
    "|",
    ">",
    "?",
    "...",
    "---",
    "é\u2028\u202e",
    "\ud83d\ude00",
    "a\\n\tb",
    "\x07",
  ];
  for (const name of odd) {
    const text = `domains: [{name: ${JSON.stringify(name)}, sockets: []}]\nlog: {log_file: ${JSON.stringify(name)}}`;
    const config = loadConfig(text, "f");
    assert.is(config.domains[0].name, name);
    assert.equal(again(config), config);
  }
});

test("a kind of device named like something of JavaScript's own stays what it is", () => {
  const config = loadConfig(mqtt("kinds: {__proto__: {on_will: orphan}, constructor: {on_will: withdraw}}"), "f");
  const [gateway] = again(config).gateways;
  assert.ok(gateway.type === "mqtt");
  assert.equal(Object.entries(gateway.options.onLossOfKind ?? {}), [
    ["__proto__", "orphan"],
    ["constructor", "withdraw"],
  ]);
});

test("a password is left out, with a comment in its place; the rest can be read again", () => {
  const text = `${DOMAIN}gateways:
  - {type: mqtt, url: "mqtt://a", user: u, password: hunter2}
  - {type: mqtt, url: "mqtt://b", user: u, password_file: /etc/p}
`;
  const printed = effectiveFile(loadConfig(text, "f"));
  assert.not.match(printed, /hunter2/);
  assert.match(printed, /^ {4}# password: \(given, but not shown\)$/m);
  assert.is(printed.split("not shown").length, 2);
  assert.equal(loadConfig(printed, "f"), loadConfig(text.replace(", password: hunter2", ""), "f"));
});

/** The keys of `value` stand in the order of the schema. */
function checkOrder(value: unknown, schema: ReadableSchema, path: string): void {
  if (Array.isArray(value)) {
    for (const [i, element] of value.entries()) checkOrder(element, schema.items ?? {}, `${path}[${i}]`);
  } else if (typeof value === "object" && value !== null) {
    const keys = Object.keys(value);
    const { type } = value as { type?: string };
    const mappings = (schema.anyOf ?? [schema]).filter(({ properties }) => properties);
    const chosen = mappings.find(({ properties }) => type === undefined || properties?.type.const === type);
    if (!chosen) return; // free keys
    const known = chosen.properties ?? {};
    const inOrder = Object.keys(known).filter((key) => keys.includes(key));
    assert.equal(keys, inOrder, path);
    for (const [key, below] of Object.entries(value)) checkOrder(below, known[key], `${path}.${key}`);
  }
}

test("keys stand in the schema's order, in whatever order options and file gave them", () => {
  const config = loadConfig(exampleInForce(), "f");
  const { resources } = loadConfig("resources: {user: {subscriptions: 1, clients: 2}}", "f");
  const reordered = { ...resources, total: { services: 1, clients: 2 } };
  for (const printed of [config, { ...config, resources: reordered }]) {
    checkOrder(parse(effectiveFile(printed)), configSchema as ReadableSchema, "");
  }
});

test.run();
