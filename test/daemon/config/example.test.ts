/** build/pafd.conf is the example that the schema gives, right in itself and in all that it shows as examples. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadConfig } from "../../../src/daemon/config/config.js";
import { exampleConfig } from "../../../src/daemon/config/example.js";
import { root } from "../../support/root.js";
import { exampleInForce } from "./example-in-force.js";
import { KEYS } from "./keys.js";

const example = exampleConfig();

test("build/pafd.conf is what the schema gives (if not: dist/pafd --print-example > build/pafd.conf)", () => {
  assert.is(readFileSync(join(root, "build/pafd.conf"), "utf8"), example);
});

test("the example is right as it stands", () => {
  const config = loadConfig(example, "example");
  assert.is(config.domains.length, 1);
  assert.is(config.domains[0].sockets.length, 2);
  assert.equal(
    config.gateways.map(({ type }) => type),
    ["mdns", "mqtt"],
  );
});

test("the lines that it shows as examples are right too", () => {
  const config = loadConfig(exampleInForce(), "example");
  assert.is(config.domains[0].sockets.length, 4);
  assert.is(config.domains[0].sockets[3].tls?.crl, "/etc/pafd/crl.pem");
  assert.is(config.domains[0].sockets[3].user, "uid");
  assert.is(config.log.file, "/var/log/pafd.log");
  const [mdns, mqtt, federation] = config.gateways;
  assert.ok(mdns.type === "mdns" && mqtt.type === "mqtt" && federation.type === "federation");
  assert.is(federation.options.board, "attic");
  assert.equal(mdns.options.interfaces, ["eth0", "wlan0"]);
  assert.is(mqtt.options.passwordFile, "/etc/pafd/broker-pw");
  assert.is(mqtt.options.tls?.key, "/etc/pafd/client.key");
  assert.equal(mqtt.options.onLossOfKind, { sensor: "orphan" });
});

test("it explains every key, and fits 120 columns", () => {
  const words = new Set(example.match(/[a-z_]+/g));
  assert.equal(
    KEYS.filter((key) => !words.has(key)),
    [],
  );
  for (const line of example.split("\n")) assert.ok(line.length <= 120, line);
});

test.run();
