/** Which files a `tls` socket uses: those given, and for the others XCM's directory (xcm-transports.md, 5.3). */

import { readdirSync, statSync } from "node:fs";
import type { TlsFiles } from "./transport.js";

/** What distributions build XCM with. */
const DEFAULT_DIRECTORY = "/etc/xcm/tls";
const NAMED_NAMESPACES = "/run/netns";
const OWN_NAMESPACE = "/proc/thread-self/ns/net";

/** The names are final; `crl` is absent if revocation is not checked. */
export type TlsFileNames = Readonly<Record<"cert" | "key" | "tc", string>> & Pick<TlsFiles, "crl">;

/**
 * Decides now: what becomes of XCM_TLS_CERT later does not matter. Reads nothing if all names are given. `namespace` is the
 * network namespace to connect from, if not this thread's own.
 */
export function tlsFileNames({ cert, key, tc, crl }: TlsFiles = {}, namespace?: string): TlsFileNames {
  let defaults: ((item: string) => string) | undefined;
  const orDefault = (given: string | undefined, item: string): string => {
    if (given !== undefined) return given;
    defaults ??= defaultNames(namespace ?? networkNamespace());
    return defaults(item);
  };
  const names = { cert: orDefault(cert, "cert"), key: orDefault(key, "key"), tc: orDefault(tc, "tc") };
  return crl === undefined ? names : { ...names, crl };
}

function defaultNames(namespace: string | undefined): (item: string) => string {
  const directory = process.env.XCM_TLS_CERT ?? DEFAULT_DIRECTORY;
  const suffix = namespace === undefined ? "" : `_${namespace}`;
  return (item) => `${directory}/${item}${suffix}.pem`;
}

/** The name of the network namespace of this thread, as `ip netns` knows it; undefined if it has none. */
function networkNamespace(): string | undefined {
  try {
    const own = statSync(OWN_NAMESPACE, { bigint: true });
    return readdirSync(NAMED_NAMESPACES).find((name) => {
      const named = statSync(`${NAMED_NAMESPACES}/${name}`, { bigint: true, throwIfNoEntry: false });
      return named?.ino === own.ino && named.dev === own.dev;
    });
  } catch {
    return undefined; // no such directory: no namespace has a name
  }
}
