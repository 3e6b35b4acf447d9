/** Beyond the limits: what is not shown makes room, so strangers keep nobody out for good. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { LIMITS } from "../../../../src/gateway/mqtt/conventions/limits.js";
import { Desk } from "./desk.js";

function pumpOfHomie4(desk: Desk, id = "pump"): void {
  desk.say(`homie/${id}/$homie`, "4.0.0");
  desk.say(`homie/${id}/$name`, id);
  desk.say(`homie/${id}/$state`, "ready");
  desk.wait(3);
}

test("Homie 4: devices that are not there make room for one that comes, those that are there do not", () => {
  const desk = new Desk({ conventions: ["homie"] });
  pumpOfHomie4(desk, "first");
  for (let n = 0; n < LIMITS.devices; n++) desk.say(`homie/x${n}/$name`, "x");
  pumpOfHomie4(desk);
  assert.equal(desk.names(), ["first", "pump"]);
  assert.equal(desk.dropped.counts, {});
});

test("Homie 4: and so do their texts", () => {
  const desk = new Desk({ conventions: ["homie"] });
  const text = "x".repeat(LIMITS.textBytes);
  const attributes = Array.from({ length: 1000 }, (_, n) => `n${n}/$name`);
  const count = Math.ceil(LIMITS.announcedCharacters / text.length / attributes.length);
  for (let n = 0; n < count; n++) for (const name of attributes) desk.say(`homie/x${n}/${name}`, text);
  pumpOfHomie4(desk);
  assert.equal(desk.names(), ["pump"]);
  assert.equal(desk.dropped.counts, {});
});

test("Homie 5: devices of which there is a state and nothing else make room", () => {
  const desk = new Desk({ conventions: ["homie"] });
  const announce = (id: string, root?: string) => {
    desk.say(`homie/5/${id}/$description`, { homie: "5.0", name: id, ...(root ? { root } : {}) });
    desk.say(`homie/5/${id}/$state`, "ready");
    desk.wait(3);
  };
  announce("root");
  announce("child", "root");
  for (let n = 0; n < LIMITS.subjects; n++) desk.say(`homie/5/x${n}/$state`, "ready");
  announce("pump");
  announce("late", "root");
  assert.equal(desk.names(), ["child", "late", "pump", "root"]);
  desk.say("homie/5/root/$state", "lost");
  desk.wait(15);
  assert.equal(desk.names(), ["pump"]);
});

test.run();
