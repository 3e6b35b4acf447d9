/**
 * Fuzz target for the conventions of MQTT devices: recorded announcements, disturbed, on recorded topics, disturbed, in any
 * order and with a broker that comes and goes. Whatever is said, what is shown keeps to the limits; and when the broker has
 * been away for long enough nothing is left, neither services nor timers.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BUILT_IN_TABLES } from "../../src/gateway/mqtt/conventions/built-in-tables.js";
import { CONVENTIONS } from "../../src/gateway/mqtt/conventions/conventions.js";
import { LIMITS } from "../../src/gateway/mqtt/conventions/limits.js";
import { Desk } from "../../test/gateway/mqtt/conventions/desk.js";
import { root } from "../../test/support/root.js";
import { mutate } from "./mutate.js";
import type { SeededRandom } from "./random.js";
import { SeededRandom as Seeded } from "./random.js";

interface Message {
  readonly topic: string;
  readonly payload: Buffer;
}

function recorded(): Message[] {
  const folder = join(root, "test/gateway/mqtt/conventions/payloads");
  const messages: Message[] = [];
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
    const sessions = JSON.parse(readFileSync(join(folder, file), "utf8")) as { steps: Record<string, unknown>[] }[];
    for (const { topic, payload } of sessions.flatMap(({ steps }) => steps)) {
      if (typeof topic !== "string") continue;
      const text = typeof payload === "string" ? payload : JSON.stringify(payload);
      messages.push({ topic, payload: Buffer.from(text) });
    }
  }
  return messages;
}

let corpus: Message[] | undefined;

const HOSTILE = [
  '{"__proto__":{"polluted":1}}',
  "[".repeat(5000),
  '{"a":'.repeat(40),
  "\u0000",
  "\ud800",
  "#",
  "+",
  "$SYS/a",
];

function disturbedTopic(random: SeededRandom, topic: string, other: string): string {
  const levels = topic.split("/");
  const at = random.below(levels.length);
  switch (random.below(8)) {
    case 0:
      levels[at] = random.pick(other.split("/"));
      return levels.join("/");
    case 1:
      levels[at] = random.pick(["", "é", "a".repeat(600), "__proto__", "$state", "config"]);
      return levels.join("/");
    default:
      return topic;
  }
}

export function conventionsTarget(seed: number): boolean {
  corpus ??= recorded();
  const random = new Seeded(seed);
  const desk = new Desk({ conventions: CONVENTIONS, mappings: BUILT_IN_TABLES.esphome }, random.below(2) === 0);
  let most = 0;
  for (let left = 20 + random.below(60); left > 0; left--) {
    const { topic, payload } = random.pick(corpus);
    const other = random.pick(corpus);
    const where = disturbedTopic(random, topic, other.topic);
    const what =
      random.below(2) === 0
        ? payload
        : random.below(20) === 0
          ? Buffer.from(random.pick(HOSTILE))
          : mutate(random, payload, other.payload);
    if (random.below(2) === 0) desk.say(where, what, true);
    else desk.replay(where, what);
    if (random.below(6) === 0) desk.wait(random.pick([1, 3, 15, 100, 700, 90_000]));
    if (random.below(25) === 0) {
      desk.lose();
      desk.wait(random.pick([0, 5, 400, 700]));
      desk.back(random.below(2) === 0);
    }
    examine(desk);
    most = Math.max(most, desk.services.size);
  }
  desk.lose();
  desk.wait(800);
  if (desk.services.size > 0) throw new Error(`left: ${desk.names()}`);
  desk.stop();
  if (desk.clock.timers().length > 0) throw new Error(`timers left: ${desk.clock.timers()}`);
  if (Object.keys(Object.prototype).length > 0) throw new Error("a prototype was changed");
  return most > 0;
}

function examine(desk: Desk): void {
  for (const [id, properties] of desk.services) {
    const fail = (why: string) => new Error(`service ${id.toString(16)}: ${why}`);
    let bytes = 0;
    let count = 0;
    for (const required of ["name", "kind", "mqtt.conv", "src"])
      if (!properties.has(required)) throw fail(`no ${required}`);
    for (const [name, values] of properties) {
      if (values.length === 0 || values.length > LIMITS.valuesOfProperty)
        throw fail(`${values.length} values of ${name}`);
      if (new Set(values).size < values.length) throw fail(`a value of ${name} twice`);
      for (const value of values) {
        count++;
        bytes += Buffer.byteLength(name) + Buffer.byteLength(String(value));
        if (/[\u0000-\u001f\u007f-\u009f]/.test(String(value))) throw fail(`control character in ${name}`);
        if (Buffer.byteLength(String(value)) > LIMITS.textBytes) throw fail(`a long ${name}`);
      }
    }
    if (count > LIMITS.values || bytes > LIMITS.deviceBytes) throw fail(`${count} values, ${bytes} bytes`);
    if (properties.get("src")![0] !== "mqtt:lab") throw fail("another src");
  }
  const filters = desk.conventions.all.flatMap(({ filters }) => filters);
  if (new Set(filters).size !== desk.filters.size) throw new Error("subscriptions are not those that were told");
  for (const filter of filters) {
    const levels = filter.split("/");
    if (filter.includes("#") || filter.startsWith("$") || levels.every((level) => level === "+")) {
      throw new Error(`subscribed to ${JSON.stringify(filter)}`);
    }
  }
}
