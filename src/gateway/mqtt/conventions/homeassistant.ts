/** Home Assistant's discovery: one announcement for each entity, or one for a device with its components. */

import { presenceOf, presenceOfAny } from "./availability.js";
import type { ConventionContext } from "./convention.js";
import { DeviceConvention } from "./device-convention.js";
import { type HaConfig, type HaTopic, parseHaTopic, readHaConfig } from "./ha-config.js";
import { payloadText, readJson } from "./json.js";
import { PresenceTopics } from "./presence-topics.js";
import { refuse } from "./refuse.js";
import { Sightings } from "./sightings.js";

export class HomeAssistant extends DeviceConvention {
  readonly name = "homeassistant";
  protected readonly fixed: readonly string[];
  protected readonly sightings: Sightings;
  protected override readonly topics: PresenceTopics;
  /** What is known of each announcement, by its topic. */
  private readonly configs = new Map<string, HaConfig>();

  constructor(
    context: ConventionContext,
    /** Throws nothing: the configuration has checked it. */
    private readonly prefix = "homeassistant",
  ) {
    super(context);
    this.fixed = [`${prefix}/+/+/config`, `${prefix}/+/+/+/config`];
    this.sightings = new Sightings(this.name, context, {
      forgotten: (subject) => {
        this.configs.delete(subject);
        this.topics.watch(subject, []);
      },
      settling: (subject) => {
        const config = this.configs.get(subject);
        if (config) this.tellPresence(subject, config, undefined, true, true);
      },
    });
    this.topics = new PresenceTopics([], context.dropped, context.budget, (added, removed) =>
      context.onFiltersChanged(this, added, removed),
    );
  }

  protected take(topic: string, payload: Uint8Array, retained: boolean): void {
    const parsed = parseHaTopic(this.prefix, topic);
    if (parsed) this.announcement(topic, parsed, payload, retained);
    else this.presence(topic, payload, retained);
  }

  override stop(): void {
    super.stop();
    this.configs.clear();
  }

  private announcement(topic: string, parsed: HaTopic, payload: Uint8Array, retained: boolean): void {
    if (payload.length === 0) {
      this.sightings.cleared(topic);
      return;
    }
    const read = readJson(payload);
    if ("refusal" in read) {
      refuse(this.context, topic, read.refusal);
      return;
    }
    const config = readHaConfig(parsed, read.json);
    if (config === "migrating") return; // the other form follows; the empty message comes after it
    if (typeof config === "string") {
      if (config !== "removed") refuse(this.context, topic, config);
      this.sightings.cleared(topic);
      return;
    }
    const topics = topicsOf(config);
    const expectsPresence = topics.some((one) => this.topics.last(one) === undefined);
    if (!this.sightings.announced(topic, config.sighting, retained, expectsPresence)) return;
    this.configs.set(topic, config);
    this.topics.watch(topic, [...topics, ...config.signs]);
    if (topics.length > 0) this.tellPresence(topic, config, undefined, true);
    else this.sightings.presence(topic, "unknown", retained);
  }

  private presence(topic: string, payload: Uint8Array, retained: boolean): void {
    for (const subject of this.topics.heard(topic, payloadText(payload))) {
      const config = this.configs.get(subject);
      if (!config) continue;
      if (topicsOf(config).includes(topic)) this.tellPresence(subject, config, retained ? undefined : topic, retained);
      if (!retained && payload.length > 0 && config.signs.includes(topic)) this.sightings.alive(subject);
    }
  }

  /** `latest`: the topic that was heard live just now; nobody knows in which order the broker got what it keeps. */
  private tellPresence(
    subject: string,
    config: HaConfig,
    latest: string | undefined,
    retained: boolean,
    isComplete = false,
  ): void {
    const said = (topic: string) => this.topics.last(topic);
    const words = config.availabilities.map((one) => presenceOf(one, said, latest, isComplete));
    const presence = presenceOfAny(words);
    if (presence !== "unknown") this.sightings.presence(subject, presence, retained);
  }
}

const topicsOf = ({ availabilities }: HaConfig): readonly string[] =>
  availabilities.flatMap(({ topics }) => topics.map(({ topic }) => topic));
