/** Attaching to a domain: what a link, a clock and the environment are in a real process. */

import { type Logger as InternalLogger, SILENT } from "../core/log.js";
import { UINT63_MAX } from "../core/uint63.js";
import { onAbort } from "./abort-listeners.js";
import { applicationLog, type Logger } from "./application-log.js";
import { checkFunction, checkOptions, checkSignal, mistyped, outOfRange } from "./argument-checks.js";
import { AttachedDomain } from "./attached-domain.js";
import type { Domain, DomainCallbacks } from "./domain.js";
import { checkDomainName, isAddress, readDomain } from "./domain-directory.js";
import type { DomainOptions, DomainSettings } from "./domain-options.js";
import { type Environment, readEnvironment } from "./environment.js";
import { eventLoop } from "./event-loop.js";
import type { ConnectSession } from "./link-session.js";
import { randomId } from "./random-id.js";
import { RemoteDirectory } from "./remote-directory.js";
import type { ServerConfig } from "./server-config.js";
import { type ServerLimits, serverLimits } from "./server-limits.js";
import type { ReadServers } from "./server-links.js";
import { toServers } from "./server-list.js";
import { Session } from "./session.js";
import { traceLog } from "./trace-log.js";

/** How to attach. Everything may be left out. */
export interface AttachOptions extends DomainCallbacks {
  /** 0 … 2^63-1; default: random. Two attachments with the same id keep each other out. */
  readonly clientId?: bigint;
  /** Aborting is `abandon()`, also if it was aborted before. */
  readonly signal?: AbortSignal;
  /** The PAF_* variables, read when they are needed; default `process.env`. */
  readonly env?: Environment;
  /**
   * `console`, or another logger; default: none. With PAF_DEBUG (`1` or `true`, when it attaches) it is also told every
   * message that is sent or received, at debug level, and the default is the standard error. Control characters are
   * escaped; keys and other TLS secrets are in no message.
   */
  readonly log?: Logger;
  /** What each server may make this process hold, against servers that are broken; default: `SERVER_LIMITS`. */
  readonly limits?: Partial<ServerLimits>;
}

/** The name of a domain, the address of its one server, or its servers, each as settings or as an address alone. */
export type DomainName = string | { readonly servers: readonly (string | ServerConfig)[] };

/**
 * Attaches to the domain of this name, whose servers stand in its domain file; or to the domain of the server at this
 * address; or to the domain of these servers. A text with a colon, such as `tls:hub:4711`, is an address unless there is
 * a domain file of that name.
 *
 * Returns at once and works in the background, whether or not the file exists or a server can be reached: `links` and
 * `domainFileError` show how it stands, `connected` waits, `onLinkState` and the log tell what happens. Throws a
 * `TypeError`, a `RangeError` or a `TransportError` that names what is not valid.
 *
 * The process stays alive until `close` or `abandon`, also while no server is known or can be reached.
 */
export function attach(domain: DomainName, options?: AttachOptions): Domain {
  return attachDomain(domain, options);
}

/** The same, as a gateway needs it: see `RemoteDirectory`. `log` takes the texts as they are. */
export function attachDirectory(
  domain: DomainName,
  { log, ...options }: Omit<AttachOptions, "log"> & { readonly log?: InternalLogger } = {},
): RemoteDirectory {
  const onOutcome: DomainOptions["onOutcome"] = (operation, refusal) => directory.outcome(operation, refusal);
  const attached = attachDomain(domain, options, { onOutcome, ...(log ? { log } : {}) });
  const directory: RemoteDirectory = new RemoteDirectory(attached, eventLoop());
  return directory;
}

function attachDomain(
  domain: DomainName,
  options: AttachOptions | undefined,
  internal: Pick<DomainOptions, "onOutcome"> & { readonly log?: InternalLogger } = {},
): AttachedDomain {
  const given = checkOptions("attach(): options", options);
  const { clientId = randomId(), signal, env = process.env, log: logger } = given;
  if (typeof clientId !== "bigint") mistyped("attach(): clientId", clientId, "a bigint, 0 to 2^63-1,");
  if (clientId < 0n || clientId > UINT63_MAX) outOfRange("attach(): clientId", clientId, "0 to 2^63-1");
  checkSignal("attach(): signal", signal);
  if (typeof env !== "object" || env === null) mistyped("attach(): env", env, "an object of variables");
  const limits = serverLimits(checkOptions("attach(): limits", given.limits));
  const { debug, domainsDirectory } = readEnvironment(env);
  const { name, servers } = meant(domain, domainsDirectory, env);
  const log: InternalLogger = logger !== undefined ? applicationLog(logger) : debug ? traceLog(clientId, name) : SILENT;
  const { clock, timers, outbox, keepAlive } = eventLoop();
  const connect: ConnectSession = ({ address, localAddress, networkNamespace, tls }, of) =>
    Session.connect(address, {
      ...of,
      outbox,
      limits,
      algorithm: "happy_eyeballs",
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(networkNamespace === undefined ? {} : { networkNamespace }),
      ...(tls ? { tls } : {}),
    });
  const attached = new AttachedDomain({
    ...(name === undefined ? {} : { name }),
    clientId,
    servers,
    settings: settingsOf(env),
    connect,
    clock,
    timers,
    random: Math.random,
    randomId,
    log,
    callbacks: callbacksOf(given),
    limits,
    traceMessages: debug,
    ...internal,
  });
  const letDie = keepAlive();
  let forget = () => {};
  attached.onClosed = () => {
    forget();
    letDie();
  };
  if (signal?.aborted) attached.abandon();
  else if (signal) forget = onAbort(signal, () => attached.abandon());
  return attached;
}

/** The servers that are meant, or how to read them. */
function meant(
  domain: DomainName,
  directory: string,
  env: Environment,
): { readonly name?: string; readonly servers: readonly ServerConfig[] | ReadServers } {
  if (typeof domain === "string") {
    if (isAddress(directory, domain)) return { servers: toServers([domain]) };
    checkDomainName(domain);
    return { name: domain, servers: () => readDomain(readEnvironment(env).domainsDirectory, domain) };
  }
  if (typeof domain !== "object" || domain === null) {
    mistyped("attach(): the domain", domain, "a name, an address or { servers: [...] }");
  }
  return { servers: toServers(domain.servers) };
}

const CALLBACKS = ["onLinkState", "onRefused", "onDomainFileError"] as const;

function callbacksOf(given: AttachOptions): DomainCallbacks {
  for (const name of CALLBACKS) if (given[name] !== undefined) checkFunction(`attach(): ${name}`, given[name]);
  return given;
}

/** Follows the environment as libpaf does (4), so that a program may change it after it has attached. */
function settingsOf(env: Environment): DomainSettings {
  const { rescanSeconds } = readEnvironment(env);
  const setting = <K extends keyof DomainSettings>(name: K) => ({
    get: () => readEnvironment(env)[name],
    enumerable: true,
  });
  return Object.defineProperties({ rescanSeconds } as DomainSettings, {
    reconnectMinSeconds: setting("reconnectMinSeconds"),
    reconnectMaxSeconds: setting("reconnectMaxSeconds"),
    idleMinSeconds: setting("idleMinSeconds"),
    idleMaxSeconds: setting("idleMaxSeconds"),
    ttlSeconds: setting("ttlSeconds"),
  });
}
