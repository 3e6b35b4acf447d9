/**
 * The part of the configuration file that says which conventions an MQTT gateway reads: keys of the gateway's own mapping.
 * See schema.ts for the keywords.
 */

import { Type } from "@sinclair/typebox";
import { CONVENTIONS, type ConventionName, RESERVED_NAMES } from "../../gateway/mqtt/conventions/conventions.js";
import { Mapping, MappingError } from "../../gateway/mqtt/conventions/mapping-table.js";
import { usableTopic } from "../../gateway/mqtt/conventions/texts.js";
import { checkedRoot } from "../../gateway/mqtt/topics.js";
import { type ConventionsInFile, type TableInFile, tableOf } from "./conventions-in-file.js";
import type { Report } from "./object-checks.js";
import { count, mapping, oneOf, seconds, text } from "./schema-parts.js";

const topicPrefix = text({ what: "a topic prefix", maxLength: 100, accepted: "topic levels without + and #" });

const expressionText = (description: string, example: string) =>
  text({ what: "a text with places in braces", examples: [example], description });

const property = Type.Union(
  [
    text({ what: "a text with places in braces", maxLength: 1024 }),
    mapping({
      value: expressionText("What is looked up in map.", "{/type}"),
      map: Type.Record(Type.String(), text(), {
        maxProperties: 64,
        what: "a mapping of values",
        accepted: "at most 64",
        description: "What stands for which value; others are left out.",
      }),
    }),
  ],
  { what: "a property: a text with places in braces, or a mapping with value and map" },
);

const presence = mapping(
  {
    topic: expressionText("Topic in which the device says whether it is there.", "house/{room}/status"),
    pointer: Type.Optional(
      Type.String({
        maxLength: 256,
        what: "a JSON pointer",
        examples: ["/state"],
        description: "Where in a JSON payload the word stands. Default: the payload is the word.",
      }),
    ),
    up: text({ default: "online", maxLength: 256, description: "What it says when it is there." }),
    down: text({ default: "offline", maxLength: 256, description: "What it, or its last will, says when it is not." }),
    replace: Type.Optional(
      Type.Record(Type.String(), text(), {
        maxProperties: 16,
        what: "a mapping of texts",
        accepted: "at most 16",
        examples: [{ "%topic%": "{/t}" }],
        description: "Texts that are replaced in the topic, for devices that announce templates of their own.",
      }),
    ),
  },
  { description: "Where and how devices tell their presence. Default: they do not." },
);

const mappingTable = mapping(
  {
    name: Type.String({
      pattern: "^[A-Za-z0-9_-]{1,32}$",
      what: "a name of a mapping",
      accepted: "1 to 32 of A-Z a-z 0-9 _ -",
      examples: ["house"],
      description: "Shown as the property mqtt.conv of the devices.",
    }),
    announce: text({
      what: "a topic filter with named levels",
      maxLength: 512,
      examples: ["house/{room}/info"],
      description: "Topics of the announcements. {name} stands for a level, or for a part of one.",
    }),
    format: oneOf(["json", "text"] as const, {
      what: "a format",
      default: "json",
      description: "What the announcements are.",
    }),
    needs: Type.Optional(
      Type.Array(text({ what: "a JSON pointer", maxLength: 256 }), {
        maxItems: 16,
        what: "a list of JSON pointers",
        examples: [["/ip"]],
        description: "Without these members a message is no announcement, but a sign of life.",
      }),
    ),
    id: Type.Optional(
      expressionText(
        "What tells devices apart. May be left out if mac, ieee or mqtt.base is among the properties.",
        "{/serial}",
      ),
    ),
    properties: Type.Record(Type.String(), property, {
      maxProperties: 64,
      what: "a mapping of properties",
      accepted: "at most 64",
      examples: [{ mac: "{/mac}" }],
      description:
        "Properties of the service. {/a/b} is a JSON pointer, {room} a level, {/x|/y} the first that is there. Or a " +
        "mapping: value, and map with what stands for which value.",
    }),
    presence: Type.Optional(presence),
    asleep: Type.Optional(
      expressionText("If this is neither 0 nor false the device sleeps: its presence says nothing.", "{/sleep}"),
    ),
    sleep_ttl: seconds(60, 31_536_000, {
      default: 86_400,
      description: "How long a sleeping device may be silent.",
    }),
    ttl: Type.Optional(
      seconds(60, 31_536_000, {
        examples: [3600],
        description: "How long a device may be silent. Default: as its presence says; without presence a day.",
      }),
    ),
    ttl_intervals: Type.Optional(
      count("a number of intervals", 2, 100, {
        examples: [3],
        description: "Instead, that many times the longest of the last four intervals between its messages.",
      }),
    ),
    kept: Type.Boolean({ default: true, description: "Whether the broker keeps (retains) the announcements." }),
    ask: Type.Optional(
      mapping(
        {
          topic: text({ maxLength: 512, examples: ["house/discover"], description: "Where to." }),
          payload: Type.String({ default: "", maxLength: 1024, what: "a text", description: "What." }),
        },
        { description: "Published after connecting, so that devices announce themselves. Only with ask: true." },
      ),
    ),
  },
  { what: "a mapping of announcements to services", check: checkMapping },
);

/** Keys of an MQTT gateway. */
export const conventionKeys = {
  conventions: Type.Array(oneOf<ConventionName>(CONVENTIONS, { what: "a convention" }), {
    default: ["native"],
    maxItems: CONVENTIONS.length,
    what: "a list of conventions",
    description:
      "How devices announce themselves at this broker: native, homeassistant, homie, zigbee2mqtt, tasmota, esphome, " +
      "shelly. Each one more is subscribed to and brings foreign devices into the domain; hence native alone by default.",
  }),
  homeassistant_prefixes: Type.Array(topicPrefix, {
    default: ["homeassistant"],
    minItems: 1,
    maxItems: 8,
    what: "a list of topic prefixes",
    description: "Discovery prefixes of Home Assistant.",
  }),
  homie_domain: text({
    default: "+",
    maxLength: 100,
    description: "First topic level of Homie 5; + for any.",
  }),
  homie_root: Type.Optional(
    text({ maxLength: 100, examples: ["homie"], description: "First topic level(s) of Homie 4. Default: homie." }),
  ),
  zigbee_bases: Type.Array(topicPrefix, {
    default: ["zigbee2mqtt"],
    minItems: 1,
    maxItems: 8,
    what: "a list of base topics",
    description: "Base topics of Zigbee2MQTT, one for each bridge.",
  }),
  precedence: Type.Optional(
    Type.Array(text({ what: "a convention, or the name of a mapping", maxLength: 32 }), {
      maxItems: 64,
      what: "a list of conventions",
      examples: [["homeassistant"]],
      description:
        "Where several conventions say different things of one device: whose values count, the best first. Those not " +
        "named follow: mappings, zigbee2mqtt, homie5, homie4, tasmota, esphome, shelly, homeassistant.",
    }),
  ),
  ask: Type.Boolean({
    default: false,
    description:
      "Ask devices to announce themselves after connecting (ESPHome, Shelly, mappings): writes to the broker.",
  }),
  mappings: Type.Optional(
    Type.Array(mappingTable, {
      maxItems: 64,
      what: "a list of mappings",
      description: "Further conventions, described by tables.",
    }),
  ),
};

/** Everything that the reader of tables does not take. A key with a problem of its own is absent. */
function checkMapping(table: Partial<TableInFile>, report: Report): void {
  if (table.name !== undefined && RESERVED_NAMES.has(table.name)) {
    report("name", `"${table.name}" is the name of a built-in convention (take another one)`);
  }
  if (table.announce === undefined || table.properties === undefined) return;
  try {
    new Mapping(tableOf({ name: "", ...table } as TableInFile));
  } catch (error) {
    if (!(error instanceof MappingError)) throw error;
    report(error.key, error.message);
  }
}

/** What must hold for the keys of a gateway; to be called by its own check. */
export function checkConventions(gateway: Partial<ConventionsInFile>, report: Report): void {
  const prefixes = (key: "homeassistant_prefixes" | "zigbee_bases") => {
    for (const [at, prefix] of (gateway[key] ?? []).entries()) {
      if (prefix !== undefined) checkPrefix(prefix, `${key}[${at}]`, report);
    }
  };
  prefixes("homeassistant_prefixes");
  prefixes("zigbee_bases");
  if (gateway.homie_root !== undefined) checkPrefix(gateway.homie_root, "homie_root", report);
  const names = new Set([...RESERVED_NAMES, ...(gateway.mappings ?? []).map((table) => table?.name)]);
  for (const [at, name] of (gateway.precedence ?? []).entries()) {
    if (name === undefined || (names.has(name) && name !== "native")) continue;
    report(`precedence[${at}]`, `${JSON.stringify(name)} is neither a convention nor the name of a mapping`);
  }
  const domain = gateway.homie_domain;
  if (domain !== undefined && domain !== "+" && (!usableTopic(domain) || domain.includes("/"))) {
    report("homie_domain", `${JSON.stringify(domain)} is not one topic level (like homie, or + for any)`);
  }
}

function checkPrefix(prefix: string, key: string, report: Report): void {
  try {
    checkedRoot(prefix);
  } catch (error) {
    report(key, (error as Error).message);
  }
}
