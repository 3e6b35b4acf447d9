/** Mapping tables: what the administrator, or a table of our own, says of a way in which devices announce themselves. */

import { type Announced, type Expression, expression } from "./expression.js";
import { type Json, pointedTo, pointerTokens } from "./json.js";
import type { Question } from "./questions.js";
import { isReserved, type Sighting, SightingCollector } from "./sighting.js";
import { cleanText, usableTopic } from "./texts.js";
import { type TopicPattern, topicPattern } from "./topic-pattern.js";

export type PropertyRule =
  | string
  | {
      readonly value: string;
      readonly map?: Readonly<Record<string, string>>;
      /** Values that are left out. */
      readonly without?: readonly string[];
    };

/** Texts with braces are expressions (expression.ts). */
export interface MappingTable {
  /** The value of `mqtt.conv`. */
  readonly name: string;
  /** The topics of announcements, with named levels. */
  readonly announce: string;
  /** Default: `json`. */
  readonly format?: "json" | "text";
  /** JSON pointers; a message in which one of them leads nowhere is no announcement, but a sign of life. */
  readonly needs?: readonly string[];
  /** What tells devices apart. May be left out if `mac`, `ieee` or `mqtt.base` is among the properties. */
  readonly id?: string;
  /** `mac` and `ieee` are recognised in any notation. A value that `map` does not name is left out. */
  readonly properties: Readonly<Record<string, PropertyRule>>;
  readonly presence?: PresenceRule;
  /** If this gives anything but 0 and false, the device sleeps: it has no presence, and `sleepTtl` counts. */
  readonly asleep?: string;
  /** Seconds; default: a day. */
  readonly sleepTtl?: number;
  /** Seconds for which a device may be silent. Default: for ever while its presence says so, else a day. */
  readonly ttl?: number;
  /** Instead, so many times the longest of the last intervals between its messages. */
  readonly ttlIntervals?: number;
  /** False: the broker does not keep these announcements. Default: true. */
  readonly kept?: boolean;
  /** Published after connecting, if asking is allowed: devices announce themselves upon it. */
  readonly ask?: { readonly topic: string; readonly payload: string };
  /** Published for each device whose presence says that it is there, once after each coming, if asking is allowed. */
  readonly askEach?: { readonly topic: string; readonly payloads: readonly string[] };
}

export interface PresenceRule {
  readonly topic: string;
  /** Texts replaced in `topic` after its places: for devices that announce templates of their own. */
  readonly replace?: Readonly<Record<string, string>>;
  /** Where in a JSON payload the word stands. */
  readonly pointer?: string;
  /** Default: `online` and `offline`. */
  readonly up?: string;
  readonly down?: string;
}

export interface MappedPresence {
  readonly topic: string;
  readonly pointer: readonly string[] | undefined;
  readonly up: string;
  readonly down: string;
}

export interface Mapped {
  readonly sighting: Sighting;
  readonly presence: MappedPresence | undefined;
  readonly questions: readonly Question[];
}

/** What is wrong with a table. */
export class MappingError extends RangeError {
  override readonly name = "MappingError";

  constructor(
    /** Relative to the table: `properties.addr`. */
    readonly key: string,
    message: string,
  ) {
    super(message);
  }
}

/** A table that has been read. */
export class Mapping {
  readonly topics: TopicPattern;
  private readonly needs: readonly (readonly string[])[];
  private readonly id: Expression | undefined;
  private readonly rules: readonly {
    readonly name: string;
    readonly value: Expression;
    readonly map: ReadonlyMap<string, string> | undefined;
    readonly without: ReadonlySet<string>;
  }[];
  private readonly asked: Expression | undefined;
  private readonly asleep: Expression | undefined;
  private readonly presence: ((from: Announced) => MappedPresence | undefined) | undefined;

  /** Throws a `MappingError`. */
  constructor(readonly table: MappingTable) {
    this.topics = at("announce", () => topicPattern(table.announce));
    const read = (key: string, text: string) => at(key, () => expression(text, this.topics.names));
    this.needs = (table.needs ?? []).map((pointer, i) => at(`needs[${i}]`, () => pointerTokens(pointer)));
    this.id = table.id === undefined ? undefined : read("id", table.id);
    this.rules = Object.entries(table.properties).map(([name, rule]) => {
      const key = `properties.${name}`;
      if (isReserved(name)) throw new MappingError(key, "is set by the gateway itself");
      if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) throw new MappingError(key, "expected 1 to 64 of A-Z a-z 0-9 . _ -");
      if (typeof rule === "string") return { name, value: read(key, rule), map: undefined, without: NOTHING };
      const map = rule.map && new Map(Object.entries(rule.map));
      return { name, value: read(`${key}.value`, rule.value), map, without: new Set(rule.without) };
    });
    if (!this.id && !this.rules.some(({ name }) => identifies(name))) {
      throw new MappingError("id", "missing; needed is what tells devices apart, or a property mac, ieee or mqtt.base");
    }
    this.asleep = table.asleep === undefined ? undefined : read("asleep", table.asleep);
    this.asked = table.askEach && read("askEach.topic", table.askEach.topic);
    this.presence = table.presence && presenceReader(table.presence, read);
    if (table.ask && !usableTopic(table.ask.topic))
      throw new MappingError("ask.topic", "expected a topic without + and #");
  }

  /** Whether a message is an announcement, as opposed to something else that the device says. */
  isAnnouncement(json: Json | undefined): boolean {
    return this.needs.every((tokens) => json !== undefined && pointedTo(json, tokens) !== undefined);
  }

  /** What tells this announcement's device from others on the same topic. */
  idOf(from: Announced): string | undefined {
    if (this.id) return cleanText(this.id.text(from));
    for (const { name, value } of this.rules) {
      const id = identifies(name) ? cleanText(value.text(from)) : undefined;
      if (id !== undefined) return id;
    }
    return undefined;
  }

  /** `undefined` if nothing tells which device it is. `intervalSeconds`: as observed. */
  read(from: Announced, intervalSeconds: number | undefined): Mapped | undefined {
    const { name, kept } = this.table;
    const collector = new SightingCollector();
    const id = this.id && this.idOf(from);
    if (id !== undefined) collector.key("own", `${name}/${id}`);
    for (const rule of this.rules) {
      for (const value of rule.value.values(from)) {
        if (rule.without.has(String(value))) continue;
        const mapped = rule.map ? rule.map.get(String(value)) : value;
        if (rule.name === "mac") collector.mac(mapped);
        else if (rule.name === "ieee") collector.ieee(mapped);
        else collector.add(rule.name, Number.isSafeInteger(mapped) ? BigInt(mapped as number) : mapped);
        if (rule.name === "mqtt.base") collector.key("base", mapped);
      }
    }
    const asleep = this.asleep?.values(from).some((value) => value !== 0 && value !== "0" && value !== false) ?? false;
    const silentSeconds = asleep ? (this.table.sleepTtl ?? 86_400) : this.silentSeconds(intervalSeconds);
    const sighting = collector.sighting({
      ...(silentSeconds === undefined ? {} : { silentSeconds }),
      ...(asleep ? { sleeps: true } : {}),
      ...(kept === false ? { passing: true } : {}),
    });
    return sighting && { sighting, presence: this.presence?.(from), questions: this.questions(from) };
  }

  private questions(from: Announced): readonly Question[] {
    const topic = this.asked?.text(from);
    return usableTopic(topic) ? this.table.askEach!.payloads.map((payload) => ({ topic, payload })) : [];
  }

  private silentSeconds(intervalSeconds: number | undefined): number | undefined {
    const { ttl, ttlIntervals } = this.table;
    if (ttlIntervals === undefined || intervalSeconds === undefined) return ttl;
    return Math.min(Math.max(Math.ceil(ttlIntervals * intervalSeconds), 60), 86_400);
  }
}

const NOTHING: ReadonlySet<string> = new Set();

/** Properties that tell devices apart. */
const identifies = (name: string) => name === "mac" || name === "ieee" || name === "mqtt.base";

function presenceReader(rule: PresenceRule, read: (key: string, text: string) => Expression) {
  const topic = read("presence.topic", rule.topic);
  const up = read("presence.up", rule.up ?? "online");
  const down = read("presence.down", rule.down ?? "offline");
  const { pointer } = rule;
  const tokens = pointer === undefined ? undefined : at("presence.pointer", () => pointerTokens(pointer));
  const replacements = Object.entries(rule.replace ?? {}).map(
    ([from, by]) => [from, read(`presence.replace.${from}`, by)] as const,
  );
  return (from: Announced): MappedPresence | undefined => {
    let text = topic.text(from);
    for (const [old, by] of replacements) text = text?.split(old).join(by.text(from) ?? old);
    const [upText, downText] = [up.text(from), down.text(from)];
    if (!usableTopic(text) || upText === undefined || downText === undefined) return undefined;
    return { topic: text, pointer: tokens, up: upText, down: downText };
  };
}

function at<T>(key: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof RangeError ? new MappingError(key, error.message) : error;
  }
}
