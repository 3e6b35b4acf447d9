/** Two real servers at one broker, each with its own directory; one of them is killed. Nothing is simulated. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { Mosquitto, mosquittoSuite } from "../../../peers/mosquitto.js";
import { Pafd } from "../../../support/pafd.js";
import { Site } from "./site.js";

const { test, check } = mosquittoSuite("native convention: real servers");

const open: { end(): Promise<void> | void }[] = [];
test.after.each(async () => {
  for (const one of open.splice(0).reverse()) await one.end();
});

check(
  "configured by file: one answers and mirrors; when it is killed the other does; SIGTERM says goodbye",
  async () => {
    const mosquitto = await Mosquitto.started();
    open.push(mosquitto);
    const folder = mkdtempSync(join(tmpdir(), "paf-native-"));
    open.push({ end: () => rmSync(folder, { recursive: true, force: true }) });
    const servers = new Map<string, Pafd>();
    for (const [name, priority] of [
      ["attic", 20],
      ["cellar", 10],
    ] as const) {
      const file = join(folder, `${name}.yaml`);
      writeFileSync(
        file,
        `domains: [{name: home, sockets: ["uxf:${folder}/${name}.sock"]}]
log: {console: true, syslog: false}
gateways:
  - type: mqtt
    url: mqtt://${mosquitto.host}:${mosquitto.port}
    client_id: ${name}
    presence: {name: ${name}, priority: ${priority}, directory: own}
    mirror: [{filter: (kind=*), kind: "x-\${kind}", order: [room, "*"]}]
    queries: {filter: "(!(secret=*))"}
    max_packet: 128
`,
      );
      const server = new Pafd(["-f", file]);
      servers.set(name, server);
      open.push({ end: () => server.kill() });
    }
    const site = new Site();
    open.push(site);
    for (const server of servers.values()) {
      await server.says("2 gateways here; acting: attic");
    }
    const observer = await site.observer(mosquitto);
    const lamp = await site.device(mosquitto, { device: "lamp1", bufferBytes: 128 });
    lamp.announce("lamp;600;zone=1;room=kitchen");
    const hidden = await site.device(mosquitto, { device: "hidden", bufferBytes: 128 });
    hidden.announce("valve;600;secret=1");
    await observer.until("both mirrors", () => observer.kept("sd1/m/").size === 2);
    const [topic, payload] = [...observer.kept("sd1/m/x-lamp/")][0];
    assert.match(payload, /^\d{13};600;room=kitchen;zone=1$/);
    assert.is((await lamp.ask("(k=*)", 8)).length, 1);

    servers.get("attic")!.child.kill("SIGKILL");
    await observer.until("its will", () => observer.kept("sd1/g/").get("sd1/g/attic") === "0");
    const cellar = servers.get("cellar")!;
    await cellar.says("1 gateway here; acting: cellar");
    lamp.announce("lamp;600;zone=2;room=kitchen");
    await observer.until("the change", () => observer.kept("sd1/m/").get(topic)?.endsWith("zone=2") ?? false);
    assert.match((await lamp.ask("(k=x-lamp)", 8))[0], /;x-lamp;600;room=kitchen;zone=2$/);
    assert.not.match(cellar.log, /ERROR|WARNING/);
    cellar.child.kill("SIGTERM");
    await observer.until("its goodbye", () => observer.kept("sd1/g/").get("sd1/g/cellar") === "0");
  },
);

test.run();
