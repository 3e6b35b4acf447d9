/** What the broker keeps, as it is heard when a gateway starts, in any order. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TIMES } from "../../../../src/gateway/mqtt/conventions/limits.js";
import { Desk } from "./desk.js";

const test = suite("mqtt conventions: start");

const ALL = ["homeassistant", "homie", "zigbee2mqtt", "tasmota", "esphome", "shelly"] as const;
const ZIGBEE = { ieee_address: "0x000b57fffec6a5b2", friendly_name: "attic/bulb", interview_completed: true };

/** Of each convention a device that is gone: what the broker keeps of it. */
const DEAD: Readonly<Record<string, readonly (readonly [string, unknown])[]>> = {
  homeassistant: [
    ["homeassistant/sensor/a/config", { avty_t: "a/s", stat_t: "a/t", dev: { ids: ["a"], name: "a" } }],
    ["homeassistant/sensor/b/config", { stat_t: "a/u", dev: { ids: ["a"] } }],
    ["a/s", "offline"],
  ],
  "homeassistant, several availabilities": [
    [
      "homeassistant/light/l/config",
      { avty: [{ t: "z/bridge" }, { t: "z/l" }], avty_mode: "all", dev: { ids: ["l"], name: "l" } },
    ],
    ["z/bridge", "online"],
    ["z/l", "offline"],
  ],
  homie5: [
    ["homie/5/d/$description", { homie: "5.0", name: "d", root: "r" }],
    ["homie/5/d/$state", "ready"],
    ["homie/5/r/$description", { homie: "5.0", name: "r" }],
    ["homie/5/r/$state", "lost"],
  ],
  homie4: [
    ["homie/e/$homie", "4.0.0"],
    ["homie/e/$name", "e"],
    ["homie/e/$state", "lost"],
  ],
  zigbee2mqtt: [
    ["zigbee2mqtt/bridge/state", "online"],
    ["zigbee2mqtt/bridge/devices", [ZIGBEE]],
    ["zigbee2mqtt/attic/bulb/availability", { state: "offline" }],
  ],
  tasmota: [
    [
      "tasmota/discovery/A0B1C2D3E4F5/config",
      {
        ...{ dn: "Plug", mac: "A0B1C2D3E4F5", t: "plug", ft: "%prefix%/%topic%/", tp: ["cmnd", "stat", "tele"] },
        ...{ onln: "Online", ofln: "Offline", rl: [1], dslp: 0 },
      },
    ],
    ["tasmota/discovery/A0B1C2D3E4F5/sensors", { sn: { DS18B20: {} } }],
    ["tele/plug/LWT", "Offline"],
  ],
  esphome: [
    ["esphome/discover/desk", { name: "desk", mac: "a0b1c2d3e4f6" }],
    ["desk/status", "offline"],
  ],
  shelly: [
    ["shellies/shelly1-A0B1C2/online", "false"],
    ["shellyplus1-a0b1c2d3e4f7/online", "false"],
  ],
};

function ordersOf<T>(list: readonly T[]): T[][] {
  if (list.length < 2) return [[...list]];
  return list.flatMap((one, at) =>
    ordersOf([...list.slice(0, at), ...list.slice(at + 1)]).map((rest) => [one, ...rest]),
  );
}

for (const [name, kept] of Object.entries(DEAD)) {
  test(`${name}: what is gone never appears, in whatever order it is heard`, () => {
    for (const order of ordersOf(kept)) {
      for (const pauseSeconds of [0, 0.9]) {
        const desk = new Desk({ conventions: ALL });
        for (const [topic, payload] of order) {
          desk.replay(topic, payload);
          desk.wait(pauseSeconds);
        }
        desk.wait(700);
        assert.equal(desk.history, [], order.map(([topic]) => topic).join(", "));
        desk.stop();
      }
    }
  });
}

test("a broker that is slow to answer: nobody is shown before it has, or for a minute", () => {
  for (const said of ["offline", "online", undefined]) {
    const desk = new Desk({ conventions: ["homeassistant"] });
    desk.isSubscribing = true;
    if (said !== undefined) desk.kept.set("a/s", Buffer.from(said));
    desk.replay("homeassistant/sensor/a/config", { avty_t: "a/s", dev: { ids: ["a"], name: "a" } });
    desk.wait(TIMES.replayMs / 1000 - 1);
    assert.equal(desk.names(), []);
    if (said === undefined) {
      desk.wait(1 + TIMES.quietMs / 1000); // the broker never answers
      assert.equal(desk.names(), ["a"]);
      desk.stop();
      continue;
    }
    desk.isSubscribing = false;
    desk.replayAll();
    desk.wait(TIMES.quietMs / 1000);
    assert.equal(desk.names(), said === "online" ? ["a"] : []);
    desk.wait(700);
    assert.is(desk.history.length, said === "online" ? 1 : 0);
    desk.stop();
    assert.equal(desk.clock.timers(), []);
  }
});

test("announced anew by somebody else, such as Zigbee2MQTT to Home Assistant, while its device is gone", () => {
  const desk = new Desk({ conventions: ["homeassistant"] });
  desk.kept.set("z/lamp/availability", Buffer.from("offline"));
  desk.isSubscribing = true;
  desk.say("homeassistant/light/l/config", { avty_t: "z/lamp/availability", dev: { ids: ["l"], name: "l" } }, true);
  desk.wait(5);
  desk.isSubscribing = false;
  desk.hearKept("z/lamp/availability");
  desk.wait(90_000);
  assert.equal(desk.history, []);
});

test("a presence that says nothing: shown provisionally, as one that has none", () => {
  const desk = new Desk({ conventions: ["homeassistant"] });
  desk.replay("homeassistant/sensor/a/config", { avty_t: "a/s", dev: { ids: ["a"], name: "a" } });
  desk.wait(5);
  assert.equal(desk.names(), ["a"]);
  desk.wait(600);
  assert.equal(desk.names(), []);
});

test("the connection is lost while the replay goes on: it is waited for again", () => {
  const desk = new Desk({ conventions: ["homeassistant"] });
  desk.isSubscribing = true;
  desk.replay("homeassistant/sensor/a/config", { avty_t: "a/s", dev: { ids: ["a"], name: "a" } });
  desk.wait(1);
  desk.lose();
  desk.wait(300);
  assert.equal(desk.names(), []);
  desk.isSubscribing = false;
  desk.kept.set("a/s", Buffer.from("offline"));
  desk.back();
  desk.wait(700);
  assert.equal(desk.history, []);
});

test.run();
