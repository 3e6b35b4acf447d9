/**
 * Several gateways and one directory: nobody withdraws what another one publishes, whether it was cut off from the broker
 * or a device went over to the broker of another one. Both where the directory is in this process and where it is not.
 */

import * as assert from "uvu/assert";
import { attachDirectory } from "../../../../src/client/attach.js";
import type { Directory, ServiceState } from "../../../../src/core/directory-access.js";
import { ENV, RestartableServer } from "../../../client/attached.js";
import { Mosquitto } from "../../../peers/mosquitto.js";
import { endSoon } from "../../../support/transport-peers.js";
import { brokerSiteSuite } from "./broker-site.js";
import { Road } from "./road.js";
import type { Site } from "./site.js";

const { test, check, open, start } = brokerSiteSuite("several gateways, one directory");
test.after(endSoon);

type Access = Directory & { close(): void };

/** Where the gateways' services are, and what has become of the one of lamp1. */
interface Place {
  access(): Access;
  /** The latest state of lamp1, and how often it disappeared. */
  lamp(): { readonly state: ServiceState | undefined; readonly gone: number };
}

function follow(directory: Directory): Place["lamp"] {
  let state: ServiceState | undefined;
  let gone = 0;
  directory.subscribe("(mqtt.device=lamp1)", (match) => {
    if (match.type === "disappeared") gone++;
    state = match.type === "disappeared" ? undefined : match.service;
  });
  return () => ({ state, gone });
}

const PLACES: Readonly<Record<string, (site: Site) => Promise<Place>>> = {
  "in this process": async (site) => {
    return { access: () => site.directory(), lamp: follow(site.directory("observer")) };
  },
  "attached to": async () => {
    const server = await RestartableServer.start();
    const opened: Access[] = [];
    const access = () => {
      const directory = attachDirectory({ servers: [{ address: server.address }] }, { env: ENV });
      opened.push(directory);
      return directory;
    };
    open.push({
      async end() {
        for (const directory of opened) directory.close();
        server.stop();
      },
    });
    return { access, lamp: follow(access()) };
  },
};

for (const [where, place] of Object.entries(PLACES)) {
  check(`directory ${where}: a gateway that is cut off for longer than a TTL takes nothing away`, async () => {
    const { mosquitto, site, url } = await start();
    const { access, lamp } = await place(site);
    const road = await Road.to(mosquitto.port);
    open.push({ end: async () => road.close() });
    const [mine, other] = [access(), access()];
    const presence = (name: string, priority: number) => ({ clientId: name, presence: { name, priority } });
    const main = site.gateway({ url: road.url, ...presence("main", 20) }, { directory: mine });
    const spare = site.gateway({ url, ...presence("spare", 5) }, { directory: other });
    await spare.logged(/2 gateways here; acting: main/);
    const device = await site.device(mosquitto, { device: "lamp1" });
    device.announce("lamp;60");
    await site.passing("lamp1 is there", () => lamp().state !== undefined);
    assert.is((await mine.find(lamp().state!.id))?.owner, mine.clientId);
    road.cut();
    await spare.logged(/1 gateway here; acting: spare/);
    // Two TTLs and the settling time: the one that is cut off gives its device up in this time, or later where this
    // process stands still (on a loaded machine), for that is nobody's silence.
    for (let n = 0; n < 12 || (main.gateway.state().counts.owned! > 0 && n < 60); n++) {
      device.announce("lamp;60");
      await site.passes(15_000);
    }
    assert.is(main.gateway.state().counts.owned, 0, "it has given up");
    const id = lamp().state!.id;
    assert.is((await other.find(id))?.owner, other.clientId);
    road.open();
    await spare.logged(/2 gateways here; acting: main/, 2);
    for (let n = 0; n < 6; n++) {
      device.announce("lamp;60");
      await site.passes(15_000);
    }
    assert.is((await mine.find(id))?.owner, mine.clientId, "and has it back");
    assert.is((await mine.find(id))?.orphanSince, undefined);
    assert.is(lamp().gone, 0);
    device.leave();
    await site.passing("lamp1 is gone", () => lamp().gone === 1);
  });

  check(`directory ${where}: a device goes over to another broker, and back, and over again`, async () => {
    const { mosquitto, site, url } = await start();
    const second = await Mosquitto.started();
    open.push(second);
    const { access, lamp } = await place(site);
    const [left, right] = [access(), access()];
    const one = site.gateway({ url }, { directory: left });
    const two = site.gateway({ url: `mqtt://${second.host}:${second.port}` }, { directory: right });
    await one.logged(/: connected/);
    await two.logged(/: connected/);
    let before = await site.device(mosquitto, { device: "lamp1" });
    before.announce("lamp;600");
    await site.passing("lamp1 is there", () => lamp().state !== undefined);
    const { id } = lamp().state!;
    const owner = async () => (await left.find(id))?.owner;
    for (const [broker, directory] of [
      [second, right],
      [mosquitto, left],
      [second, right],
    ] as const) {
      const after = await site.device(broker, { device: "lamp1" });
      after.announce("lamp;600");
      before.die();
      await site.passes(5000); // less than the grace of the gateway that it left
      assert.is(await owner(), directory.clientId);
      before = after;
    }
    await site.passes(30_000);
    assert.is(await owner(), right.clientId);
    assert.is(lamp().gone, 0);
    before.die();
    await site.passing("lamp1 is gone", () => lamp().gone === 1);
  });

  check(
    `directory ${where}: what a broker has kept of a device takes nothing from the gateway that hears it`,
    async () => {
      const { mosquitto, site, url } = await start();
      const second = await Mosquitto.started();
      open.push(second);
      const { access, lamp } = await place(site);
      const [left, right] = [access(), access()];
      const two = site.gateway({ url: `mqtt://${second.host}:${second.port}` }, { directory: right });
      await two.logged(/: connected/);
      const device = await site.device(second, { device: "lamp1" });
      device.announce("lamp;86400;room=kitchen");
      await site.passing("lamp1 is there", () => lamp().state !== undefined);
      await mosquitto.publish("sd1/a/lamp1", "lamp;60;room=cellar", { retain: true });
      const one = site.gateway({ url }, { directory: left });
      await site.passing("it is known", () => one.gateway.state().counts.devices === 1);
      await site.passes(100_000); // what was kept is believed for a TTL
      const { state, gone } = lamp();
      assert.equal(
        [gone, state?.properties.get("room"), (await left.find(state!.id))?.owner],
        [0, ["kitchen"], right.clientId],
      );
    },
  );
}

test.run();
