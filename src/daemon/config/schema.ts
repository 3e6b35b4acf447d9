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
 * - `onRequest`: an element of a list that the example shows as a comment
 * - `suggested`: stands in the example, in force, though it is no default; `examples[0]` stands there as a comment
 * - `insteadOf`: another key that this one replaces; the example mentions it there
 *
 * A key with a `default` may be left out of the file though TypeBox lists it as required: the type is that of the value
 * after reading.
 */

import { type SchemaOptions, type Static, Type } from "@sinclair/typebox";
import { LOG_LEVELS } from "../../core/log.js";
import { DEFAULT_OUTPUT_QUEUE } from "../../server/output-queues.js";
import type { LocalUser } from "../../server/users.js";
import { checkDomain, checkIdle, checkOutputQueue, checkProtocolVersion, checkSocket } from "./object-checks.js";
import { mdnsGateway } from "./schema-mdns.js";
import { federationGateway, mqttGateway } from "./schema-mqtt.js";
import { count, file, mapping, oneOf, path, seconds, text } from "./schema-parts.js";

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

const attachedServer = Type.Union(
  [
    address,
    mapping(
      {
        addr: { ...address, examples: ["tls:gateway.lan:4711"] } as typeof address,
        tls: Type.Optional({ ...tlsFiles, nullRefused: true } as typeof tlsFiles),
      },
      { check: checkSocket },
    ),
  ],
  { what: "a server: an address, or a mapping with addr and tls" },
);

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
    attach: Type.Optional(
      Type.Union(
        [
          text({ maxLength: 1024, what: "a domain name or a server address", accepted: "" }),
          Type.Array(attachedServer, { minItems: 1, maxItems: 64, what: "a list of servers" }),
        ],
        {
          insteadOf: "sockets",
          what: "the name of a domain, the address of its server, or a list of those",
          description:
            "the domain is served elsewhere, and only gateways work here: its name (a file in $PAF_DOMAINS), or its servers.",
        },
      ),
    ),
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
    oneOf: [{ required: ["sockets"] }, { required: ["addrs"] }, { required: ["attach"] }],
    not: { anyOf: [{ required: ["idle", "max_idle_time"] }, { required: ["attach", "idle"] }] },
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
    gateways: Type.Array(
      Type.Union([mdnsGateway, mqttGateway, federationGateway], { what: "a gateway", discriminator: "type" }),
      {
        default: [],
        maxItems: 64,
        what: "a list of gateways",
        description: "Gateways turn what is announced elsewhere into services of a domain.",
      },
    ),
  },
  { what: "a mapping" },
);

/** The file as it is after reading: defaults filled in, the names those of the file. */
export type ConfigFile = Static<typeof configSchema>;
