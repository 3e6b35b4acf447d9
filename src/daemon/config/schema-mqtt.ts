/** The part of the configuration file that describes an MQTT gateway. See schema.ts for the keywords. */

import { type SchemaOptions, Type } from "@sinclair/typebox";
import { FEDERATION_NAME } from "../../gateway/mqtt/federation/topics.js";
import type { OnLoss } from "../../gateway/mqtt/gateway.js";
import { DEFAULT_ORDER } from "../../gateway/mqtt/native/compact.js";
import { DEFAULT_KIND } from "../../gateway/mqtt/native/known-services.js";
import { PRESENCE_LIMITS } from "../../gateway/mqtt/native/presence.js";
import { NAME_PATTERN } from "../../gateway/mqtt/topics.js";
import {
  checkClientCertificate,
  checkFederation,
  checkFilter,
  checkMirrorRule,
  checkMqtt,
  type Given,
  type Report,
} from "./object-checks.js";
import { checkConventions, conventionKeys } from "./schema-mqtt-conventions.js";
import { count, file, gatewayDomain, mapping, oneOf, seconds, text } from "./schema-parts.js";

const willAction = (options: SchemaOptions) =>
  oneOf<OnLoss>(["withdraw", "orphan"], { what: "an action on a last will", ...options });

/** How a broker is reached; the same in every gateway that has one, but that no two have the same client id. */
const brokerKeys = (clientId: string) => ({
  url: text({
    secret: true, // may hold a password, which is then refused
    what: "a broker address",
    accepted: "mqtt://HOST[:PORT] or mqtts://HOST[:PORT]",
    examples: ["mqtt://localhost"],
    description:
      "The broker: mqtt://HOST[:PORT] (port 1883) or mqtts://HOST[:PORT] (TLS, port 8883). Never with user and password.",
  }),
  user: Type.Optional(text({ maxLength: 65_535, examples: ["pafd"], description: "User name at the broker." })),
  password: Type.Optional(
    text({
      secret: true,
      insteadOf: "password_file",
      maxLength: 65_535,
      description: "The password itself.",
    }),
  ),
  password_file: file("/etc/pafd/broker-pw", "File with the password on its first line; best mode 0600."),
  tls: Type.Optional(
    mapping(
      {
        ca: file("/etc/pafd/broker-ca.pem", "Authorities for the broker's certificate, PEM. Default: the system's."),
        cert: file("/etc/pafd/client.pem", "Certificate of this client, PEM; together with key."),
        key: file("/etc/pafd/client.key", "Private key of this client, PEM; together with cert."),
      },
      {
        description: "Only for mqtts: addresses.",
        check: checkClientCertificate,
        dependencies: { cert: ["key"], key: ["cert"] },
      },
    ),
  ),
  client_id: Type.Optional(
    text({
      maxLength: 256,
      examples: [clientId],
      description: "MQTT client id. Default: made from the names in this section, or the host's.",
    }),
  ),
  keepalive: seconds(5, 65_535, { default: 60, description: "MQTT keep alive." }),
});

const BROKER_RULES = {
  dependencies: { password: ["user"], password_file: ["user"] },
  not: { required: ["password", "password_file"] },
};

const filter = (options: SchemaOptions) =>
  text({ what: "a filter", accepted: "like (kind=lamp)", maxLength: 8192, ...options });

const presence = mapping(
  {
    name: Type.Optional(
      Type.String({
        pattern: NAME_PATTERN.source,
        what: "the name of a gateway",
        accepted: "1 to 20 of A-Z a-z 0-9 _ -",
        examples: ["attic"],
        description: "Name of this gateway; each one at the broker needs its own. Default: made from the host name.",
      }),
    ),
    priority: count("a priority", 0, PRESENCE_LIMITS.priority, {
      default: 10,
      description: "Only gateways of the highest priority act; the others stand by.",
    }),
    directory: oneOf<"shared" | "own">(["shared", "own"], {
      what: "a kind of directory",
      default: "shared",
      description:
        "shared: the gateways serve one directory (or joined ones), and each device is published by one of them. own: " +
        "each serves its own directory and publishes every device there.",
    }),
  },
  {
    description:
      "Several gateways share the devices and kinds of this broker among them; writes ROOT/g/NAME. In force anyway if " +
      "there is a mirror or queries.",
  },
);

const mirrorRule = mapping(
  {
    filter: Type.Optional(
      filter({
        examples: ["(kind=lamp)"],
        description: "Which services. Default: all that no rule above it has taken.",
      }),
    ),
    kind: text({
      maxLength: 256,
      what: "a kind of service",
      accepted: `text with \${PROPERTY}`,
      default: DEFAULT_KIND,
      description: "The <kind> in the topic, after properties are put in; 1 to 20 of A-Z a-z 0-9 _ -.",
    }),
    order: Type.Optional(
      Type.Array(text({ maxLength: 64, what: "a property name", accepted: "like url, txt.* or *" }), {
        minItems: 1,
        maxItems: 64,
        what: "a list of property names",
        examples: [["url", "addr", "port", "*"]],
        description:
          "Which properties come first, and are there when the rest is cut; * stands for all others. Default: " +
          `${DEFAULT_ORDER.join(", ")}.`,
      }),
    ),
  },
  { check: checkMirrorRule },
);

export const mqttGateway = mapping(
  {
    type: Type.Literal("mqtt"),
    domain: gatewayDomain,
    ...brokerKeys("pafd-attic"),
    root: text({
      default: "sd1",
      description: "First level(s) of the topics below which devices announce themselves.",
    }),
    site: text({
      default: "local",
      maxLength: 64,
      description: "Gateways that share a site and a root give a device the same service id.",
    }),
    on_will: willAction({
      default: "withdraw",
      description:
        "When a device's last will says it is gone: withdraw its service, or orphan it until its TTL passes.",
    }),
    kinds: Type.Optional(
      Type.Record(
        Type.String({ pattern: NAME_PATTERN.source }),
        mapping({ on_will: willAction({ description: "As above, for this kind." }) }),
        {
          maxProperties: 1000,
          what: "a mapping of device kinds",
          accepted: "each named by 1 to 20 of A-Z a-z 0-9 _ -",
          examples: [{ sensor: { on_will: "orphan" } }],
          description: "Exceptions by kind of device.",
        },
      ),
    ),
    clear_stale: Type.Boolean({
      default: false,
      description: "Clear retained announcements of devices that are long gone, which writes to the broker.",
    }),
    max_devices: count("a number of devices", 1, 1_000_000, {
      default: 10_000,
      description: "Most devices kept; further ones are ignored with a warning.",
    }),
    presence: Type.Optional(presence),
    mirror: Type.Optional(
      Type.Array(mirrorRule, {
        minItems: 1,
        maxItems: 64,
        what: "a list of mirror rules",
        examples: [[{ filter: "(kind=*)" }]],
        description:
          "Services of the directory that constrained devices find as retained messages in ROOT/m/<kind>/<id>; the first " +
          "rule that matches a service decides. Default: none; nothing is written.",
      }),
    ),
    queries: Type.Optional(
      mapping(
        {
          filter: Type.Optional(
            filter({ examples: ["(public=yes)"], description: "What devices may find. Default: every service." }),
          ),
        },
        {
          check: checkFilter,
          description: "Answer the queries that devices send to ROOT/q/<device>; writes ROOT/r/<device>.",
        },
      ),
    ),
    max_packet: count("a number of bytes", 128, 65_535, {
      default: 256,
      description: "Size of the packet buffer of devices: mirrors and replies are cut so that they fit.",
    }),
    broker_max_packet: Type.Optional(
      count("a number of bytes", 128, 1_048_576, {
        examples: [65_536],
        description: "Largest packet the broker takes. Default: what an MQTT 5 broker says, or 1048576.",
      }),
    ),
    ...conventionKeys,
  },
  {
    check: (gateway: object, report: Report, given: Given) => {
      checkMqtt(gateway, report, given);
      checkConventions(gateway, report);
    },
    description: "Devices that announce themselves to an MQTT broker.",
    ...BROKER_RULES,
  },
);

const federationName = (options: SchemaOptions) =>
  Type.String({
    pattern: FEDERATION_NAME.source,
    what: "a name",
    accepted: "1 to 64 of A-Z a-z 0-9 . _ -",
    ...options,
  });

export const federationGateway = mapping(
  {
    type: Type.Literal("federation"),
    domain: gatewayDomain,
    ...brokerKeys("pafd-attic-site"),
    name: federationName({
      default: "site",
      description: "Of the federation: domains that share it are one directory.",
    }),
    board: Type.Optional(
      federationName({
        examples: ["attic"],
        description: "Of this board; each needs its own. Default: the host name.",
      }),
    ),
    root: text({ default: "pf1", description: "First level(s) of the topics by which boards tell each other." }),
    filter: Type.Optional(
      filter({
        examples: ["(!(private=*))"],
        description: "Services that are told to the other boards. Default: all.",
      }),
    ),
    heartbeat: seconds(5, 3600, {
      default: 60,
      description:
        "Seconds between two words of this board (2 s for each board where that is more). A board that is silent for three " +
        "is gone.",
    }),
    max_boards: count("a number of boards", 1, 1000, {
      default: 64,
      description: "Most other boards; what further ones tell is ignored.",
    }),
    max_services: count("a number of services", 1, 1_000_000, {
      default: 10_000,
      description: "Most services that are told to others, or taken from one of them.",
    }),
  },
  {
    check: checkFederation,
    description: "Domains on several boards that are one directory, joined by an MQTT broker.",
    onRequest: true, // it writes to the broker
    ...BROKER_RULES,
  },
);
