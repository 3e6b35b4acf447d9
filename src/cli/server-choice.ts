/** Which server is meant: a domain's, by its index, or the one at an address (pafd-and-pafc.md, 3). */

import { isAddress, listDomains, readDomain } from "../client/domain-directory.js";
import { readEnvironment } from "../client/environment.js";
import { offeredVersions } from "../client/protocol-versions.js";
import { MAX_VERSION, MIN_VERSION } from "../client/session.js";
import type { TlsFiles } from "../transport/index.js";
import { type Invocation, isCommandName } from "./command-line.js";
import { UsageError } from "./usage-error.js";

export interface ChosenServer {
  readonly address: string;
  readonly tls?: TlsFiles;
  readonly localAddress?: string;
  readonly networkNamespace?: string;
  readonly versions: { readonly min: number; readonly max: number };
  /** What helps if it can not be reached: why there is no domain of that name and which there are, or other servers. */
  readonly notes?: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

/** Throws a `UsageError`. A domain file's idle limits are for programs that attach to the domain. */
export async function chooseServer(invocation: Invocation, env: Env): Promise<ChosenServer> {
  const { server: name, serverIndex, protocolVersion } = invocation;
  const { domainsDirectory } = readEnvironment(env);
  const { found = [], reason } = await readDomain(domainsDirectory, name);
  const offered = (config: Parameters<typeof offeredVersions>[0]) =>
    protocolVersion === undefined ? offeredVersions(config) : { min: protocolVersion, max: protocolVersion };
  if (found.length === 0) {
    const why = `${reason ?? `domain file ${domainsDirectory}/${name}: no servers`}.`;
    if (serverIndex !== undefined) {
      const first = `Domain '${name}' does not exist, but a server index is given.`;
      throw new UsageError([first, why, await domainsThere(domainsDirectory)]);
    }
    if (isAddress(domainsDirectory, name)) return { address: name, versions: offered({}) };
    const missing = isCommandName(name) ? [`The server is missing: pafc ADDR ${name}`] : [];
    return { address: name, versions: offered({}), notes: [why, await domainsThere(domainsDirectory), ...missing] };
  }
  const config = found[serverIndex ?? 0];
  if (config === undefined) throw new UsageError([`No server address with index ${serverIndex}.`]);
  const { address, tls, localAddress, networkNamespace, minProtocolVersion: min, maxProtocolVersion: max } = config;
  const versions = offered(config);
  if (versions.min > versions.max) {
    const file = `${domainsDirectory}/${name}`;
    throw new UsageError([
      `Protocol version ${versions.min > MAX_VERSION ? min : max} is not supported.`,
      `${file}: ${address} speaks versions ${min ?? MIN_VERSION} to ${max ?? MAX_VERSION} only; known here are ` +
        `${MIN_VERSION} to ${MAX_VERSION}.`,
    ]);
  }
  const others = `${address} is server ${serverIndex ?? 0} of the ${found.length} of domain ${name}; -n takes another.`;
  return {
    address,
    versions,
    ...(tls ? { tls } : {}),
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(networkNamespace === undefined ? {} : { networkNamespace }),
    ...(found.length > 1 ? { notes: [others] } : {}),
  };
}

/** Names of domains that a message shows. */
const MOST_NAMES = 10;

async function domainsThere(directory: string): Promise<string> {
  const { found = [] } = await listDomains(directory);
  if (found.length === 0) return `There are no domains in ${directory}; PAF_DOMAINS names another directory.`;
  const more = found.length > MOST_NAMES ? ` and ${found.length - MOST_NAMES} more` : "";
  return `Domains in ${directory}: ${found.slice(0, MOST_NAMES).join(", ")}${more}.`;
}
