/** The effective configuration on one line, as the reference prints it when it has started (pafd-and-pafc.md, 1.5). */

import { DEFAULT_OUTPUT_QUEUE, type OutputQueueLimits } from "../../server/output-queues.js";
import {
  type Config,
  DEFAULT_CONFIG,
  type DomainConfig,
  type GatewayConfig,
  type LogConfig,
  type ResourceLimits,
} from "./config.js";

/**
 * `domains: [{…}], log: {…}`, then `resources:` and `gateways:` if there are any. File names appear, passwords never.
 */
export function describeConfig(config: Config): string {
  const { total, user, outputQueue } = config.resources;
  const parts = [`domains: ${literal(config.domains.map(domainLiteral))}`, `log: ${logText(config.log)}`];
  const resources = [
    ["user", limitsText(user)],
    ["total", limitsText(total)],
    ["output_queue", outputQueueText(outputQueue)],
  ].filter(([, text]) => text);
  if (resources.length > 0) {
    parts.push(`resources: { ${resources.map(([name, text]) => `${name}: { ${text} }`).join(", ")} }`);
  }
  if (config.gateways.length > 0) parts.push(`gateways: ${literal(config.gateways.map(gatewayLiteral))}`);
  return parts.join(", ");
}

function domainLiteral({ name, attach, sockets, protocolVersion, idleSeconds }: DomainConfig) {
  if (attach !== undefined) {
    return {
      name,
      attach: typeof attach === "string" ? attach : attach.map(({ address, tls }) => ({ addr: address, tls })),
    };
  }
  return {
    name,
    sockets: sockets.map(({ address, user, tls }) => ({ addr: address, user, tls })),
    protocol_version: protocolVersion,
    idle: idleSeconds,
  };
}

/** What decides which services come in and go out, and under which names; the rest has `pafd --print-config`. */
function gatewayLiteral(gateway: GatewayConfig) {
  const { type, domain } = gateway;
  if (gateway.type === "mdns") {
    const { types, interfaces, scope, maxInstances, publish, gatewayName, maxPublished, namesFile } = gateway.options;
    return {
      ...{ type, domain, types, interfaces, scope, max_instances: maxInstances },
      ...(publish && {
        publish: publish.map(({ filter }) => filter),
        ...{ gateway_name: gatewayName, max_published: maxPublished, names_file: namesFile },
      }),
    };
  }
  if (gateway.type === "federation") {
    const { root, name, board, filter, heartbeatSeconds: heartbeat, maxBoards, maxServices } = gateway.options;
    const limits = { max_boards: maxBoards, max_services: maxServices };
    return { type, domain, ...brokerLiteral(gateway.options), root, name, board, filter, heartbeat, ...limits };
  }
  const { root, site, onLoss, onLossOfKind = {}, maxDevices, clearStale, ask } = gateway.options;
  const { presence, mirror, queries, conventions, maxPacketBytes, brokerMaxPacketBytes } = gateway.options;
  const kinds = Object.entries(onLossOfKind).map(([kind, onWill]) => [kind, { on_will: onWill }]);
  const answers = mirror !== undefined || queries !== undefined;
  return {
    ...{ type, domain, ...brokerLiteral(gateway.options), root, site, on_will: onLoss },
    ...(kinds.length > 0 ? { kinds: Object.fromEntries(kinds) } : {}),
    ...{ max_devices: maxDevices, ...(clearStale ? { clear_stale: true } : {}) },
    ...{ presence, mirror, queries, ...(answers ? { max_packet: maxPacketBytes } : {}) },
    ...{ broker_max_packet: brokerMaxPacketBytes, conventions: conventions?.conventions },
    ...(conventions?.mappings?.length ? { mappings: conventions.mappings.map(({ name }) => name) } : {}),
    ...(ask ? { ask: true } : {}),
  };
}

/** Neither a password nor a key appears, only that there is one, and the names of files. */
function brokerLiteral(options: (GatewayConfig & { type: "mqtt" | "federation" })["options"]) {
  const { url, user, password, passwordFile, tls, clientId } = options;
  const secret = password !== undefined || passwordFile !== undefined ? "(not shown)" : undefined;
  return {
    ...{ url, user, password: secret, client_id: clientId },
    ...(tls && { tls: { ca: tls.ca, cert: tls.cert, key: tls.key } }),
  };
}

/** The reference shows the first five; the others follow where they matter. */
function logText({ console, file, fileBackups, fileMaxBytes, syslog, syslogSocket, ...rest }: LogConfig): string {
  const parts = [`console: ${console}`, `log_file: ${literal(file ?? "-")}`, `syslog: ${syslog}`];
  parts.push(`filter: ${rest.filter}`, `facility: ${rest.facility}`);
  if (file !== undefined && fileBackups > 0) {
    parts.push(`log_file_backup: ${fileBackups}`, `log_file_max_size: ${fileMaxBytes}`);
  }
  if (syslog && syslogSocket !== DEFAULT_CONFIG.log.syslogSocket) parts.push(`syslog_socket: ${literal(syslogSocket)}`);
  return `{ ${parts.join(", ")} }`;
}

function limitsText({ clients, subscriptions, services }: ResourceLimits): string {
  return Object.entries({ client: clients, subscription: subscriptions, service: services })
    .flatMap(([name, limit]) => (limit === undefined ? [] : [`${name}: ${limit}`]))
    .join(", ");
}

/** Nothing where it is as everywhere: the line is the reference's unless something was asked for. */
function outputQueueText({ connection, domain }: OutputQueueLimits): string {
  const usual = DEFAULT_OUTPUT_QUEUE;
  return connection === usual.connection && domain === usual.domain
    ? ""
    : `connection: ${connection}, domain: ${domain}`;
}

/** As Python prints it: `{'a': 'text', 'n': [1, 2]}`. Absent keys are left out. */
function literal(value: unknown): string {
  if (typeof value === "string") return `'${value.replace(/['\\]/g, "\\$&")}'`;
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const keys = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${keys.map(([key, item]) => `'${key}': ${literal(item)}`).join(", ")}}`;
}
