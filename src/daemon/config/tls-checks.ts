/** Whether a TLS socket could be opened with the files that the configuration, or the default directory, gives it. */

import type { TlsFiles } from "../../transport/index.js";
import { tlsCredentials } from "../../transport/tls-credentials.js";
import { type TlsFileNames, tlsFileNames } from "../../transport/tls-file-names.js";
import { TransportError } from "../../transport/transport.js";
import type { ReportAt } from "./whole-file-checks.js";

/**
 * Reads certificate, key, authorities and revocation lists of the socket at `path`, as the socket itself would: what is
 * missing, broken, encrypted or does not fit together is a problem of the key that names the file. Files of the default
 * directory have no key; their problems are those of the address, at `addressPath`.
 */
export function checkTlsSocket(
  { addr, tls }: { readonly addr: string; readonly tls?: TlsFiles },
  path: string,
  addressPath: string,
  problem: ReportAt,
  warning: ReportAt,
): void {
  if (!/^u?tls:/.test(addr)) return;
  const names = tlsFileNames(tls);
  const placeOf = (text: string) => {
    const item = itemIn(text, names);
    return item !== undefined && tls?.[item] !== undefined ? `${path}.tls.${item}` : addressPath;
  };
  try {
    const { warning: text } = tlsCredentials(names);
    if (text !== undefined) warning(placeOf(text), text);
  } catch (e) {
    if (!(e instanceof TransportError)) throw e;
    problem(placeOf(e.message), e.message);
  }
}

/** Whose file a message is about: it names that one first. */
function itemIn(text: string, names: TlsFileNames): keyof TlsFiles | undefined {
  const places = (["cert", "key", "tc", "crl"] as const)
    .map((item) => ({ item, at: text.indexOf(JSON.stringify(names[item])) }))
    .filter(({ item, at }) => names[item] !== undefined && at >= 0);
  return places.sort((a, b) => a.at - b.at)[0]?.item;
}
