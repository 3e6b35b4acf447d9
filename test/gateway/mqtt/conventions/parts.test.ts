/** The small parts of the conventions: reading, expressions, topics, subscriptions, availability. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SeededRandom } from "../../../../scripts/fuzz/random.js";
import { Dropped } from "../../../../src/gateway/dropped.js";
import { macInName, macOf } from "../../../../src/gateway/hardware-address.js";
import { availabilityOf, presenceOf } from "../../../../src/gateway/mqtt/conventions/availability.js";
import { BUILT_IN_TABLES } from "../../../../src/gateway/mqtt/conventions/built-in-tables.js";
import { betterKey, deviceId, ieeeOf } from "../../../../src/gateway/mqtt/conventions/device-keys.js";
import { expression } from "../../../../src/gateway/mqtt/conventions/expression.js";
import { FilterBudget } from "../../../../src/gateway/mqtt/conventions/filter-budget.js";
import { FoldedFilters } from "../../../../src/gateway/mqtt/conventions/folded-filters.js";
import { DEVICE_KEYS, ENTITY_KEYS } from "../../../../src/gateway/mqtt/conventions/ha-abbreviations.js";
import {
  type Json,
  member,
  pointedTo,
  pointerTokens,
  readJson,
} from "../../../../src/gateway/mqtt/conventions/json.js";
import { LIFE, type Phase, SHOWN } from "../../../../src/gateway/mqtt/conventions/life.js";
import { LIMITS } from "../../../../src/gateway/mqtt/conventions/limits.js";
import { Mapping } from "../../../../src/gateway/mqtt/conventions/mapping-table.js";
import { PresenceTopics } from "../../../../src/gateway/mqtt/conventions/presence-topics.js";
import { cleanText } from "../../../../src/gateway/mqtt/conventions/texts.js";
import { matchesFilter } from "../../../../src/gateway/mqtt/conventions/topic-filter.js";
import { topicPattern } from "../../../../src/gateway/mqtt/conventions/topic-pattern.js";
import { bridgeDevices } from "./bridge-devices.js";
import { Desk } from "./desk.js";

const test = suite("mqtt conventions: parts");
const bytes = (text: string) => Buffer.from(text);

test("JSON is refused by size, depth, encoding and grammar before anything else is made of it", () => {
  const refusal = (payload: Buffer, max?: number) => {
    const read = readJson(payload, max);
    return "refusal" in read ? read.refusal : undefined;
  };
  assert.is(refusal(bytes(`"${"x".repeat(LIMITS.payloadBytes)}"`)), "payload too large");
  assert.is(refusal(bytes("[1,2]"), 4), "payload too large");
  assert.is(refusal(bytes("[".repeat(60_000))), "nested too deep");
  const nested = (depth: number) => bytes("[".repeat(depth) + "]".repeat(depth));
  assert.is(refusal(nested(LIMITS.depth)), undefined);
  assert.is(refusal(nested(LIMITS.depth + 1)), "nested too deep");
  assert.is(refusal(bytes(`["${"[".repeat(100)}\\"${"{".repeat(100)}"]`)), undefined);
  assert.is(refusal(Buffer.from([0x22, 0xff, 0x22])), "not UTF-8");
  assert.is(refusal(bytes("{'a':1}")), "not JSON");
  assert.is(refusal(bytes("")), "not JSON");
});

test("only own members are members", () => {
  const read = readJson(bytes('{"__proto__":{"a":1},"b":{"c":[10,{"d/e~":"x"}]}}')) as { json: Json };
  assert.is(member(read.json, "constructor"), undefined);
  assert.is(member(read.json, "toString"), undefined);
  assert.equal(member(read.json, "__proto__"), { a: 1 });
  assert.is(pointedTo(read.json, pointerTokens("/b/c/1/d~1e~0")), "x");
  assert.is(pointedTo(read.json, pointerTokens("/b/c/length")), undefined);
  assert.is(pointedTo(read.json, pointerTokens("/b/c/01")), undefined);
  assert.is(pointedTo(read.json, pointerTokens("/b/c/-")), undefined);
  assert.is(pointedTo(read.json, pointerTokens("")), read.json);
  for (const wrong of ["a", "/a~", "/~2"]) assert.throws(() => pointerTokens(wrong), /JSON pointer/);
});

test("texts", () => {
  assert.is(cleanText("  a\u0000b\u001b[1m\u009f\ud800c\n"), "ab[1mc");
  assert.is(cleanText("😀"), "😀");
  assert.is(cleanText(21.5), "21.5");
  assert.is(cleanText(false), "false");
  for (const none of ["", " \n", null, undefined, {}, [], "x".repeat(1025), "é".repeat(513)]) {
    assert.is(cleanText(none), undefined);
  }
});

test("keys and ids", () => {
  for (const mac of ["A0:B1:C2:D3:E4:F5", "a0-b1-c2-d3-e4-f5", "A0B1C2D3E4F5", "a0b1.c2d3.e4f5"]) {
    assert.is(macOf(mac), "a0b1c2d3e4f5");
  }
  for (const none of ["", "a0b1c2d3e4", "000000000000", "FF:FF:FF:FF:FF:FF", "a0b1c2d3e4g5", undefined]) {
    assert.is(macOf(none), undefined);
  }
  for (const none of [
    "01:00:5e:00:00:fb",
    "a0:b1-c2:d3-e4:f5",
    "a0.b1.c2.d3.e4.f5",
    "a0b1c2:d3e4f5",
    ":a0b1c2d3e4f5",
  ]) {
    assert.is(macOf(none), undefined, none);
  }
  // a field that means a MAC may hold nothing but digits; a name of 12 digits is a date, or a serial number
  assert.is(macOf("202311221555"), "202311221555");
  for (const name of ["202311221555", "123456789012", "ea334450945a", "plug-1"]) {
    assert.is(macInName(name), undefined, name);
  }
  assert.is(macInName("A0B1C2D3E4F5"), "a0b1c2d3e4f5");
  assert.is(macInName("20:23:11:22:15:55"), "202311221555");
  assert.is(ieeeOf("0x00158D0001E5B7A4"), "0x00158d0001e5b7a4");
  for (const none of ["00158d0001e5b7a4", "0x0000000000000000", "0xffffffffffffffff"])
    assert.is(ieeeOf(none), undefined);
  const ordered = ["mac:a", "mac:b", "ieee:0x1", "ha:a", "base:a", "own:a"] as const;
  for (const [at, better] of ordered.entries()) {
    for (const worse of ordered.slice(at)) {
      assert.is(betterKey(better, worse), better);
      assert.is(betterKey(worse, better), better);
    }
  }
  // written down once: ids must stay what they are from version to version
  assert.is(deviceId("local", "mac:a0b1c2d3e4f5").toString(16), "6ee9eebda69ef09");
});

test("topic patterns", () => {
  const match = (pattern: string, topic: string) => {
    const found = topicPattern(pattern).match(topic);
    return found && Object.fromEntries(found);
  };
  assert.is(topicPattern("tasmota/discovery/{mac}/config").filter, "tasmota/discovery/+/config");
  assert.is(topicPattern("shelly{model}-{mac}/online").filter, "+/online");
  assert.equal(match("a/{x}/c", "a/b/c"), { x: "b" });
  assert.is(match("a/{x}/c", "a/b/d"), undefined);
  assert.is(match("a/{x}/c", "a//c"), undefined);
  assert.equal(match("shelly{model}-{mac}/online", "shellyplus-1-a8032abe54dc/online"), {
    model: "plus-1",
    mac: "a8032abe54dc",
  });
  assert.equal(match("a.b/{x}", "a.b/c"), { x: "c" });
  assert.is(match("a.b/{x}", "aXb/c"), undefined);
  for (const wrong of [
    "",
    "#",
    "a/+",
    "a/#",
    "{x}",
    "{x}/{y}",
    "$SYS/{x}",
    "a/{x}/{x}",
    "a/{X}",
    "a/{x",
    "{a}{b}{c}{d}/e",
  ]) {
    assert.throws(() => topicPattern(wrong), /topic filter/, wrong);
  }
});

test("expressions", () => {
  const from = {
    json: { ip: "10.0.0.1", n: 3, list: ["a", "b"], o: { k: 1 }, empty: "", no: null },
    text: "T",
    levels: new Map([["room", "hall"]]),
  };
  const values = (text: string) => expression(text, ["room"]).values(from);
  assert.equal(values("http://{/ip}/{room}"), ["http://10.0.0.1/hall"]);
  assert.equal(values("{/n}"), [3]);
  assert.equal(values("{/list}"), ["a", "b"]);
  assert.equal(values("{/o}"), ["k"]);
  assert.equal(values("{/none|/empty|/no|room}"), ["hall"]);
  assert.equal(values("{payload}"), ["T"]);
  assert.equal(values("x{/none}"), []);
  assert.equal(values("x{/list}"), []);
  assert.equal(values("constant"), ["constant"]);
  for (const wrong of ["{", "}", "{a}", "{/a~}", "{{/a}}", "{}"])
    assert.throws(() => expression(wrong, ["room"]), wrong);
});

test("the built-in tables are right", () => {
  for (const table of Object.values(BUILT_IN_TABLES).flat()) new Mapping(table);
});

test("abbreviations stand for one key each", () => {
  for (const keys of [ENTITY_KEYS, DEVICE_KEYS]) {
    for (const [short, long] of keys) {
      assert.match(short, /^[a-z_]+$/);
      assert.match(long ?? "", /^[a-z_]+$/, short);
    }
  }
  assert.ok(ENTITY_KEYS.size > 240, String(ENTITY_KEYS.size));
});

test("many topics that differ in one level become one subscription, and single ones again", () => {
  const subscribed = new Set<string>();
  const budget = new FilterBudget(100);
  const filters = new FoldedFilters(["fixed/+/s"], budget, (added, removed) => {
    for (const filter of removed) assert.ok(subscribed.delete(filter), filter);
    for (const filter of added) subscribed.add(filter);
  });
  const topic = (at: number) => `tele/plug${at}/LWT`;
  filters.add("fixed/x/s");
  for (let at = 0; at < 15; at++) filters.add(topic(at));
  assert.is(subscribed.size, 15);
  for (let at = 15; at < 100; at++) filters.add(topic(at));
  filters.add("other");
  assert.equal([...subscribed].sort(), ["other", "tele/+/LWT"]);
  assert.is(budget.left, 98);
  for (let at = 99; at > 3; at--) filters.remove(topic(at));
  assert.equal([...subscribed].sort(), ["other", "tele/+/LWT"]);
  filters.remove(topic(3));
  assert.equal([...subscribed].sort(), ["other", topic(0), topic(1), topic(2)]);
  for (let at = 0; at < 3; at++) filters.remove(topic(at));
  filters.remove("other");
  filters.remove("fixed/x/s");
  assert.is(subscribed.size, 0);
  assert.is(budget.left, 100);
  let refused = 0;
  for (let at = 0; at < 150; at++) if (!filters.add(`${at}/${at}/${at}`)) refused++;
  assert.is(refused, 50);
});

test("topics for which there was no subscription left are heard when there is one, whoever gave it back", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new SeededRandom(seed);
    const budget = new FilterBudget(20);
    const sets = [0, 1].map(() => {
      const subscribed = new Set<string>();
      const wanted = new Set<string>();
      const filters = new FoldedFilters(["fixed/+"], budget, (added, removed) => {
        for (const filter of removed) assert.ok(subscribed.delete(filter), filter);
        for (const filter of added) subscribed.add(filter);
      });
      return { subscribed, wanted, filters };
    });
    for (let at = 0; at < 600; at++) {
      const { filters, wanted } = sets[random.below(2)];
      const topic = `${["a", "b", "fixed"][random.below(3)]}/${random.below(3)}/${random.below(12)}`;
      const isGrowing = at < 300 ? random.below(4) > 0 : random.below(4) === 0;
      if (isGrowing) filters.add(topic);
      else filters.remove(topic);
      if (isGrowing) wanted.add(topic);
      else wanted.delete(topic);
      const made = sets.reduce((sum, { subscribed }) => sum + subscribed.size, 0);
      assert.is(budget.left, 20 - made, `seed ${seed}`);
      assert.ok(made <= 20, `seed ${seed}: ${made}`);
      if (budget.left === 0) continue;
      for (const one of sets) {
        for (const topic of one.wanted) {
          assert.ok(
            [...one.subscribed].some((filter) => matchesFilter(filter, topic)),
            `seed ${seed}: ${topic}`,
          );
        }
      }
    }
    for (const { filters, wanted } of sets) for (const topic of wanted) filters.remove(topic);
    assert.is(budget.left, 20, `seed ${seed}`);
  }
});

test("topics beyond the limit are waited for when there is room, the first first", () => {
  const dropped = new Dropped();
  const topics = new PresenceTopics([], dropped, new FilterBudget(100), () => {});
  for (let at = 0; at < LIMITS.presenceTopics; at++) topics.watch(`s${at}`, [`d/${at}/s`]);
  topics.watch("x", ["late/1"]);
  topics.watch("y", ["late/2"]);
  topics.watch("z", ["late/2", "late/3"]);
  assert.equal(dropped.counts, { "too many presence topics": 3 });
  assert.is(topics.heard("late/1", "online").size, 0);
  topics.watch("x", []); // waits no longer
  topics.watch("s7", []);
  assert.equal([...topics.heard("late/2", "online")], ["y", "z"]);
  assert.is(topics.heard("late/3", "online").size, 0);
  topics.watch("s8", ["d/9/s"]);
  assert.equal([...topics.heard("late/3", "online")], ["z"]);
  assert.equal([...topics.heard("d/9/s", "online")], ["s9", "s8"]);
});

test("what was said where nobody waited yet is remembered, if it was subscribed to", () => {
  const topics = new PresenceTopics(["a/+"], new Dropped(), new FilterBudget(10), () => {});
  assert.is(topics.heard("a/1", "online").size, 0);
  topics.heard("b/1", "online");
  assert.is(topics.last("a/1"), "online");
  assert.is(topics.last("b/1"), undefined);
  topics.watch("x", ["a/1", "b/#", "$SYS/x", "c"]);
  assert.equal([...topics.heard("a/1", "offline")], ["x"]);
  assert.equal([...topics.heard("c", "1")], ["x"]);
  assert.equal(topics.filters, ["c"]);
  topics.heard("c", "x".repeat(300)); // no presence
  assert.is(topics.last("c"), undefined);
  topics.watch("x", []);
  assert.equal(topics.filters, []);
});

test("availability: what each mode makes of several topics", () => {
  const of = (mode: string, said: Record<string, string>, latest?: string) =>
    presenceOf(
      availabilityOf({
        availability: [{ topic: "a" }, { topic: "b", payload_available: "1", payload_not_available: "0" }],
        availability_mode: mode,
      }),
      (topic) => said[topic],
      latest,
    );
  const cases: readonly (readonly [string, Record<string, string>, string | undefined, string])[] = [
    ["all", { a: "online", b: "1" }, undefined, "up"],
    ["all", { a: "online" }, undefined, "unknown"],
    ["all", { b: "0" }, undefined, "down"],
    ["any", { a: "offline", b: "1" }, undefined, "up"],
    ["any", { a: "offline" }, undefined, "unknown"],
    ["any", { a: "offline", b: "0" }, undefined, "down"],
    ["latest", { a: "offline", b: "1" }, "a", "down"],
    ["latest", { a: "offline", b: "1" }, "b", "up"],
    ["latest", { a: "offline", b: "1" }, undefined, "unknown"],
    ["nonsense", { a: "online", b: "1" }, undefined, "up"],
    ["all", { a: "ONLINE", b: "1" }, undefined, "unknown"],
  ];
  for (const [mode, said, latest, expected] of cases) {
    assert.is(of(mode, said, latest), expected, JSON.stringify([mode, said, latest]));
  }
  const both = availabilityOf({ availability: [{ topic: "a" }, { topic: "b" }] });
  const saying = (word: string) => (topic: string) => (topic === "a" ? word : undefined);
  assert.is(presenceOf(both, saying("offline"), undefined), "unknown", "b may still be heard");
  assert.is(presenceOf(both, saying("offline"), undefined, true), "down");
  assert.is(presenceOf(both, saying("online"), undefined, true), "up");
  assert.is(presenceOf(both, saying("?"), undefined, true), "unknown");
  const templated = (template: string, payload: string) =>
    presenceOf(availabilityOf({ availability_topic: "t", availability_template: template }), () => payload, "t");
  assert.is(templated("{{ value_json.state }}", '{"state":"online"}'), "up");
  assert.is(templated("{{value_json.conn.word}}", '{"conn":{"word":"offline"}}'), "down");
  assert.is(templated("{{ value_json['a b'][\"c\"] }}", '{"a b":{"c":"online"}}'), "up");
  assert.is(templated("{{ 'online' if value_json.x > 3 else 'offline' }}", '{"x":4}'), "unknown");
  assert.is(templated("{{ value }}", "online"), "up");
});

test("the table of lives: what changes from shown to not shown tells it, and what is shown anew has an end", () => {
  const announced = new Set<Phase>(["present", "provisional", "grace", "gone", "expired"]);
  for (const [phase, transitions] of Object.entries(LIFE) as [Phase, (typeof LIFE)[Phase]][]) {
    for (const [input, { next, effects }] of Object.entries(transitions)) {
      const what = `${phase}/${input}`;
      const has = (prefix: string) => effects.some((effect) => effect.startsWith(prefix));
      if (SHOWN.has(phase) && !SHOWN.has(next)) assert.ok(has(next === "new" ? "forget" : "hide"), what);
      if (!SHOWN.has(phase) && SHOWN.has(next)) assert.ok(has("show") && has("await-"), what);
      if (announced.has(phase) && next === "new") assert.equal(effects, ["forget"], what);
      if (SHOWN.has(phase) && next === "grace" && phase !== "grace") assert.equal(effects, ["await-return"], what);
    }
  }
});

test("lists of Zigbee2MQTT's: 100 KB, and more than 1 MB", () => {
  const desk = new Desk({ conventions: ["zigbee2mqtt"] });
  const { text, names } = bridgeDevices(100_000);
  assert.ok(text.length > 100_000 && names.length > 50);
  desk.say("zigbee2mqtt/bridge/state", "online", true);
  desk.say("zigbee2mqtt/bridge/devices", text, true);
  desk.wait(2);
  assert.equal(desk.names(), [...names].sort());
  // one device renamed, one gone: two changes, and nothing else is told
  const before = desk.history.length;
  const changed = JSON.parse(text) as { friendly_name: string }[];
  changed[5].friendly_name = "renamed";
  changed.splice(7, 1);
  desk.say("zigbee2mqtt/bridge/devices", JSON.stringify(changed), true);
  desk.wait(2);
  assert.equal(desk.history.slice(before).sort(), ["publish renamed", `withdraw ${names[6]}`]);
  desk.say("zigbee2mqtt/bridge/devices", bridgeDevices(1_100_000).text, true);
  desk.wait(2);
  assert.equal(desk.dropped.counts, { "payload too large": 1 });
  assert.is(desk.services.size, names.length - 1);
  desk.stop();
});

test("limits of announcements: the length of all together", () => {
  const desk = new Desk({ conventions: ["homeassistant", "homie"] });
  const long = "x".repeat(1000);
  const options = Object.fromEntries(
    [..."abcdefghijklmnopqrstuvwxyz"].map((letter) => [`${letter}_topic`, letter.repeat(500)]),
  );
  const config = (at: number, name: string) => ({
    ...options,
    avty_t: `d/${at}/s`,
    dev: { ids: [`d${at}`], name, mf: long },
  });
  const say = (at: number, name = `d${at}`) => desk.say(`homeassistant/sensor/d${at}/config`, config(at, name), true);
  // what is not shown makes room
  for (let at = 0; at < 4_000; at++) say(at);
  desk.wait(5);
  const shown = desk.services.size;
  const each = LIMITS.announcedCharacters / shown;
  assert.ok(each > 13_000 && each < 16_000, `${shown} services`);
  assert.is(desk.dropped.counts["too many announcements"], undefined);
  // what is shown does not
  say(90_000);
  desk.wait(5);
  assert.is(desk.services.size, shown);
  assert.is(desk.dropped.counts["too many announcements"], 1);
  const [some] = desk.names();
  desk.say(`homeassistant/sensor/${some}/config`, "", true);
  say(90_000);
  desk.wait(5);
  assert.is(desk.services.size, shown);
  assert.ok(desk.names().includes("d90000"));
  for (let at = 0; at < 60; at++) {
    desk.say(`homie/h${at}/$homie`, "4.0.0", true);
    desk.say(`homie/h${at}/$state`, "ready", true);
    for (let n = 0; n < 900; n++) desk.say(`homie/h${at}/n/p${n}/$datatype`, long, true);
  }
  const refused = desk.dropped.counts["too many attributes"];
  assert.ok(refused > 54_000 - LIMITS.announcedCharacters / 1000 && refused < 54_000, String(refused));
  desk.stop();
});

test("limits of announcements: none that is shown makes room", () => {
  const desk = new Desk({ conventions: ["homie"] });
  for (let at = 0; at < LIMITS.devices; at++) {
    desk.say(`homie/d${at}/$homie`, "4.0.0", true);
    desk.say(`homie/d${at}/$state`, "ready", true);
  }
  desk.wait(3);
  assert.is(desk.services.size, LIMITS.devices);
  for (let at = 0; at < 10; at++) desk.say(`homie/e${at}/$name`, "x", true);
  assert.equal(desk.dropped.counts, { "too many announcements": 10 });
  desk.stop();
});

test.run();
