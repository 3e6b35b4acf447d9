/** What `pafc -l` and `pafc -a` print: the domains of this machine, and the servers of one (pafd-and-pafc.md, 3). */

import { addressLines, listDomains, readDomain } from "../client/domain-directory.js";
import { readEnvironment } from "../client/environment.js";
import { printable } from "../core/printable.js";
import type { Output, PafcIo } from "./output.js";

/** One name a line. A directory that can not be read has none; standard error says why, so that a script sees no name in it. */
export async function printDomains(output: Output, { env }: PafcIo): Promise<void> {
  const { found = [], reason } = await listDomains(readEnvironment(env).domainsDirectory);
  if (found.length > 0) output.line(found.map(printable).join("\n"));
  if (reason !== undefined) output.internalError(printable(`pafc: ${reason}.`));
}

/** One address a line, an empty one if there is none; standard error says why. */
export async function printAddresses(domain: string, output: Output, { env }: PafcIo): Promise<void> {
  const { found, reason } = await readDomain(readEnvironment(env).domainsDirectory, domain);
  output.line(...addressLines(found).trimEnd().split("\n").map(printable));
  if (reason !== undefined) output.internalError(printable(`pafc: ${reason}.`));
}
