/** Home Assistant's availability: one or several topics, each with its payloads, and how they count together. */

import { type Json, listOf, member, pointedTo, readJson } from "./json.js";
import { LIMITS } from "./limits.js";
import type { Presence } from "./sightings.js";
import { cleanText, usableTopic } from "./texts.js";

export interface AvailabilityTopic {
  readonly topic: string;
  readonly available: string;
  readonly notAvailable: string;
  /** Where in a JSON payload the word stands; `undefined`: the payload is the word. */
  readonly path?: readonly string[];
}

export interface Availability {
  readonly topics: readonly AvailabilityTopic[];
  /** `latest`: what was heard last counts. */
  readonly mode: "all" | "any" | "latest";
}

/** How several components of one device count together: it is there while one of them is. */
export function presenceOfAny(words: readonly Presence[]): Presence {
  if (words.includes("up")) return "up";
  return words.length > 0 && words.every((word) => word === "down") ? "down" : "unknown";
}

/** The availability of an entity whose keys are spelled out and whose `~` is replaced. */
export function availabilityOf(entity: Json): Availability {
  const entries = listOf(member(entity, "availability")).slice(0, LIMITS.availabilityTopics);
  const mode = member(entity, "availability_mode");
  const topics = entries.flatMap((entry) => topicOf(entry, member(entry, "topic"), member(entry, "value_template")));
  const single = topicOf(entity, member(entity, "availability_topic"), member(entity, "availability_template"));
  return { topics: [...topics, ...single], mode: mode === "all" || mode === "any" ? mode : "latest" };
}

function topicOf(from: Json, topic: Json | undefined, template: Json | undefined): AvailabilityTopic[] {
  if (!usableTopic(topic)) return [];
  const path = template === undefined || template === null ? WHOLE : templatePath(template);
  if (path === undefined) return []; // who could say what is available? It counts as having no availability
  return [
    {
      topic,
      available: cleanText(member(from, "payload_available")) ?? "online",
      notAvailable: cleanText(member(from, "payload_not_available")) ?? "offline",
      ...(path.length > 0 ? { path } : {}),
    },
  ];
}

const WHOLE: readonly string[] = [];

/**
 * Templates are programs and are not run. The usual one names a member: `{{ value_json.state }}`, or nothing: `{{ value }}`.
 * `undefined`: it is another one.
 */
function templatePath(template: Json): readonly string[] | undefined {
  if (typeof template !== "string" || template.length > 200) return undefined;
  if (/^\{\{-?\s*value\s*-?\}\}$/.test(template.trim())) return WHOLE;
  const dotted = /^\{\{-?\s*value_json((?:\.[A-Za-z_][A-Za-z0-9_]*|\[(?:'[^'\]]*'|"[^"\]]*")\])+)\s*-?\}\}$/.exec(
    template.trim(),
  );
  if (!dotted) return undefined;
  return [...dotted[1].matchAll(/\.([A-Za-z0-9_]+)|\[['"]([^'"\]]*)['"]\]/g)].map(([, name, quoted]) => name ?? quoted);
}

/** What a payload on this topic means. */
export function wordOf({ available, notAvailable, path }: AvailabilityTopic, payload: string): Presence {
  let word = payload.trim();
  const json = path || word.startsWith("{") ? jsonIn(payload) : undefined;
  if (json !== undefined) {
    // without a template that we understand, this is still what all do who write JSON here
    const value = pointedTo(json, path ?? ["state"]);
    word = cleanText(value) ?? word;
  }
  if (word === available) return "up";
  return word === notAvailable ? "down" : "unknown";
}

/** What was read last. Thousands of announcements may name one topic, and each looks into all of its own. */
const read = new Map<string, Json | undefined>();

function jsonIn(payload: string): Json | undefined {
  if (read.has(payload)) return read.get(payload);
  if (read.size >= LIMITS.availabilityTopics) read.clear();
  const parsed = readJson(Buffer.from(payload));
  const json = "json" in parsed ? parsed.json : undefined;
  read.set(payload, json);
  return json;
}

/** `latest`: the topic that was just heard, if any. `isComplete`: what was not heard yet is not going to be. */
export function presenceOf(
  { topics, mode }: Availability,
  said: (topic: string) => string | undefined,
  latest: string | undefined,
  isComplete = false,
): Presence {
  const words = topics.map((one) => {
    const text = said(one.topic);
    return text === undefined ? "unknown" : wordOf(one, text);
  });
  const all = (presence: Presence) => words.length > 0 && words.every((word) => word === presence);
  if (mode === "all") return words.includes("down") ? "down" : all("up") ? "up" : "unknown";
  if (mode === "any") return words.includes("up") ? "up" : all("down") ? "down" : "unknown";
  const at = topics.findIndex(({ topic }) => topic === latest);
  if (at >= 0 && words[at] !== "unknown") return words[at];
  // nothing tells which was the latest: what all of them say that say anything
  const known = isComplete ? words.filter((word) => word !== "unknown") : words;
  return known.length > 0 && known.every((word) => word === known[0]) ? known[0] : "unknown";
}
