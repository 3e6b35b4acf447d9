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

function domainLiteral({ name, sockets, protocolVersion, idleSeconds }: DomainConfig) {
  return {
    name,
    sockets: sockets.map(({ address, user, tls }) => ({ addr: address, user, tls })),
    protocol_version: protocolVersion,
    idle: idleSeconds,
  };
}

function gatewayLiteral(gateway: GatewayConfig) {
  const { type, domain } = gateway;
  if (gateway.type === "mdns") {
    const { types, interfaces, scope, maxInstances, publish } = gateway.options;
    const rules = publish && { publish: publish.map(({ filter }) => filter) };
    return { type, domain, types, interfaces, scope, max_instances: maxInstances, ...rules };
  }
  const { url, user, password, passwordFile, root, site, onLoss, maxDevices } = gateway.options;
  const secret = password !== undefined || passwordFile !== undefined ? "(not shown)" : undefined;
  return { type, domain, url, user, password: secret, root, site, on_will: onLoss, max_devices: maxDevices };
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
