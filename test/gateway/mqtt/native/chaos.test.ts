/**
 * Three gateways, one directory, one broker, ten devices: each of them dies and returns at random. Afterwards everybody
 * must agree: the directory and the mirror show the devices that live and no others, each device has one gateway, and
 * nothing is written any more.
 */

import * as assert from "uvu/assert";
import { SeededRandom } from "../../../../scripts/fuzz/random.js";
import { serviceId } from "../../../../src/gateway/mqtt/topics.js";
import type { MicroClient } from "../../../peers/micro-client.js";
import { Mosquitto, mosquittoSuite } from "../../../peers/mosquitto.js";
import { Site, type SiteGateway } from "./site.js";

const { test, check } = mosquittoSuite("native convention: anything may die");

const GATEWAYS = ["attic", "cellar", "hall"];
const DEVICES = Array.from({ length: 10 }, (_, n) => `dev${n}`);
const STEPS = 25;

for (const seed of [1, 2]) {
  check(`seed ${seed}`, async () => {
    const random = new SeededRandom(seed);
    const pick = <T>(of: readonly T[]): T => of[Math.floor(random.unit() * of.length)];
    const mosquitto = await Mosquitto.started({ persistence: true });
    const site = new Site();
    try {
      const url = `mqtt://${mosquitto.host}:${mosquitto.port}`;
      const gateways = new Map<string, SiteGateway>();
      const devices = new Map<string, MicroClient>();
      const startGateway = (name: string) =>
        gateways.set(name, site.gateway({ url, clientId: name, presence: { name }, mirror: [{}], queries: {} }));
      const startDevice = async (device: string) => {
        const micro = await site.device(mosquitto, { device });
        micro.announce(`lamp;200;of=${device}`);
        devices.set(device, micro);
      };
      for (const name of GATEWAYS) startGateway(name);
      for (const device of DEVICES) await startDevice(device);
      /** Devices renew what they said; those that are gone run out with their TTL of 200 s, 10 s of ours. */
      const renew = () => {
        for (const [device, micro] of devices) micro.publish(`sd1/a/${device}`, `lamp;200;of=${device}`, true);
      };
      const story: string[] = [];
      for (let step = 0; step < STEPS; step++) {
        const what = random.unit();
        if (what < 0.4) {
          const name = pick(GATEWAYS);
          const running = gateways.get(name);
          story.push(`gateway ${name}`);
          if (!running) startGateway(name);
          else if (random.unit() < 0.7) running.crash();
          else await running.stop();
          if (running) gateways.delete(name);
        } else if (what < 0.9) {
          const device = pick(DEVICES);
          const running = devices.get(device);
          story.push(`device ${device}`);
          if (!running || running.closed) await startDevice(device);
          else if (random.unit() < 0.5) running.die();
          else running.leave();
          if (running && !running.closed) devices.delete(device);
        } else {
          story.push("broker");
          await mosquitto.kill(pick(["SIGKILL", "SIGTERM"] as const));
          await site.passes(6000);
          await mosquitto.start();
          for (const device of [...devices.keys()]) await startDevice(device);
        }
        renew();
        await site.passes(2000 + random.unit() * 10_000);
      }
      for (const name of GATEWAYS) if (!gateways.has(name)) startGateway(name);
      const ids = new Set(
        [...devices.keys()].map((device) => serviceId("local", device).toString(16).padStart(16, "0")),
      );
      const observer = await site.observer(mosquitto);
      const missing = () => {
        const mirrored = new Set([...observer.kept("sd1/m/").keys()].map((topic) => topic.split("/")[3]));
        const owned = [...gateways.values()].map(({ gateway }) => gateway.state().counts.owned);
        const same = (others: Iterable<string>) => [...others].sort().join() === [...ids].sort().join();
        if (!same(site.generations.keys())) return `directory: ${[...site.generations.keys()].length} of ${ids.size}`;
        if (!same(mirrored)) return `mirror: ${mirrored.size} of ${ids.size}`;
        const sum = owned.reduce((total, count) => total + count, 0);
        return sum === ids.size ? "" : `owned: ${owned}`;
      };
      // everything is looked at after each message, and renewals are messages
      const renewing = setInterval(renew, 500);
      try {
        await observer.until("everybody agrees", () => missing() === "", 60_000);
      } catch (error) {
        throw new Error(`seed ${seed}: ${missing()}; ${story.join(", ")}`, { cause: error });
      } finally {
        clearInterval(renewing);
      }
      renew();
      const before = observer.client.received.length;
      const [mirrors, presence] = [observer.kept("sd1/m/"), observer.kept("sd1/g/")];
      await site.passes(40_000);
      const written = observer.client.received.slice(before).filter(({ topic }) => !topic.startsWith("sd1/a/"));
      const told = written.map(({ topic, payload }) => `${topic} ${payload}`).join(", ");
      // each gateway renews its presence every 60 s (native.md): once in this time, at most
      const renewals = written.filter(({ topic }) => topic.startsWith("sd1/g/")).map(({ topic }) => topic);
      assert.is(new Set(renewals).size, renewals.length, `a presence more than once in 40 s of the gateways: ${told}`);
      assert.ok(
        written.length - renewals.length <= ids.size,
        `for ${ids.size} devices, in 40 s of the gateways: ${told}`,
      );
      assert.equal(observer.kept("sd1/m/"), mirrors, "nothing changes any more");
      assert.equal(observer.kept("sd1/g/"), presence);
      assert.is(missing(), "");
    } finally {
      await site.end();
      await mosquitto.end();
    }
  });
}

test.run();
