/** Conventions against a real mosquitto, with the clock of the gateway 10 times as fast. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type MqttGatewayOptions, mqttGateway } from "../../../../src/gateway/mqtt/gateway.js";
import { MOSQUITTO_MISSING, Mosquitto, type MosquittoOptions } from "../../../peers/mosquitto.js";
import { FastClock, keptLog, RecordingDirectory } from "../recording-directory.js";
import { bridgeDevices } from "./bridge-devices.js";

const test = suite("mqtt conventions and mosquitto");
if (MOSQUITTO_MISSING && process.env.CI === "true") throw new Error(`${MOSQUITTO_MISSING} is missing`);
const check: typeof test.skip = MOSQUITTO_MISSING ? test.skip : test;
if (MOSQUITTO_MISSING)
  console.log(`skipped: ${MOSQUITTO_MISSING} is not installed (apt install mosquitto mosquitto-clients openssl)`);

const open: { end(): Promise<void> }[] = [];

test.after.each(async () => {
  for (const one of open.splice(0).reverse()) await one.end();
});

async function broker(options?: MosquittoOptions): Promise<Mosquitto> {
  const mosquitto = await Mosquitto.started(options);
  open.push(mosquitto);
  return mosquitto;
}

function started(mosquitto: Mosquitto, options: Omit<MqttGatewayOptions, "url">) {
  const directory = new RecordingDirectory();
  const log = keptLog(() => directory.look());
  const clock = new FastClock(10);
  const gateway = mqttGateway(
    { url: `mqtt://${mosquitto.host}:${mosquitto.port}`, site: "lab", ...options },
    { directory, clock, timers: clock, random: Math.random, log },
  );
  gateway.start();
  open.push({ end: () => gateway.stop() });
  const named = (name: string) =>
    [...directory.services.values()].find((one) => one.properties.get("name")?.[0] === name);
  return {
    directory,
    log,
    named,
    gateway,
    connected: (count = 1) => directory.until("connected", () => log.count(/: connected/) >= count),
    appears: (name: string) => directory.until(`${name} appears`, () => named(name) !== undefined),
    goes: (name: string) => directory.until(`${name} goes`, () => named(name) === undefined),
  };
}

const TASMOTA = JSON.stringify({
  ...{
    ip: "10.0.0.8",
    dn: "Plug",
    mac: "A0B1C2D3E4F5",
    md: "Sonoff",
    sw: "14.1.0",
    t: "plug",
    ft: "%prefix%/%topic%/",
  },
  ...{ tp: ["cmnd", "stat", "tele"], onln: "Online", ofln: "Offline", rl: [1], dslp: 0 },
});
const HA = JSON.stringify({
  ...{ uniq_id: "plug_rl", avty_t: "tele/plug/LWT", pl_avail: "Online", pl_not_avail: "Offline" },
  dev: { ids: ["A0B1C2"], cns: [["mac", "A0:B1:C2:D3:E4:F5"]], name: "Plug", sa: "Hall" },
});

check("kept and live announcements of several conventions, one service; will, return, removal", async () => {
  const mosquitto = await broker();
  await mosquitto.publish("tasmota/discovery/A0B1C2D3E4F5/config", TASMOTA);
  await mosquitto.publish("tele/plug/LWT", "Online");
  const { directory, appears, goes, named, gateway, log } = started(mosquitto, {
    conventions: { conventions: ["homeassistant", "tasmota"] },
  });
  await appears("Plug");
  // both wait for one topic: the second to do so must hear what the broker keeps there
  await mosquitto.publish("homeassistant/switch/A0B1C2_RL_1/config", HA);
  const conventions = () => named("Plug")?.properties.get("mqtt.conv");
  await directory.until("both are one", () => conventions()?.length === 2);
  assert.equal(named("Plug")?.properties.get("area"), ["Hall"]);
  assert.is(named("Plug")?.ttlSeconds, 600n);
  assert.is(directory.services.size, 1);
  await mosquitto.publish("tele/plug/LWT", "Offline");
  await goes("Plug");
  await mosquitto.publish("tele/plug/LWT", "Online");
  await appears("Plug");
  await mosquitto.publish("tasmota/discovery/A0B1C2D3E4F5/config", "");
  await mosquitto.publish("homeassistant/switch/A0B1C2_RL_1/config", "");
  await goes("Plug");
  assert.is(log.count(/^(warning|error)/), 0, log.lines.join("\n"));
  assert.ok(gateway.name.startsWith("mqtt "));
});

check("what the broker keeps of devices that are gone does not appear when the gateway starts", async () => {
  const mosquitto = await broker();
  for (let at = 0; at < 40; at++) {
    const config = JSON.stringify({ avty_t: `dead/${at}/a${at}/s`, dev: { ids: [`dead${at}`], name: `dead ${at}` } });
    await mosquitto.publish(`homeassistant/sensor/dead${at}/config`, config);
    await mosquitto.publish(`dead/${at}/a${at}/s`, "offline");
  }
  await mosquitto.publish("tasmota/discovery/A0B1C2D3E4F5/config", TASMOTA);
  await mosquitto.publish("tasmota/discovery/A0B1C2D3E4F5/sensors", '{"sn":{"DS18B20":{}}}');
  await mosquitto.publish("tele/plug/LWT", "Offline");
  await mosquitto.publish("homeassistant/sensor/without/config", '{"dev":{"ids":["w"],"name":"without presence"}}');
  const { directory, appears } = started(mosquitto, {
    conventions: { conventions: ["homeassistant", "tasmota"] },
  });
  await appears("without presence"); // the last to be shown: when all has been replayed
  assert.equal([...directory.services.values()].map(({ properties }) => properties.get("name")?.[0]).sort(), [
    "without presence",
  ]);
  assert.is(directory.history.length, 1, directory.history.join("\n"));
});

check("100 KB of bridge/devices, and the bridge's end", async () => {
  const mosquitto = await broker();
  const { text, names } = bridgeDevices(100_000);
  await mosquitto.publish("zigbee2mqtt/bridge/state", '{"state":"online"}');
  await mosquitto.publish("zigbee2mqtt/bridge/devices", text);
  const { directory } = started(mosquitto, { conventions: { conventions: ["zigbee2mqtt"] } });
  await directory.until("all appear", () => directory.services.size === names.length);
  await mosquitto.publish("zigbee2mqtt/bridge/state", '{"state":"offline"}');
  await directory.until("all go", () => directory.services.size === 0);
});

for (const persistence of [true, false]) {
  check(`the broker is restarted ${persistence ? "with" : "without"} persistence: nobody goes`, async () => {
    const mosquitto = await broker({ persistence });
    const say = async () => {
      await mosquitto.publish("homie/5/lamp/$state", "ready");
      await mosquitto.publish("homie/5/lamp/$description", '{"homie":"5.0","version":1,"name":"Lamp"}');
    };
    await say();
    const { directory, appears, connected } = started(mosquitto, { conventions: { conventions: ["homie"] } });
    await connected();
    await appears("Lamp");
    await mosquitto.kill("SIGTERM");
    await mosquitto.start();
    await connected(2);
    if (!persistence) await say();
    // the other one is heard after it, so whatever follows from the replay has happened
    await mosquitto.publish("homie/5/other/$state", "ready");
    await mosquitto.publish("homie/5/other/$description", '{"homie":"5.0","version":1,"name":"Other"}');
    await appears("Other");
    assert.equal(
      directory.history.filter((line) => line.startsWith("disappeared")),
      [],
    );
  });
}

check("a device for which there was no room appears when there is", async () => {
  const mosquitto = await broker();
  const config = (name: string) => JSON.stringify({ dev: { ids: [name], name } });
  const { appears, directory, gateway, log } = started(mosquitto, {
    maxDevices: 1,
    conventions: { conventions: ["homeassistant"] },
  });
  await mosquitto.publish("homeassistant/sensor/a/config", config("first"));
  await appears("first");
  await mosquitto.publish("homeassistant/sensor/b/config", config("second"));
  await directory.until("the second is refused", () => log.count(/More than 1 services/) > 0);
  await mosquitto.publish("homeassistant/sensor/a/config", "");
  await appears("second");
  assert.is(directory.services.size, 1);
  assert.equal(gateway.state().dropped, { "too many devices": 1 });
});

check("devices are asked if that is configured, and what carries our marker is not taken", async () => {
  const mosquitto = await broker();
  const { appears, directory } = started(mosquitto, {
    ask: true,
    conventions: {
      conventions: [],
      mappings: [
        {
          name: "house",
          announce: "house/{room}",
          id: "{room}",
          properties: { name: "{/name}" },
          ask: { topic: "house/asked", payload: '{"name":"Asked"}' },
        },
      ],
    },
  });
  await appears("Asked"); // the question itself looks like an answer
  await mosquitto.publish("house/mirrored", '{"name":"Mirrored"}', {
    args: ["-V", "5", "-D", "publish", "user-property", "sdid", "5f3a9c0047d21e08"],
  });
  await mosquitto.publish("house/other", '{"name":"Other"}');
  await appears("Other");
  assert.is(directory.services.size, 2);
});

test.run();
