/** Turns what the kernel, Node.js and the addon report into TransportErrors. */

import { getSystemErrorName } from "node:util";
import { TransportError } from "./transport.js";

/** What the errno names mean for somebody who reads a log; others are shown by name only. */
const MEANING: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "no interface of this host has that address",
  EAGAIN: "the server accepts no connections at the moment",
  ECANCELED: "aborted",
  ECONNREFUSED: "nobody is listening there",
  ECONNRESET: "connection reset by peer",
  EHOSTUNREACH: "host unreachable",
  EMFILE: "too many open files in this process",
  ENETUNREACH: "network unreachable",
  ENFILE: "too many open files in the system",
  ENOENT: "no such file or directory",
  EPIPE: "connection closed by peer",
  ETIMEDOUT: "no answer in time",
};

/** `errorNumber` is negative, as the addon reports it. `where` is an address, or says what was tried on which. */
export function fromErrno(errorNumber: number, where: string): TransportError {
  return fromCode(getSystemErrorName(errorNumber), where);
}

export function fromCode(code: string, where: string): TransportError {
  const meaning = MEANING[code];
  return new TransportError(code, meaning ? `${where}: ${meaning} (${code})` : `${where}: ${code}`);
}

/** Of anything that Node.js throws or emits. */
export function fromNode(error: unknown, where: string): TransportError {
  if (error instanceof TransportError) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code ? fromCode(code, where) : new TransportError("EIO", `${where}: ${String(error)}`);
}
