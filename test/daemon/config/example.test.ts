import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadConfig } from "../../../src/daemon/config/config.js";
import { configSchema } from "../../../src/daemon/config/schema.js";
import type { ReadableSchema } from "../../../src/daemon/config/schema-reader.js";

const ROOT = process.env.PATHFINDER_EDGE_ROOT ?? ".";
const read = (name: string) => readFileSync(join(ROOT, name), "utf8");

/** The names of all keys of the schema, at any depth. */
function keysOf(schema: ReadableSchema): string[] {
  const below = [
    ...Object.values(schema.properties ?? {}),
    ...Object.values(schema.patternProperties ?? {}),
    ...(schema.anyOf ?? []),
    ...(schema.items ? [schema.items] : []),
  ];
  return [...Object.keys(schema.properties ?? {}), ...below.flatMap(keysOf)];
}
const KEYS = [...new Set(keysOf(configSchema as ReadableSchema))];

/** The example with its optional lines in force: `# key:` and `# - value` become `key:` and `- value`. */
const withExamples = (text: string) => text.replace(/^( +)# (?=( *)(- |[a-z_]+:))/gm, "$1");

test("build/pafd.conf is right as it stands", () => {
  const config = loadConfig(read("build/pafd.conf"), "build/pafd.conf");
  assert.is(config.domains.length, 1);
  assert.equal(
    config.gateways.map(({ type }) => type),
    ["mdns", "mqtt"],
  );
});

test("the lines that build/pafd.conf shows as examples are right too", () => {
  const text = withExamples(read("build/pafd.conf")).replace("mqtt://localhost", "mqtts://localhost");
  const config = loadConfig(text, "build/pafd.conf");
  assert.is(config.domains[0].sockets.length, 4);
  assert.is(config.domains[0].sockets[3].tls?.crl, "/etc/pafd/crl.pem");
  assert.is(config.log.file, "/var/log/pafd.log");
  const [mdns, mqtt] = config.gateways;
  assert.ok(mdns.type === "mdns" && mqtt.type === "mqtt");
  assert.equal(mdns.options.interfaces, ["eth0"]);
  assert.is(mqtt.options.passwordFile, "/etc/pafd/mqtt-password");
  assert.is(mqtt.options.tls?.key, "/etc/pafd/client.key");
  assert.equal(mqtt.options.onLossOfKind, { sensor: "orphan" });
});

for (const file of ["build/pafd.conf", "build/man/pafd.conf.5"]) {
  test(`${file} explains every key`, () => {
    const words = new Set(read(file).match(/[a-z_]+/g));
    assert.equal(
      KEYS.filter((key) => !words.has(key)),
      [],
    );
  });
}

test("the example of build/man/pafd.conf.5 is right", () => {
  const example = /^\.SH EXAMPLE\n\.EX\n(.*?)^\.EE/ms.exec(read("build/man/pafd.conf.5"))?.[1] ?? "";
  assert.is(loadConfig(example, "example").gateways.length, 2);
});

test("build/man/pafd.8 explains every option of --help", async () => {
  const { pafdHelp } = await import("../../../src/daemon/options.js");
  const page = read("build/man/pafd.8").replaceAll("\\-", "-");
  for (const [, option] of pafdHelp().matchAll(/^ +(?:-[a-z], )?(--[a-z-]+)/gm)) {
    assert.match(page, new RegExp(`${option}\\b`));
  }
});

test.run();
