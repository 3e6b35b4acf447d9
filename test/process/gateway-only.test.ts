/** Gateways in a pafd of their own, for a domain that another pafd serves; and one that tells how it is doing. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { attach } from "../../src/client/index.js";
import { MOSQUITTO_MISSING, Mosquitto } from "../peers/mosquitto.js";
import { type Pafd, runPafd, startPafd, withFolder } from "../support/pafd.js";
import { freshName, Watch } from "../support/transport-peers.js";

const test = suite("gateway-only");
if (MOSQUITTO_MISSING && process.env.CI === "true") throw new Error(`${MOSQUITTO_MISSING} is missing`);
const check: typeof test.skip = MOSQUITTO_MISSING ? test.skip : test;
if (MOSQUITTO_MISSING) console.log(`skipped: ${MOSQUITTO_MISSING} is not installed (apt install mosquitto)`);

const ends: (() => unknown)[] = [];
test.after.each(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const started = async (...args: string[]): Promise<Pafd> => {
  const pafd = await startPafd(args);
  ends.push(() => pafd.kill());
  return pafd;
};

/** What a client of the domain sees, as property lists by name. */
class Seen extends Watch {
  private readonly services = new Map<bigint, ReadonlyMap<string, readonly unknown[]>>();

  constructor(address: string) {
    super();
    const domain = attach({ servers: [{ address }] }, { env: { PAF_RECONNECT_MAX: "0.2" } });
    ends.push(() => domain.abandon());
    domain.subscribe(undefined, (match) => {
      if (match.type === "disappeared") this.services.delete(match.serviceId);
      else this.services.set(match.serviceId, match.properties);
      this.happened();
    });
  }

  find(name: string, value: string): ReadonlyMap<string, readonly unknown[]> | undefined {
    return [...this.services.values()].find((properties) => properties.get(name)?.includes(value));
  }

  shows(name: string, value: string): Promise<void> {
    return this.until(() => this.find(name, value) !== undefined, `a service with ${name}=${value}`);
  }

  gone(name: string, value: string): Promise<void> {
    return this.until(() => this.find(name, value) === undefined, `no service with ${name}=${value}`);
  }
}

check("a device of a broker appears in the domain of another pafd, also after that one was started again", async () => {
  await withFolder(async (folder) => {
    const mosquitto = await Mosquitto.started();
    ends.push(() => mosquitto.end());
    const address = `ux:${freshName()}`;
    const server = await started(address);
    const file = join(folder, "gateways.yaml");
    writeFileSync(file, `gateways: [{type: mqtt, url: "mqtt://${mosquitto.host}:${mosquitto.port}"}]`);
    const gateways = await started("-f", file, "-g", address);
    const seen = new Seen(address);
    await mosquitto.publish("sd1/a/lamp1", "lamp;600;room=attic", { retain: true });
    await seen.shows("mqtt.device", "lamp1");
    await seen.shows("gateway", "mqtt");
    await server.stop("SIGKILL");
    await started(address);
    const later = new Seen(address);
    await later.shows("mqtt.device", "lamp1");
    await mosquitto.publish("sd1/a/lamp1", "", { retain: true });
    await later.gone("mqtt.device", "lamp1");
    gateways.child.kill("SIGUSR1");
    await gateways.says(/State: gateway mqtt 127.0.0.1:\d+ running; 0 services/);
    await gateways.says(/State: remote domain; servers: ux:\S+ operational/);
    assert.equal(await gateways.stop(), { code: 0, signal: null });
  });
});

for (const [args, said] of [
  [["-g", "ux:nowhere"], "No gateways configured."],
  [["-g", "ux:a", "ux:b"], "option --gateway-only names the one domain"],
  [["-g", "ux:a", "-g", "ux:b"], "option --gateway-only names the one domain"],
] as const) {
  test(`refused: ${args.join(" ")}`, () => {
    const { status, stdout } = runPafd(args);
    assert.is(status, 1);
    assert.match(stdout, said);
  });
}

test.run();
