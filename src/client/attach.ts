/** Attaching to a domain: what a link, a clock and the environment are in a real process. */

import { randomBytes } from "node:crypto";
import { type Logger, SILENT } from "../core/log.js";
import { AttachedDomain, type DomainSettings } from "./attached-domain.js";
import type { Domain } from "./domain.js";
import { readDomain } from "./domain-directory.js";
import { type Environment, readEnvironment } from "./environment.js";
import { eventLoop } from "./event-loop.js";
import { harmless } from "./harmless.js";
import type { ConnectSession } from "./link-session.js";
import type { ServerConfig } from "./server-config.js";
import { type ServerLimits, serverLimits } from "./server-limits.js";
import { Session } from "./session.js";
import { traceLog } from "./trace-log.js";

export interface AttachOptions {
  /** Default: random. Two attachments with the same id keep each other out. */
  readonly clientId?: bigint;
  /** Aborting is `abandon()`. */
  readonly signal?: AbortSignal;
  /** The PAF_* variables; default `process.env`. */
  readonly env?: Environment;
  /**
   * Default: none; with PAF_DEBUG, the standard error. With PAF_DEBUG (`1` or `true`, when it attaches) it is also told
   * every message that is sent or received, at debug level. Keys and other TLS secrets are in no message.
   */
  readonly log?: Logger;
  /** What each server may make this process hold, against servers that are broken; default: `SERVER_LIMITS`. */
  readonly limits?: Partial<ServerLimits>;
}

/** A domain by name, or by its servers. */
export type DomainName = string | { readonly servers: readonly ServerConfig[] };

/**
 * Attaches to the domain of this name, whose servers stand in its domain file, or to the domain of these servers. Returns
 * at once and works in the background, whether or not the file exists or a server can be reached. Throws a `RangeError`
 * or a `TransportError` for servers that are not valid.
 *
 * The process stays alive until `close` or `abandon`, also while no server can be reached.
 */
export function attach(domain: DomainName, options: AttachOptions = {}): Domain {
  const { clientId = randomId(), signal, env = process.env } = options;
  const name = typeof domain === "string" ? domain : undefined;
  const limits = serverLimits(options.limits);
  const { debug } = readEnvironment(env);
  const log = harmless(options.log ?? (debug ? traceLog(clientId, name) : SILENT));
  const { clock, timers, outbox } = eventLoop();
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
    servers: typeof domain === "string" ? serversOf(domain, env, log) : domain.servers,
    settings: settingsOf(env),
    connect,
    clock,
    timers,
    random: Math.random,
    randomId,
    log,
    limits,
    traceMessages: debug,
  });
  const abandon = () => attached.abandon();
  attached.onClosed = () => signal?.removeEventListener("abort", abandon);
  if (signal?.aborted) abandon();
  else signal?.addEventListener("abort", abandon, { once: true });
  return attached;
}

/** Of 63 bits, from the operating system. */
function randomId(): bigint {
  return randomBytes(8).readBigUInt64BE() >> 1n;
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

/** Reads the domain file; why it can not be read is told once, until it changes. */
function serversOf(domain: string, env: Environment, log: Logger): () => Promise<readonly ServerConfig[] | undefined> {
  let told: string | undefined;
  return async () => {
    const { found, reason } = await readDomain(readEnvironment(env).domainsDirectory, domain);
    if (reason !== undefined && reason !== told) log.warning(() => `${reason}. The servers stay as they are.`);
    told = reason;
    return found;
  };
}
