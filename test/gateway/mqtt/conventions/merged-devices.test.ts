/** Announcements of several conventions that are about one device. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SeededRandom } from "../../../../scripts/fuzz/random.js";
import { sameProperties } from "../../../../src/core/properties.js";
import { deviceId } from "../../../../src/gateway/mqtt/conventions/device-keys.js";
import { LIMITS } from "../../../../src/gateway/mqtt/conventions/limits.js";
import { Desk } from "./desk.js";

const test = suite("mqtt conventions: one device, several conventions");

const MAC = "a0b1c2d3e4f5";
const TASMOTA = {
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
};
const HA = {
  uniq_id: "plug_rl",
  stat_t: "tele/plug/STATE",
  avty_t: "tele/plug/LWT",
  pl_avail: "Online",
  pl_not_avail: "Offline",
  dev: { ids: ["A0B1C2"], cns: [["mac", "A0:B1:C2:D3:E4:F5"]], name: "HA's plug", sa: "Hall", sw: "14.1.0(tasmota)" },
};
const tasmotaTopic = "tasmota/discovery/A0B1C2D3E4F5/config";
const haTopic = "homeassistant/switch/A0B1C2_RL_1/config";
const ids = (desk: Desk) => [...desk.services.keys()];

test("one service with the values of the better convention for each property", () => {
  const desk = new Desk({ conventions: ["homeassistant", "tasmota"] });
  desk.say(haTopic, HA, true);
  desk.say(tasmotaTopic, TASMOTA, true);
  desk.say("tele/plug/LWT", "Online", true);
  desk.wait(2);
  assert.equal(desk.shown(), {
    Plug: {
      kind: ["switch"],
      "mqtt.conv": ["homeassistant", "tasmota"],
      addr: ["10.0.0.8"],
      area: ["Hall"],
      cap: ["relay", "switch:A0B1C2_RL_1"],
      mac: [MAC],
      model: ["Sonoff"],
      "mqtt.base": ["plug"],
      "mqtt.topic": ["tele/plug/STATE"],
      sw: ["14.1.0"],
      url: ["http://10.0.0.8/"],
    },
  });
  assert.equal(ids(desk), [deviceId("lab", `mac:${MAC}`)]);
});

test("the configured order of conventions comes before the usual one", () => {
  const desk = new Desk({ conventions: ["homeassistant", "tasmota"], precedence: ["homie", "homeassistant"] });
  desk.say(haTopic, HA, true);
  desk.say(tasmotaTopic, TASMOTA, true);
  desk.say("tele/plug/LWT", "Online", true);
  desk.wait(2);
  const { sw, model, area } = desk.shown()["HA's plug"];
  assert.equal({ sw, model, area }, { sw: ["14.1.0(tasmota)"], model: ["Sonoff"], area: ["Hall"] });
  const other = new Desk({ conventions: ["homeassistant", "tasmota"], mappings: [BASED], precedence: ["tasmota"] });
  other.say("based/1", { name: "mapped", mac: MAC }, true);
  other.say(tasmotaTopic, TASMOTA, true);
  other.say("tele/plug/LWT", "Online", true);
  other.wait(2);
  assert.equal(other.names(), ["Plug"]);
});

test("split again when one convention withdraws; gone when none is left", () => {
  const desk = new Desk({ conventions: ["homeassistant", "tasmota"] });
  desk.say(haTopic, HA, true);
  desk.say(tasmotaTopic, TASMOTA, true);
  desk.say("tele/plug/LWT", "Online", true);
  desk.wait(2);
  desk.say(tasmotaTopic, "", true);
  desk.wait(2);
  assert.equal(desk.names(), ["HA's plug"]);
  assert.equal(desk.shown()["HA's plug"]["mqtt.conv"], ["homeassistant"]);
  assert.equal(ids(desk), [deviceId("lab", `mac:${MAC}`)]);
  desk.say(haTopic, "", true);
  desk.wait(2);
  assert.is(desk.services.size, 0);
  assert.equal(desk.history, ["publish Plug", "publish HA's plug", "withdraw HA's plug"]);
});

test("a better key that is learnt later moves the service once, the new before the old", () => {
  const desk = new Desk({ conventions: ["homeassistant", "tasmota"] });
  desk.say(haTopic, { ...HA, dev: { ids: ["A0B1C2"], name: "Plug" } }, true);
  desk.say("tele/plug/LWT", "Online", true);
  desk.wait(2);
  assert.equal(ids(desk), [deviceId("lab", "ha:A0B1C2")]);
  desk.say("homeassistant/sensor/A0B1C2_status/config", HA, true);
  desk.wait(2);
  assert.equal(ids(desk), [deviceId("lab", `mac:${MAC}`)]);
  assert.equal(desk.history, ["publish Plug", "publish HA's plug", "withdraw Plug"]);
  // the presence of what brought the key does not move it back
  desk.say("tele/plug/LWT", "Offline", true);
  desk.wait(30);
  desk.say("tele/plug/LWT", "Online", true);
  desk.wait(2);
  assert.equal(ids(desk), [deviceId("lab", `mac:${MAC}`)]);
});

test("an announcement that joins two shown devices leaves one of them, and its end splits them", () => {
  const desk = new Desk({ conventions: ["homeassistant"] });
  const entity = (...identifiers: string[]) => ({
    uniq_id: identifiers.join("-"),
    dev: { ids: identifiers, name: identifiers[0] },
  });
  desk.say("homeassistant/sensor/a/config", entity("a"), true);
  desk.say("homeassistant/sensor/b/config", entity("b"), true);
  desk.wait(2);
  assert.equal(desk.names(), ["a", "b"]);
  desk.say("homeassistant/sensor/c/config", entity("b", "a"), true);
  desk.wait(2);
  assert.equal(ids(desk), [deviceId("lab", "ha:a")]);
  desk.say("homeassistant/sensor/c/config", "", true);
  desk.wait(2);
  assert.equal(ids(desk).sort(), [deviceId("lab", "ha:a"), deviceId("lab", "ha:b")].sort());
});

test("where a presence says that the device is gone, announcements without presence do not keep it", () => {
  const desk = new Desk({ conventions: ["homeassistant", "tasmota"] });
  desk.say(haTopic, { ...HA, avty_t: undefined }, true);
  desk.say(tasmotaTopic, TASMOTA, true);
  desk.say("tele/plug/LWT", "Online", true);
  desk.wait(2);
  desk.say("tele/plug/LWT", "Offline", true);
  desk.wait(13);
  assert.is(desk.services.size, 0);
});

test("what changes all the time is held, and then shown as it is", () => {
  const desk = new Desk({ conventions: ["homeassistant"] });
  const say = (name: string) => desk.say("homeassistant/sensor/a/config", { dev: { ids: ["a"], name } }, true);
  for (let at = 0; at < 20; at++) {
    say(`name ${at}`);
    desk.wait(3);
  }
  assert.is(desk.history.length, 6);
  assert.is(desk.log.count(/changes all the time/), 1);
  desk.wait(60);
  assert.equal(desk.names(), ["name 19"]);
  assert.is(desk.history.length, 7);
});

test("a held device that turns out to be another one is shown as that", () => {
  const desk = new Desk({ conventions: ["homeassistant"] });
  const say = (entity: string, ids: readonly string[], name: string) =>
    desk.say(`homeassistant/sensor/${entity}/config`, { dev: { ids, name } }, true);
  say("b1", ["b"], "other");
  say("b2", ["b"], "other");
  for (let at = 0; at < 20; at++) {
    say("a", ["a"], `name ${at}`);
    desk.wait(3);
  }
  assert.is(desk.services.size, 2);
  say("ab", ["a", "b"], "both");
  desk.wait(70);
  assert.is(desk.services.size, 1);
});

test("a device that never becomes quiet is shown after 10 s", () => {
  const desk = new Desk({ conventions: ["homeassistant"] });
  for (let at = 0; at < 10; at++) {
    assert.is(desk.services.size, 0);
    desk.say("homeassistant/sensor/a/config", { dev: { ids: ["a"], name: `name ${at}` } }, true);
    desk.wait(1);
  }
  assert.equal(desk.names(), ["name 9"]);
});

test("the broker is away for a moment: nobody goes, and what it no longer keeps goes later", () => {
  const desk = new Desk({ conventions: ["homeassistant"] });
  for (const name of ["a", "b"]) {
    desk.say(`homeassistant/sensor/${name}/config`, { avty_t: `${name}/s`, dev: { ids: [name], name } }, true);
    desk.say(`${name}/s`, "online", true);
  }
  desk.wait(2);
  desk.say("a/s", "offline", true); // 8 s before the grace is over
  desk.wait(2);
  desk.lose();
  desk.wait(300);
  assert.equal(desk.names(), ["a", "b"]);
  desk.kept.delete("homeassistant/sensor/b/config"); // withdrawn while we were not there
  desk.kept.delete("b/s");
  desk.back();
  desk.wait(29);
  assert.equal(desk.names(), ["a", "b"]);
  desk.wait(14);
  assert.equal(desk.names(), ["b"]);
  desk.wait(570);
  assert.equal(desk.names(), []);
});

test("a broker that comes back empty: devices have 10 minutes to announce themselves", () => {
  const desk = new Desk({ conventions: ["zigbee2mqtt"] });
  const list = [{ ieee_address: "0x000b57fffec6a5b2", friendly_name: "bulb", interview_completed: true }];
  desk.say("zigbee2mqtt/bridge/state", "online", true);
  desk.say("zigbee2mqtt/bridge/devices", list, true);
  desk.wait(2);
  desk.lose();
  desk.wait(5);
  desk.back(false);
  desk.wait(20);
  desk.say("zigbee2mqtt/bridge/state", "online", true);
  desk.say("zigbee2mqtt/bridge/devices", list, true);
  desk.wait(3000);
  assert.equal(desk.history, ["publish bulb"]);
});

test("announced live, when its kept presence was not known yet: it stays, without an end", () => {
  const desk = new Desk({ conventions: ["homeassistant"] });
  desk.say("a/s", "online", true); // as Tasmota, which announces itself ten seconds after it has connected
  desk.wait(10);
  desk.say("homeassistant/sensor/a/config", { avty_t: "a/s", dev: { ids: ["a"], name: "a" } }, true);
  desk.wait(25 * 3600);
  assert.equal(desk.history, ["publish a"]);
  desk.say("a/s", "offline", true);
  desk.wait(20);
  assert.equal(desk.names(), []);
});

test("the broker is away for a moment: what it never keeps has its own time", () => {
  const mapping = { announce: "sensors/{room}", id: "{/id}", properties: { name: "{room}" }, ttl: 7200, kept: false };
  const desk = new Desk({ conventions: [], mappings: [{ name: "house", ...mapping }] });
  desk.say("sensors/kitchen", { id: "k7" });
  desk.wait(2);
  desk.lose();
  desk.wait(1);
  desk.back();
  desk.wait(3600);
  assert.equal(desk.names(), ["kitchen"]);
  desk.wait(3700);
  assert.equal(desk.names(), []);
});

test("a broker that stays away: after 10 minutes nothing is known, and what it kept brings all back", () => {
  const desk = new Desk({ conventions: ["homeassistant", "homie", "zigbee2mqtt", "tasmota"] });
  desk.say(tasmotaTopic, TASMOTA, true);
  desk.say("tele/plug/LWT", "Online", true);
  desk.say("homie/5/lamp/$description", { homie: "5.0", name: "Lamp" }, true);
  desk.say("homie/5/lamp/$state", "ready", true);
  desk.say("homie/old/$homie", "4.0.0", true);
  desk.say("homie/old/$state", "ready", true);
  desk.say("zigbee2mqtt/bridge/state", "online", true);
  desk.say("zigbee2mqtt/bridge/devices", [{ ieee_address: "0x000b57fffec6a5b2", friendly_name: "bulb" }], true);
  desk.wait(2);
  const before = new Map(desk.services);
  assert.is(before.size, 4);
  desk.lose();
  desk.wait(603);
  assert.is(desk.services.size, 0);
  desk.back();
  desk.wait(2);
  assert.equal([...desk.services.keys()].sort(), [...before.keys()].sort());
});

test("the order of what is heard does not matter", () => {
  const messages: readonly (readonly [string, unknown])[] = [
    [haTopic, HA],
    ["homeassistant/sensor/x/config", { uniq_id: "x", dev: { ids: ["A0B1C2", "x"], name: "X" } }],
    ["homeassistant/sensor/y/config", { uniq_id: "y", dev: { ids: ["x", "y"] } }],
    [tasmotaTopic, TASMOTA],
    ["tele/plug/LWT", "Online"],
    ["homie/5/y/$state", "ready"],
    ["homie/5/y/$description", { homie: "5.0", name: "Y" }],
    ["homie/5/z/$state", "ready"],
    ["homie/5/z/$description", { homie: "5.0", name: "Z", root: "y" }],
    ["zigbee2mqtt/bridge/state", "online"],
    ["zigbee2mqtt/bridge/devices", [{ ieee_address: "0x000b57fffec6a5b2", friendly_name: "bulb" }]],
    [
      "homeassistant/light/bulb/config",
      {
        uniq_id: "b",
        avty_t: "zigbee2mqtt/bridge/state",
        dev: { ids: ["zigbee2mqtt_0x000b57fffec6a5b2"], name: "Bulb" },
      },
    ],
  ];
  let expected: Desk["services"] | undefined;
  for (let seed = 1; seed <= 200; seed++) {
    const random = new SeededRandom(seed);
    const desk = new Desk({ conventions: ["homeassistant", "homie", "zigbee2mqtt", "tasmota"] });
    for (const [topic, payload] of random.shuffled(messages)) {
      desk.replay(topic, payload);
      if (random.below(4) === 0) desk.wait(random.below(5));
    }
    desk.wait(140); // whoever was held, too
    expected ??= desk.services;
    assert.is(desk.services.size, 4, `seed ${seed}`);
    for (const [id, properties] of expected) {
      assert.ok(desk.services.has(id), `seed ${seed}: ${properties.get("name")}`);
      assert.ok(sameProperties(desk.services.get(id)!, properties), `seed ${seed}: ${properties.get("name")}`);
    }
    desk.stop();
  }
});

test("an announcement that is merely silent goes on describing the device", () => {
  const desk = new Desk({ conventions: ["homeassistant", "tasmota"] });
  desk.replay(haTopic, { ...HA, avty_t: undefined });
  desk.replay(tasmotaTopic, TASMOTA);
  desk.replay("tele/plug/LWT", "Online");
  desk.wait(2);
  const before = desk.shown();
  assert.equal(before.Plug.area, ["Hall"]);
  desk.wait(100_000);
  assert.equal(desk.shown(), before);
  assert.is(desk.history.length, 1);
  desk.say("tele/plug/LWT", "Offline", true);
  desk.wait(13);
  assert.equal(desk.names(), []);
});

const own = (name: string, extra: object = {}) => ({ name, properties: { name: "{/name}", ...extra } });
const BASED = {
  ...own("based", { mac: "{/mac}", "mqtt.base": "{/base}", note: "{/note}" }),
  announce: "based/{at}",
};

test("one base topic, two hardware addresses: two devices, and a third for who names no address", () => {
  const messages: readonly (readonly [string, unknown])[] = [
    ["based/1", { name: "one", mac: "a0b1c2d3e401", base: "plug" }],
    ["based/2", { name: "two", mac: "a0b1c2d3e402", base: "plug" }],
    ["based/3", { name: "nobody's", base: "plug" }],
    ["based/4", { name: "nobody's", base: "plug", note: "n" }],
  ];
  for (const order of [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [2, 0, 3, 1],
  ]) {
    const desk = new Desk({ conventions: [], mappings: [BASED] });
    for (const at of order) {
      desk.say(...messages[at], true);
      desk.wait(3);
    }
    assert.equal(desk.names(), ["nobody's", "one", "two"]);
    assert.ok(desk.services.get(deviceId("lab", "mac:a0b1c2d3e401")));
    assert.ok(desk.services.get(deviceId("lab", "mac:a0b1c2d3e402")));
    assert.equal(desk.services.get(deviceId("lab", "base:plug"))?.get("note"), ["n"]);
    // with one of the two gone for good there is no doubt any more
    desk.say("based/2", "", true);
    desk.wait(3);
    assert.equal(desk.names(), ["one"]);
    assert.equal(desk.shown().one.note, ["n"]);
    desk.stop();
  }
});

test("two weak keys in a row join no two addresses either", () => {
  const desk = new Desk({
    conventions: [],
    mappings: [BASED, { ...own("both", { "mqtt.base": "{/bases}" }), id: "{at}", announce: "both/{at}" }],
  });
  desk.say("based/1", { name: "one", mac: "a0b1c2d3e401", base: "p" }, true);
  desk.say("based/2", { name: "two", mac: "a0b1c2d3e402", base: "q" }, true);
  desk.say("both/3", { name: "both", bases: ["p", "q"] }, true);
  desk.wait(3);
  assert.equal(desk.names(), ["both", "one", "two"]);
  assert.equal(desk.shown().one.mac, ["a0b1c2d3e401"]);
});

test("a gateway that starts later shows the same, whatever it did not hear", () => {
  const topics: Readonly<Record<string, readonly unknown[]>> = {
    [haTopic]: ["", HA, { ...HA, avty_t: undefined }, { ...HA, dev: { ids: ["A0B1C2"], name: "renamed" } }],
    "homeassistant/sensor/x/config": ["", { uniq_id: "x", dev: { ids: ["A0B1C2"], name: "X", mdl: "M" } }],
    [tasmotaTopic]: ["", TASMOTA, { ...TASMOTA, dn: "Other", ip: "10.0.0.9" }],
    "tasmota/discovery/A0B1C2D3E4F6/config": ["", { ...TASMOTA, mac: "A0B1C2D3E4F6", dn: "Twin" }],
    "tele/plug/LWT": ["Online", "Offline"],
    "homie/5/plug/$state": ["", "ready", "lost"],
    "homie/5/plug/$description": ["", { homie: "5.0", name: "H" }, { homie: "5.0", name: "I", type: "t" }],
    "based/1": ["", { name: "b", base: "plug", note: "n" }, { name: "b", base: "homie/5/plug" }],
    "based/2": ["", { name: "c", base: "plug", mac: MAC }],
  };
  const names = Object.keys(topics);
  const options = { conventions: ["homeassistant", "homie", "tasmota"], mappings: [{ ...BASED, id: "{at}" }] } as const;
  let shown = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const random = new SeededRandom(seed);
    const early = new Desk(options);
    for (let at = 0; at < 30; at++) {
      const topic = names[random.below(names.length)];
      early.say(topic, topics[topic][random.below(topics[topic].length)], true);
      if (random.below(3) === 0) early.wait(random.below(60));
    }
    early.wait(200); // whoever is held, too
    const late = new Desk(options);
    for (const [topic, bytes] of random.shuffled([...early.kept])) late.replay(topic, bytes);
    late.wait(10);
    assert.equal([...late.services.keys()].sort(), [...early.services.keys()].sort(), `seed ${seed}`);
    for (const [id, properties] of early.services) {
      assert.ok(sameProperties(late.services.get(id)!, properties), `seed ${seed}`);
    }
    shown += late.services.size;
    early.stop();
    late.stop();
  }
  assert.ok(shown > 300, String(shown));
});

test("limits: announcements of one device, values, texts", () => {
  const desk = new Desk({ conventions: ["homeassistant"] });
  for (let at = 0; at < 300; at++) {
    desk.say(
      `homeassistant/sensor/s${at}/config`,
      { uniq_id: `s${at}`, stat_t: `t/${at}`, dev: { ids: ["a"], name: "A" } },
      true,
    );
  }
  desk.say(
    "homeassistant/sensor/long/config",
    { dev: { ids: ["b"], name: "B".repeat(1025), mf: "é".repeat(512) } },
    true,
  );
  desk.wait(2);
  assert.equal(desk.dropped.counts, { "too many announcements of one device": 300 - LIMITS.subjectsOfDevice });
  assert.is(desk.shown().A.cap.length, LIMITS.valuesOfProperty);
  assert.equal(desk.shown().b.manufacturer, ["é".repeat(512)]);
});

test("thousands of devices are heard with a few subscriptions", () => {
  const desk = new Desk({ conventions: ["homeassistant", "tasmota"] });
  for (let at = 0; at < 2000; at++) {
    const mac = `A0B1C2D3${at.toString(16).padStart(4, "0")}`.toUpperCase();
    const t = `plug_${at}`;
    desk.say(`tasmota/discovery/${mac}/config`, { ...TASMOTA, mac, t, dn: t }, true);
    desk.say(`tele/${t}/LWT`, "Online", true);
  }
  desk.wait(2);
  assert.is(desk.services.size, 2000);
  assert.equal([...desk.filters].sort(), [
    "homeassistant/+/+/+/config",
    "homeassistant/+/+/config",
    "tasmota/discovery/+/config",
    "tasmota/discovery/+/sensors",
    "tele/+/LWT",
  ]);
  desk.say("tele/plug_77/LWT", "Offline", true);
  desk.wait(13);
  assert.is(desk.services.size, 1999);
});

test.run();
