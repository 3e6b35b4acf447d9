/**
 * Sockets of another network namespace (libpaf-client.md, 3.2). Only the socket is made there, by a thread of its own, so
 * that this process never changes its namespace; names are resolved in the process's own.
 */

import { requireAddon, SOCKET_KIND } from "./addon.js";
import { fromErrno } from "./errors.js";
import { TransportError } from "./transport.js";

/** Where `ip netns` keeps namespaces that have names. */
const NAMED_NAMESPACES = "/run/netns";

const MEANING: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EPERM: "this process may not use it; it needs the capability CAP_SYS_ADMIN",
  EINVAL: "the file is not a network namespace",
};

/** The file of a namespace. Throws a TransportError `EINVAL` for a name that leads elsewhere. */
function namespaceFile(name: string): string {
  if (name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name)) return `${NAMED_NAMESPACES}/${name}`;
  const problem = `not the name of a file in ${NAMED_NAMESPACES} (neither "/" nor NUL is accepted)`;
  throw new TransportError("EINVAL", `network namespace ${JSON.stringify(name.slice(0, 120))}: ${problem}`);
}

/** A non-blocking socket of the namespace, as a descriptor that the caller closes. Throws a TransportError. */
export function socketIn(name: string, kind: keyof typeof SOCKET_KIND, where: string): number {
  const addon = requireAddon(`${where}: a network namespace needs`, "connect without one");
  const file = namespaceFile(name);
  const fd = addon.socketIn(file, SOCKET_KIND[kind]);
  if (fd >= 0) return fd;
  const place = `${where}: network namespace ${file}`;
  const error = fromErrno(fd, place);
  const meaning = MEANING[error.code];
  throw meaning === undefined ? error : new TransportError(error.code, `${place}: ${meaning} (${error.code})`);
}
