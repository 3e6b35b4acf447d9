/** Reading the configuration file: bounded, as UTF-8, with errors that name the file. */

import { closeSync, openSync, readSync } from "node:fs";
import { constants } from "node:os";
import { ConfigError } from "./config-error.js";
import { MAX_CONFIG_LENGTH } from "./yaml-source.js";

/** The text of a configuration file. Throws a `ConfigError`. A pipe (`/dev/stdin`) works as well. */
export function readConfigFile(fileName: string): string {
  let bytes: Buffer;
  try {
    bytes = readBounded(fileName, MAX_CONFIG_LENGTH * 4);
  } catch (e) {
    throw new ConfigError(fileName, [{ path: "", line: 0, message: `${errorText(e)}: '${fileName}'` }]);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // A text cut at the limit may end within a character; the length is then what is wrong.
    if (bytes.length > MAX_CONFIG_LENGTH * 4) return bytes.toString("latin1");
    throw new ConfigError(fileName, [{ path: "", line: 1, message: "the file is not UTF-8 text" }]);
  }
}

/** At most `maxBytes + 1` bytes of a file, so that the caller sees that there are more. */
function readBounded(fileName: string, maxBytes: number): Buffer {
  const fd = openSync(fileName, "r");
  try {
    const chunks: Buffer[] = [];
    let length = 0;
    while (length <= maxBytes) {
      const chunk = Buffer.alloc(Math.min(65_536, maxBytes + 1 - length));
      const count = readSync(fd, chunk, 0, chunk.length, null);
      if (count === 0) break;
      chunks.push(chunk.subarray(0, count));
      length += count;
    }
    return Buffer.concat(chunks);
  } finally {
    closeSync(fd);
  }
}

/** `[Errno 2] No such file or directory`, as the reference prints it; for rarer errors Node's words. */
export function errorText(e: unknown): string {
  const { code = "", message = String(e) } = e as NodeJS.ErrnoException;
  const errno = (constants.errno as Record<string, number>)[code];
  return errno === undefined ? message : `[Errno ${errno}] ${ERRNO_TEXTS[code] ?? message}`;
}

const ERRNO_TEXTS: Readonly<Record<string, string>> = {
  ENOENT: "No such file or directory",
  EACCES: "Permission denied",
  EISDIR: "Is a directory",
  ENOTDIR: "Not a directory",
  ENOSPC: "No space left on device",
};
