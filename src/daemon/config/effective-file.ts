/**
 * The effective configuration as a file: what `pafd --print-config` prints, and `pafd -f` reads again with the same
 * result. Keys stand in the schema's order. Passwords are left out, with a comment in their place.
 */

import { Document, isMap } from "yaml";
import type { TlsFiles } from "../../transport/index.js";
import type { Config, DomainConfig, GatewayConfig, ResourceLimits, SocketConfig } from "./config.js";
import { conventionsFileKeys } from "./conventions-in-file.js";

export function effectiveFile(config: Config): string {
  const { domains, resources, log, gateways } = config;
  const file = {
    domains: domains.map(domainKeys),
    resources: {
      total: limitKeys(resources.total),
      user: limitKeys(resources.user),
      output_queue: { connection: resources.outputQueue.connection, domain: resources.outputQueue.domain },
    },
    log: {
      console: log.console,
      log_file: log.file,
      log_file_backup: log.fileBackups,
      log_file_max_size: log.fileMaxBytes,
      syslog: log.syslog,
      syslog_socket: log.syslogSocket,
      facility: log.facility,
      filter: log.filter,
    },
    gateways: gateways.map((gateway) => ({
      type: gateway.type,
      domain: domains[gateway.domain]?.name,
      ...gatewayKeys(gateway),
    })),
  };
  const document = new Document(file, { aliasDuplicateObjects: false, keepUndefined: false });
  gateways.forEach((gateway, i) => {
    if (gateway.type === "mdns" || gateway.options.password === undefined) return;
    const node = document.getIn(["gateways", i]);
    if (isMap(node)) node.comment = " password: (given, but not shown)";
  });
  return document.toString({ lineWidth: 0 });
}

function domainKeys({ name, attach, sockets, protocolVersion, idleSeconds }: DomainConfig) {
  if (attach !== undefined) {
    return { name, attach: typeof attach === "string" ? attach : attach.map((server) => socketKeys(server)) };
  }
  return {
    name,
    sockets: sockets.map(socketKeys),
    protocol_version: { min: protocolVersion.min, max: protocolVersion.max },
    idle: { min: idleSeconds.min, max: idleSeconds.max },
  };
}

/** A socket with nothing but its address is only that. */
function socketKeys({ address, user, tls }: SocketConfig) {
  return user === undefined && tls === undefined ? address : { addr: address, user, tls: tls && tlsKeys(tls) };
}

const limitKeys = ({ clients, services, subscriptions }: ResourceLimits) => ({ clients, services, subscriptions });

const tlsKeys = ({ cert, key, tc, crl }: TlsFiles) => ({ cert, key, tc, crl });

function gatewayKeys(gateway: GatewayConfig) {
  switch (gateway.type) {
    case "mdns":
      return mdnsKeys(gateway);
    case "mqtt":
      return mqttKeys(gateway);
    case "federation":
      return federationKeys(gateway);
  }
}

function mdnsKeys({ options }: GatewayConfig & { type: "mdns" }) {
  const { types, interfaces, scope, maxInstances, publish, gatewayName, maxPublished, namesFile } = options;
  return {
    types,
    interfaces,
    scope,
    max_instances: maxInstances,
    publish,
    gateway_name: gatewayName,
    max_published: maxPublished,
    names_file: namesFile,
  };
}

function mqttKeys({ options }: GatewayConfig & { type: "mqtt" }) {
  return {
    ...brokerKeys(options),
    root: options.root,
    site: options.site,
    on_will: options.onLoss,
    kinds: Object.fromEntries(
      Object.entries(options.onLossOfKind ?? {}).map(([kind, onLoss]) => [kind, { on_will: onLoss }]),
    ),
    clear_stale: options.clearStale,
    max_devices: options.maxDevices,
    presence: options.presence && {
      name: options.presence.name,
      priority: options.presence.priority,
      directory: options.presence.directory,
    },
    mirror: options.mirror?.map(({ filter, kind, order }) => ({ filter, kind, order })),
    queries: options.queries && { filter: options.queries.filter },
    max_packet: options.maxPacketBytes,
    broker_max_packet: options.brokerMaxPacketBytes,
    ...conventionsFileKeys(options.conventions),
    ask: options.ask,
  };
}

function federationKeys({ options }: GatewayConfig & { type: "federation" }) {
  const { name, board, root, filter, heartbeatSeconds: heartbeat, maxBoards, maxServices } = options;
  const limits = { max_boards: maxBoards, max_services: maxServices };
  return { ...brokerKeys(options), name, board, root, filter, heartbeat, ...limits };
}

function brokerKeys(options: (GatewayConfig & { type: "mqtt" | "federation" })["options"]) {
  return {
    url: options.url,
    user: options.user,
    password_file: options.passwordFile,
    tls: options.tls && { ca: options.tls.ca, cert: options.tls.cert, key: options.tls.key },
    client_id: options.clientId,
    keepalive: options.keepaliveSeconds,
  };
}
