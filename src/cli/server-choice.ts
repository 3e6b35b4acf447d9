/** Which server is meant: a domain's, by its index, or the one at an address (pafd-and-pafc.md, 3). */

import { isAddress, readDomain } from "../client/domain-directory.js";
import { readEnvironment } from "../client/environment.js";
import { offeredVersions } from "../client/protocol-versions.js";
import { MAX_VERSION, MIN_VERSION } from "../client/session.js";
import type { TlsFiles } from "../transport/index.js";
import type { Invocation } from "./command-line.js";
import { UsageError } from "./usage-error.js";

export interface ChosenServer {
  readonly address: string;
  readonly tls?: TlsFiles;
  readonly versions: { readonly min: number; readonly max: number };
  /** Why there is no domain of that name, where the name can not be an address either. */
  readonly note?: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Throws a `UsageError`. A domain file's local address, network namespace and idle limits are not for one connection. */
export async function chooseServer(invocation: Invocation, env: Env): Promise<ChosenServer> {
  const { server: name, serverIndex, protocolVersion } = invocation;
  const { domainsDirectory } = readEnvironment(env);
  const { found = [], reason } = await readDomain(domainsDirectory, name);
  const offered = (config: Parameters<typeof offeredVersions>[0]) =>
    protocolVersion === undefined ? offeredVersions(config) : { min: protocolVersion, max: protocolVersion };
  if (found.length === 0) {
    const note = `${reason ?? `domain file ${domainsDirectory}/${name}: no servers`}.`;
    if (serverIndex !== undefined) {
      throw new UsageError([`Domain '${name}' does not exist, but a server index is given.`, note]);
    }
    return { address: name, versions: offered({}), ...(isAddress(domainsDirectory, name) ? {} : { note }) };
  }
  const config = found[serverIndex ?? 0];
  if (config === undefined) throw new UsageError([`No server address with index ${serverIndex}.`]);
  const { address, tls, minProtocolVersion: min, maxProtocolVersion: max } = config;
  const versions = offered(config);
  if (versions.min > versions.max) {
    const file = `${domainsDirectory}/${name}`;
    throw new UsageError([
      `Protocol version ${versions.min > MAX_VERSION ? min : max} is not supported.`,
      `${file}: ${address} speaks versions ${min ?? MIN_VERSION} to ${max ?? MAX_VERSION} only; known here are ` +
        `${MIN_VERSION} to ${MAX_VERSION}.`,
    ]);
  }
  return { address, versions, ...(tls ? { tls } : {}) };
}
