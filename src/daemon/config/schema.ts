/**
 * The configuration file, described once: keys, types, limits, defaults and what they mean. The reader (schema-reader.ts),
 * the error messages, the types, the example (example.ts) and the schema for editors (json-schema.ts) are derived from it;
 * it is plain JSON Schema with a few keywords of our own:
 *
 * - `what`: the noun that an error message uses for the value
 * - `accepted`: what is accepted, if the other keywords do not say it well
 * - `discriminator`: the key that chooses the alternative of a union
 * - `secret`: the value never appears in a message
 * - `nullRefused`: `null` is an error here, where elsewhere it counts as absent (pafd-and-pafc.md, 1.4)
 * - `check`: what holds between keys; called with what is right of the object. What of it JSON Schema can say too stands
 *   beside it (`oneOf`, `not`, `dependencies`): for editors only, since it makes poor messages
 * - `suggested`: stands in the example, in force, though it is no default; `examples[0]` stands there as a comment
 * - `insteadOf`: another key that this one replaces; the example mentions it there
 *
 * A key with a `default` may be left out of the file though TypeBox lists it as required: the type is that of the value
 * after reading.
 */

import { type SchemaOptions, type Static, Type } from "@sinclair/typebox";
import { LOG_LEVELS } from "../../core/log.js";
import type { OnLoss } from "../../gateway/mqtt/gateway.js";
import { NAME_PATTERN } from "../../gateway/mqtt/topics.js";
import { DEFAULT_OUTPUT_QUEUE } from "../../server/output-queues.js";
import type { LocalUser } from "../../server/users.js";
import {
  checkClientCertificate,
  checkDomain,
  checkIdle,
  checkMqtt,
  checkOutputQueue,
  checkProtocolVersion,
  checkSocket,
} from "./object-checks.js";
import { mdnsGateway } from "./schema-mdns.js";
import { count, file, gatewayDomain, mapping, oneOf, path, seconds, text } from "./schema-parts.js";

/** Syslog facilities as the reference names them. */
export const FACILITIES = [
  ...(["auth", "authpriv", "console", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "ntp"] as const),
  ...(["security", "solaris-cron", "syslog", "user", "uucp"] as const),
  ...(["local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"] as const),
] as const;

const limit = (of: string, suggested: number) =>
  Type.Optional(
    count("a resource limit", 0, Number.MAX_SAFE_INTEGER, {
      nullRefused: true,
      suggested,
      description: `Most ${of}; 0 allows none. Default: no limit.`,
    }),
  );

const protocolVersion = (options: SchemaOptions) => count("a protocol version", 2, 3, options);

const MAX_SECONDS = 86_400 * 365;

const address = text({
  what: "a domain address",
  maxLength: 578,
  accepted: "like ux:NAME or tcp:HOST:PORT",
  description: "An XCM address: ux:NAME, uxf:PATH, tcp:HOST:PORT, tls:HOST:PORT or utls:HOST:PORT.",
});

const tlsFiles = mapping(
  {
    cert: file("/etc/pafd/cert.pem", "Certificate chain of the server, PEM. Default: cert.pem in that directory."),
    key: file("/etc/pafd/key.pem", "Private key of the certificate, PEM, not encrypted. Default: key.pem."),
    tc: file("/etc/pafd/ca.pem", "Authorities whose certificates are accepted, PEM. Default: tc.pem."),
    crl: file("/etc/pafd/crl.pem", "Revocation lists of all of them, PEM; switches revocation checking on."),
  },
  { description: "Only for tls: and utls:. What is not given comes from the directory that XCM_TLS_CERT names." },
);

const socket = Type.Union(
  [
    address,
    mapping(
      {
        addr: { ...address, examples: ["utls:*:4712"] } as typeof address,
        user: Type.Optional(
          oneOf<LocalUser>(["default", "uid"], {
            what: "a kind of user",
            examples: ["uid"],
            description:
              "Only for ux:, uxf: and utls:. Whether all local clients are one user, or those of each user id are one " +
              "of their own. Default: default.",
          }),
        ),
        tls: Type.Optional({ ...tlsFiles, nullRefused: true } as typeof tlsFiles),
      },
      { check: checkSocket },
    ),
  ],
  { what: "a socket: an address, or a mapping with addr, user and tls" },
);

const sockets = (options: SchemaOptions) =>
  Type.Optional(Type.Array(socket, { maxItems: 256, what: "a list of sockets", ...options }));

const domain = mapping(
  {
    name: Type.Optional(
      text({ maxLength: 256, suggested: "home", description: "Shown in the log; gateways refer to it." }),
    ),
    sockets: sockets({
      suggested: ["ux:pathfinder", "tcp:127.0.0.1:4711"],
      examples: [["uxf:/run/pafd.sock"]],
      description:
        "Where the domain listens: ux:NAME, uxf:PATH, tcp:HOST:PORT, tls:HOST:PORT or utls:HOST:PORT; HOST may be *, an " +
        "address, [IPv6] or a name. All sockets share the domain's clients and services.",
    }),
    addrs: sockets({ insteadOf: "sockets", deprecated: true, description: "Older name of sockets." }),
    protocol_version: mapping(
      {
        min: protocolVersion({ default: 2, description: "Lowest protocol version a client may use." }),
        max: protocolVersion({ default: 3, description: "Highest protocol version a client may use." }),
      },
      { default: {}, check: checkProtocolVersion, description: "What clients may use." },
    ),
    idle: mapping(
      {
        min: seconds(1, MAX_SECONDS, {
          default: 4,
          description: "A protocol 3 client may be silent at least so long, however short the TTLs of its services.",
        }),
        max: seconds(1, MAX_SECONDS, {
          default: 30,
          description: "A protocol 3 client that is silent for longer counts as gone, however long its TTLs.",
        }),
      },
      { default: {}, check: checkIdle, description: "Seconds of silence after which a client counts as gone." },
    ),
    max_idle_time: Type.Optional(
      seconds(1, MAX_SECONDS, {
        insteadOf: "idle",
        deprecated: true,
        description: "Older name of idle.max; not beside idle.",
      }),
    ),
  },
  {
    check: checkDomain,
    oneOf: [{ required: ["sockets"] }, { required: ["addrs"] }],
    not: { required: ["idle", "max_idle_time"] },
  },
);

const limits = (whose: string, clients: number, entries: number, description: string) =>
  mapping(
    {
      clients: limit(`clients ${whose}`, clients),
      services: limit(`services ${whose}`, entries),
      subscriptions: limit(`subscriptions ${whose}`, entries),
    },
    { default: {}, description },
  );

const queued = (of: string, bytes: number) =>
  count("a number of bytes", 65_536, Number.MAX_SAFE_INTEGER, {
    default: bytes,
    description: `Most bytes that wait to be read by ${of}.`,
  });

const outputQueue = mapping(
  {
    connection: queued("one client; it is disconnected when there are more", DEFAULT_OUTPUT_QUEUE.connection),
    domain: queued(
      "all clients of the domain; the one with most is disconnected when there are more",
      DEFAULT_OUTPUT_QUEUE.domain,
    ),
  },
  {
    default: {},
    check: checkOutputQueue,
    description: "What clients that read slower than services change may cost, in bytes.",
  },
);

const log = mapping(
  {
    console: Type.Boolean({ default: false, description: "Log to standard error." }),
    log_file: file("/var/log/pafd.log", "Log to this file as well; it is appended to."),
    log_file_backup: count("a number of files", 0, 1000, {
      default: 0,
      description: "Rotated log files to keep; 0 lets the file grow.",
    }),
    log_file_max_size: count("a number of bytes", 1, Number.MAX_SAFE_INTEGER, {
      default: 1_000_000,
      description: "Bytes at which the log file is rotated; only with log_file_backup above 0.",
    }),
    syslog: Type.Boolean({ default: true, description: "Log to syslog." }),
    syslog_socket: path({ default: "/dev/log", description: "Where syslog listens." }),
    facility: oneOf(FACILITIES, { what: "a log facility", default: "daemon", description: "Syslog facility." }),
    filter: oneOf(LOG_LEVELS, { what: "a filter level", default: "info", description: "Drop messages below this." }),
  },
  { default: {}, description: "Where messages go. Under systemd, console alone is enough." },
);

const willAction = (options: SchemaOptions) =>
  oneOf<OnLoss>(["withdraw", "orphan"], { what: "an action on a last will", ...options });

const mqttGateway = mapping(
  {
    type: Type.Literal("mqtt"),
    domain: gatewayDomain,
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
    root: text({
      default: "sd1",
      description: "First level(s) of the topics below which devices announce themselves.",
    }),
    site: text({
      default: "local",
      maxLength: 64,
      description: "Gateways that share a site and a root give a device the same service id.",
    }),
    client_id: Type.Optional(
      text({
        maxLength: 256,
        examples: ["pafd-attic"],
        description: "MQTT client id. Default: made from site and host name.",
      }),
    ),
    keepalive: seconds(5, 65_535, { default: 60, description: "MQTT keep alive." }),
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
  },
  {
    check: checkMqtt,
    description: "Devices that announce themselves to an MQTT broker.",
    dependencies: { password: ["user"], password_file: ["user"] },
    not: { required: ["password", "password_file"] },
  },
);

export const configSchema = mapping(
  {
    domains: Type.Array(domain, {
      default: [],
      maxItems: 1024,
      what: "a list of domains",
      description: "Each domain is a directory of services of its own.",
    }),
    resources: mapping(
      {
        total: limits("of the domain", 1000, 10_000, "All users together."),
        user: limits("of one user", 500, 5000, "Each user."),
        output_queue: outputQueue,
      },
      { default: {}, description: "Limits of each domain." },
    ),
    log,
    gateways: Type.Array(Type.Union([mdnsGateway, mqttGateway], { what: "a gateway", discriminator: "type" }), {
      default: [],
      maxItems: 64,
      what: "a list of gateways",
      description: "Gateways turn what is announced elsewhere into services of a domain.",
    }),
  },
  { what: "a mapping" },
);

/** The file as it is after reading: defaults filled in, the names those of the file. */
export type ConfigFile = Static<typeof configSchema>;
