/** The directory of domain files (libpaf-client.md, 3): read within limits, and never a reason to throw. */

import { constants, existsSync, type Stats } from "node:fs";
import { type FileHandle, open, opendir, stat } from "node:fs/promises";
import { getSystemErrorMap } from "node:util";
import { outOfRange, shown } from "./argument-checks.js";
import { DOMAIN_FILE_LIMIT_BYTES, DomainFileError, parseDomainFile } from "./domain-file.js";
import type { ServerConfig } from "./server-config.js";

/** Most entries of the directory that are looked at to list domains. */
const MAX_ENTRIES = 65_536;

/** What could be had, or why it could not: a sentence that names the file. */
export type Reading<T> =
  | { readonly found: T; readonly reason?: undefined }
  | { readonly found: undefined; readonly reason: string };

function failed(reason: string): Reading<never> {
  return { found: undefined, reason };
}

function describe(error: unknown): string {
  const { code, errno } = error as NodeJS.ErrnoException;
  const meaning = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1];
  return meaning === undefined ? String(error) : `${meaning} (${code})`;
}

/** Whether a file in a directory can have this name. */
export const isDomainName = (name: string): boolean =>
  name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name);

/** Throws a `RangeError` for a text that no domain can have as its name, because no file can. */
export function checkDomainName(name: string): void {
  if (!isDomainName(name)) outOfRange("the name of the domain", name, 'the name of a file, without "/" and NUL,');
}

/**
 * Whether a text in the place of a domain's name is the address of a server: it has a colon, and there is no domain file
 * of that name. Never throws.
 */
export function isAddress(directory: string, text: string): boolean {
  return text.includes(":") && !(isDomainName(text) && existsSync(`${directory}/${text}`));
}

/** The servers of `domain`, in the order of its file. Not found: there is no such file, or it is not valid as a whole. */
export async function readDomain(directory: string, domain: string): Promise<Reading<readonly ServerConfig[]>> {
  if (!isDomainName(domain)) {
    return failed(`domain ${shown(domain)}: not a name of a file in ${directory} (neither "/" nor NUL is accepted)`);
  }
  const file = `${directory}/${domain}`;
  try {
    return { found: parseDomainFile(await readBounded(file), file) };
  } catch (error) {
    if (error instanceof DomainFileError) return failed(error.message);
    return failed(`domain file ${file}: ${describe(error)}`);
  }
}

/** At most as many bytes as show that the file is too large. A pipe or a device is not waited for. */
async function readBounded(file: string): Promise<Uint8Array> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile()) throw new DomainFileError(`domain file ${file}: not a regular file`);
    return await readUpTo(handle, DOMAIN_FILE_LIMIT_BYTES);
  } finally {
    await handle.close();
  }
}

async function readUpTo(handle: FileHandle, limit: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(limit);
  let length = 0;
  while (length < limit) {
    const { bytesRead } = await handle.read(bytes, length, limit - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

/** The names of the domains, sorted: all regular files, and links to such. */
export async function listDomains(directory: string): Promise<Reading<readonly string[]>> {
  const names: string[] = [];
  try {
    let entries = 0;
    for await (const entry of await opendir(directory)) {
      if (++entries > MAX_ENTRIES) return failed(`directory ${directory}: more than ${MAX_ENTRIES} entries`);
      const isFile = entry.isSymbolicLink() ? await leadsToFile(`${directory}/${entry.name}`) : entry.isFile();
      if (isFile) names.push(entry.name);
    }
  } catch (error) {
    return failed(`directory ${directory}: ${describe(error)}`);
  }
  return { found: names.sort() };
}

async function leadsToFile(path: string): Promise<boolean> {
  return stat(path).then(
    (status: Stats) => status.isFile(),
    () => false, // a link to nowhere
  );
}

/** What `pafc -a` prints: an address a line; of a domain that does not exist, an empty line. */
export function addressLines(servers: readonly ServerConfig[] | undefined): string {
  return `${(servers ?? []).map(({ address }) => address).join("\n")}\n`;
}
