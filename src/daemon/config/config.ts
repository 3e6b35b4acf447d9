/** The effective configuration of pafd, and the reading of it from a YAML text. */

import { isDomainName } from "../../client/domain-directory.js";
import type { ServerConfig } from "../../client/index.js";
import { toServers } from "../../client/server-list.js";
import type { LogLevel } from "../../core/log.js";
import type { MdnsGatewayOptions } from "../../gateway/mdns/gateway.js";
import type { PublishRule } from "../../gateway/mdns/responder/publish-rule.js";
import type { FederationGatewayOptions } from "../../gateway/mqtt/federation/gateway.js";
import type { MqttGatewayOptions, OnLoss } from "../../gateway/mqtt/gateway.js";
import type { OutputQueueLimits } from "../../server/output-queues.js";
import type { LocalUser } from "../../server/users.js";
import type { TlsFiles } from "../../transport/index.js";
import { ConfigError, type ConfigProblem } from "./config-error.js";
import { type ConventionsInFile, conventionsOptions } from "./conventions-in-file.js";
import type { ConfigFile, FACILITIES } from "./schema.js";
import { configSchema } from "./schema.js";
import { type ReadableSchema, type Reading, readBySchema } from "./schema-reader.js";
import { checkWholeFile, type LooseFile } from "./whole-file-checks.js";
import { parseYaml } from "./yaml-source.js";

export type Facility = (typeof FACILITIES)[number];

export interface SocketConfig {
  /** An XCM address as written; its syntax has been checked only if it came from a file. */
  readonly address: string;
  /** Only on `ux`, `uxf` and `utls`. Absent: `default`. */
  readonly user?: LocalUser;
  readonly tls?: TlsFiles;
}

export interface DomainConfig {
  /** Only for the log and for gateways. */
  readonly name?: string;
  /** It is served elsewhere: its name, the address of its server, or its servers. Then there are no sockets. */
  readonly attach?: string | readonly ServerConfig[];
  readonly sockets: readonly SocketConfig[];
  readonly protocolVersion: { readonly min: number; readonly max: number };
  /** Limits of the idle time of protocol 3 clients. */
  readonly idleSeconds: { readonly min: number; readonly max: number };
}

/** Absent means no limit; 0 allows none. */
export interface ResourceLimits {
  readonly clients?: number;
  readonly services?: number;
  readonly subscriptions?: number;
}

export interface LogConfig {
  readonly console: boolean;
  readonly file?: string;
  /** Rotated files to keep; 0 lets the file grow. */
  readonly fileBackups: number;
  readonly fileMaxBytes: number;
  readonly syslog: boolean;
  readonly syslogSocket: string;
  readonly facility: Facility;
  /** Messages below this level are dropped. */
  readonly filter: LogLevel;
}

/** A gateway, the domain it serves (an index into `Config.domains`), and what its own function takes. */
export type GatewayConfig =
  | { readonly type: "mdns"; readonly domain: number; readonly options: MdnsGatewayOptions }
  | { readonly type: "mqtt"; readonly domain: number; readonly options: MqttGatewayOptions }
  | { readonly type: "federation"; readonly domain: number; readonly options: FederationGatewayOptions };

export interface Config {
  readonly domains: readonly DomainConfig[];
  /** Per domain. */
  readonly resources: {
    readonly total: ResourceLimits;
    readonly user: ResourceLimits;
    /** `connection` is at most `domain`. */
    readonly outputQueue: OutputQueueLimits;
  };
  readonly log: LogConfig;
  readonly gateways: readonly GatewayConfig[];
}

/** What holds where neither file nor command line says anything: no domain, the log at `info` to syslog. */
export const DEFAULT_CONFIG: Config = effective(
  readBySchema(configSchema as ReadableSchema, parseYaml("{}", "defaults")).value as ConfigFile,
);

/** A domain of the command line: no name, all protocol versions, the default idle limits. */
export function commandLineDomain(addresses: readonly string[]): DomainConfig {
  return {
    sockets: addresses.map((address) => ({ address })),
    protocolVersion: { min: 2, max: 3 },
    idleSeconds: { min: 4, max: 30 },
  };
}

/**
 * Reads a configuration file's text. `replacedBy`, unless empty, takes the place of the file's domains (they are still
 * checked); gateways then serve those. Throws a `ConfigError` with every problem found. Opens nothing.
 */
export function loadConfig(text: string, fileName: string, replacedBy: readonly DomainConfig[] = []): Config {
  const reading = readConfigText(text, fileName, replacedBy.length);
  if (reading.problems.length > 0) throw new ConfigError(fileName, inOrder(reading.problems));
  const config = effective(reading.value as ConfigFile);
  return replacedBy.length > 0 ? { ...config, domains: replacedBy } : config;
}

/** The same with everything that is right of a file, and everything that is wrong with it. Throws at broken YAML only. */
export function readConfigText(text: string, fileName: string, replacing = 0): Reading {
  const reading = readBySchema(configSchema as ReadableSchema, parseYaml(text, fileName));
  checkWholeFile((reading.value ?? {}) as LooseFile, replacing, reading);
  return reading;
}

/** Problems in the order of their lines. */
export const inOrder = (problems: readonly ConfigProblem[]): ConfigProblem[] =>
  [...problems].sort((a, b) => a.line - b.line);

/** The file's values under their TypeScript names. Everything has been checked. */
function effective(file: ConfigFile): Config {
  const domainIndex = new Map(file.domains.map(({ name }, i) => [name, i]));
  return {
    domains: file.domains.map(domainConfig),
    resources: {
      total: file.resources.total,
      user: file.resources.user,
      outputQueue: file.resources.output_queue,
    },
    log: {
      console: file.log.console,
      ...present("file", file.log.log_file),
      fileBackups: file.log.log_file_backup,
      fileMaxBytes: file.log.log_file_max_size,
      syslog: file.log.syslog,
      syslogSocket: file.log.syslog_socket,
      facility: file.log.facility,
      filter: file.log.filter,
    },
    // Without a name there is exactly one domain.
    gateways: file.gateways.map((gateway) =>
      gatewayConfig(gateway, gateway.domain === undefined ? 0 : (domainIndex.get(gateway.domain) ?? 0)),
    ),
  };
}

/**
 * A domain of the command line that is served elsewhere: its name, or the addresses of its servers with `+` between.
 * Throws a `RangeError` or a `TransportError` if it is neither.
 */
export function commandLineAttach(text: string): DomainConfig {
  if (!text.includes(":") && !isDomainName(text)) {
    throw new RangeError(`${JSON.stringify(text)} is neither the name of a domain file nor the address of a server`);
  }
  const attach = text.includes(":") ? toServers(text.split("+")) : text;
  return { ...commandLineDomain([]), attach };
}

function domainConfig(domain: ConfigFile["domains"][number]): DomainConfig {
  const { attach, sockets = domain.addrs ?? [] } = domain;
  return {
    ...present("name", domain.name),
    ...present("attach", typeof attach === "string" ? attach : attach?.map(serverConfig)),
    sockets: sockets.map((socket) =>
      typeof socket === "string"
        ? { address: socket }
        : { address: socket.addr, ...present("user", socket.user), ...present("tls", socket.tls) },
    ),
    protocolVersion: domain.protocol_version,
    idleSeconds: { min: domain.idle.min, max: domain.max_idle_time ?? domain.idle.max },
  };
}

function serverConfig(server: string | { addr: string; tls?: TlsFiles }): ServerConfig {
  return typeof server === "string" ? { address: server } : { address: server.addr, ...present("tls", server.tls) };
}

function gatewayConfig(gateway: ConfigFile["gateways"][number], domain: number): GatewayConfig {
  switch (gateway.type) {
    case "mdns":
      return { type: "mdns", domain, options: mdnsOptions(gateway) };
    case "mqtt":
      return { type: "mqtt", domain, options: mqttOptions(gateway) };
    case "federation":
      return { type: "federation", domain, options: federationOptions(gateway) };
  }
}

/** Of one instance the cache holds a PTR, an SRV, a TXT and an address at least. */
const RECORDS_PER_INSTANCE = 4;

function mdnsOptions(gateway: GatewayOfType<"mdns">): MdnsGatewayOptions {
  return {
    types: gateway.types,
    ...present("interfaces", gateway.interfaces),
    scope: gateway.scope,
    maxInstances: gateway.max_instances,
    maxRecordsPerInterface: RECORDS_PER_INSTANCE * gateway.max_instances,
    ...present("publish", gateway.publish?.map(publishRule)),
    ...present("gatewayName", gateway.gateway_name),
    maxPublished: gateway.max_published,
    ...present("namesFile", gateway.names_file),
  };
}

function publishRule({ txt, ...rule }: NonNullable<GatewayOfType<"mdns">["publish"]>[number]): PublishRule {
  // The reader gives records as maps.
  return { ...rule, ...(txt && { txt: Object.fromEntries(txt as unknown as ReadonlyMap<string, string>) }) };
}

function mqttOptions(gateway: GatewayOfType<"mqtt">): MqttGatewayOptions {
  // The reader gives records as maps.
  const kinds = (gateway.kinds ?? new Map()) as ReadonlyMap<string, { on_will: OnLoss }>;
  return {
    ...brokerOptions(gateway),
    root: gateway.root,
    site: gateway.site,
    onLoss: gateway.on_will,
    onLossOfKind: Object.fromEntries([...kinds].map(([kind, { on_will }]) => [kind, on_will])),
    clearStale: gateway.clear_stale,
    maxDevices: gateway.max_devices,
    ...present("presence", gateway.presence),
    ...present("mirror", gateway.mirror),
    ...present("queries", gateway.queries),
    maxPacketBytes: gateway.max_packet,
    ...present("brokerMaxPacketBytes", gateway.broker_max_packet),
    ...conventionsOptions(gateway as ConventionsInFile),
    ...(gateway.ask ? { ask: true } : {}),
  };
}

function federationOptions(gateway: GatewayOfType<"federation">): FederationGatewayOptions {
  return {
    ...brokerOptions(gateway),
    name: gateway.name,
    ...present("board", gateway.board),
    root: gateway.root,
    ...present("filter", gateway.filter),
    heartbeatSeconds: gateway.heartbeat,
    maxBoards: gateway.max_boards,
    maxServices: gateway.max_services,
  };
}

function brokerOptions(gateway: GatewayOfType<"mqtt" | "federation">) {
  return {
    url: gateway.url,
    ...present("user", gateway.user),
    ...present("password", gateway.password),
    ...present("passwordFile", gateway.password_file),
    ...present("tls", gateway.tls),
    ...present("clientId", gateway.client_id),
    keepaliveSeconds: gateway.keepalive,
  };
}

type GatewayOfType<T> = Extract<ConfigFile["gateways"][number], { type: T }>;

/** `{ [key]: value }`, or nothing if the value is absent. */
function present<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}
