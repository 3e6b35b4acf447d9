/** A convention that a mapping table describes. */

import type { Timer } from "../../../core/clock.js";
import type { ConventionContext } from "./convention.js";
import { DeviceConvention } from "./device-convention.js";
import { type Json, member, payloadText, pointedTo, readJson } from "./json.js";
import { TIMES } from "./limits.js";
import { type MappedPresence, Mapping, type MappingTable } from "./mapping-table.js";
import { PresenceTopics } from "./presence-topics.js";
import { type Question, Questions } from "./questions.js";
import { refuse } from "./refuse.js";
import { type Presence, Sightings } from "./sightings.js";
import { cleanText } from "./texts.js";

/** Intervals between the messages of one device of which the longest counts. */
const INTERVALS = 4;

interface MappedDevice {
  readonly topic: string;
  presence?: MappedPresence | undefined;
  sleeps: boolean;
  questions: readonly Question[];
  /** Since it came, or we did. */
  isAsked: boolean;
  lastMs?: number;
  readonly intervalsMs: number[];
  /** On which its TTL is based. Follows the observed one only if that is quite another. */
  intervalSeconds?: number;
}

export class MappedConvention extends DeviceConvention {
  readonly name: string;
  protected readonly fixed: readonly string[];
  protected readonly sightings: Sightings;
  protected override readonly topics: PresenceTopics;
  private readonly mapping: Mapping;
  private readonly devices = new Map<string, MappedDevice>();
  private readonly byTopic = new Map<string, Set<string>>();
  private askTimer: Timer | undefined;
  private readonly questions: Questions | undefined;

  /** `prefix` tells its announcements from those of other tables with the same name. Throws a `MappingError`. */
  constructor(
    context: ConventionContext,
    table: MappingTable,
    private readonly prefix: string,
  ) {
    super(context);
    this.mapping = new Mapping(table);
    this.fixed = [this.mapping.topics.filter];
    this.name = table.name;
    this.questions = context.ask && table.askEach && new Questions(context.timers, context.ask);
    this.sightings = new Sightings(this.name, context, { forgotten: (subject) => this.forget(subject) });
    this.topics = new PresenceTopics(this.fixed, context.dropped, context.budget, (added, removed) =>
      context.onFiltersChanged(this, added, removed),
    );
  }

  protected take(topic: string, payload: Uint8Array, retained: boolean): void {
    const levels = this.mapping.topics.match(topic);
    if (levels) this.announcement(topic, levels, payload, retained);
    for (const subject of this.topics.heard(topic, payloadText(payload.subarray(0, 1024)))) {
      this.tellPresence(subject, retained);
    }
  }

  override brokerBack(): void {
    super.brokerBack();
    for (const device of this.devices.values()) device.isAsked = false;
    const { ask } = this.mapping.table;
    const publish = this.context.ask;
    if (!ask || !publish) return;
    this.askTimer?.cancel(); // the subscriptions shall be there when the answers come
    this.askTimer = this.context.timers.after("mqtt ask", TIMES.quietMs, () => publish(ask.topic, ask.payload));
  }

  override brokerLost(): void {
    this.askTimer?.cancel();
    this.questions?.clear();
    super.brokerLost();
  }

  override stop(): void {
    this.askTimer?.cancel();
    this.questions?.clear();
    super.stop();
    this.devices.clear();
    this.byTopic.clear();
  }

  private announcement(
    topic: string,
    levels: ReadonlyMap<string, string>,
    payload: Uint8Array,
    retained: boolean,
  ): void {
    const known = this.byTopic.get(topic);
    if (payload.length === 0) {
      // where several devices announce themselves on one topic, an empty message says nothing of any of them
      if (known?.size === 1) for (const subject of [...known]) this.sightings.cleared(subject);
      return;
    }
    const read = this.read(payload);
    if ("refusal" in read) {
      refuse(this.context, topic, read.refusal);
      return;
    }
    const { json, text } = read;
    if (member(json, "sdid") !== undefined) {
      refuse(this.context, topic, "own announcement");
      return;
    }
    if (!this.mapping.isAnnouncement(json)) {
      if (!retained) for (const subject of known ?? []) this.sightings.alive(subject);
      return;
    }
    const from = { json, text, levels };
    const subject = `${this.prefix}/${topic}\0${this.mapping.idOf(from) ?? ""}`;
    const device = this.devices.get(subject) ?? newDevice(topic);
    if (!retained) this.observe(device);
    const mapped = this.mapping.read(from, device.intervalSeconds);
    if (!mapped) {
      refuse(this.context, topic, "no identity");
      return;
    }
    const { presence } = mapped;
    const expectsPresence =
      presence !== undefined && !mapped.sighting.sleeps && this.topics.last(presence.topic) === undefined;
    if (!this.sightings.announced(subject, mapped.sighting, retained, expectsPresence)) return;
    this.devices.set(subject, device);
    const others = this.byTopic.get(topic);
    if (others) others.add(subject);
    else this.byTopic.set(topic, new Set([subject]));
    device.presence = presence;
    device.questions = mapped.questions;
    device.sleeps = mapped.sighting.sleeps ?? false;
    this.topics.watch(subject, device.presence ? [device.presence.topic] : []);
    if (device.sleeps || !device.presence) this.sightings.presence(subject, "unknown", retained);
    else this.tellPresence(subject, true);
  }

  private read(payload: Uint8Array): { readonly json?: Json; readonly text: string } | { readonly refusal: string } {
    if (this.mapping.table.format !== "text") {
      const read = readJson(payload);
      return "refusal" in read ? read : { json: read.json, text: "" };
    }
    if (payload.length > 1024) return { refusal: "payload too large" };
    const text = cleanText(payloadText(payload));
    return text === undefined ? { refusal: "not UTF-8" } : { text };
  }

  private observe(device: MappedDevice): void {
    const nowMs = this.context.clock.monotonicMs();
    if (device.lastMs !== undefined) device.intervalsMs.push(nowMs - device.lastMs);
    device.lastMs = nowMs;
    if (device.intervalsMs.length > INTERVALS) device.intervalsMs.shift();
    if (device.intervalsMs.length === 0) return;
    const observed = Math.max(...device.intervalsMs) / 1000;
    const present = device.intervalSeconds;
    if (present === undefined || observed > present * 1.25 || observed < present / 1.25)
      device.intervalSeconds = observed;
  }

  private tellPresence(subject: string, retained: boolean): void {
    const device = this.devices.get(subject);
    if (!device?.presence) return;
    const presence = wordOf(device.presence, this.topics.last(device.presence.topic));
    if (presence === "up") this.ask(device);
    else if (presence === "down") device.isAsked = false;
    if (!device.sleeps) {
      if (presence !== "unknown") this.sightings.presence(subject, presence, retained);
    } else if (presence === "up" && !retained) this.sightings.alive(subject);
  }

  private ask(device: MappedDevice): void {
    const { questions } = this;
    if (!questions || device.isAsked) return;
    device.isAsked = device.questions.every((question) => questions.add(question));
  }

  private forget(subject: string): void {
    const device = this.devices.get(subject);
    if (!device) return;
    this.devices.delete(subject);
    this.topics.watch(subject, []);
    const others = this.byTopic.get(device.topic);
    others?.delete(subject);
    if (others?.size === 0) this.byTopic.delete(device.topic);
  }
}

const newDevice = (topic: string): MappedDevice => ({
  topic,
  sleeps: false,
  questions: [],
  isAsked: false,
  intervalsMs: [],
});

function wordOf({ pointer, up, down }: MappedPresence, text: string | undefined): Presence {
  if (text === undefined) return "unknown";
  let word: string | undefined = text.trim();
  if (pointer) {
    const read = readJson(Buffer.from(text));
    word = "json" in read ? cleanText(pointedTo(read.json, pointer)) : undefined;
  }
  return word === up ? "up" : word === down ? "down" : "unknown";
}
