/** The records that make a service (RFC 6763), as one link shows them. */

import { isIPv6 } from "node:net";
import { DOMAIN, META_QUERY } from "../service-names.js";
import { asLabel } from "./labels.js";
import { type OwnRecord, ownRecord } from "./own-records.js";

/** `addresses` absent: those of the interface. May carry a zone (`fe80::1%eth0`): then for that interface only. */
export interface OutboundHost {
  readonly name: string;
  readonly addresses?: readonly string[] | undefined;
}

/** A service under the name that was chosen for it. */
export interface OutboundService {
  /** Tells services apart; never shown. */
  readonly key: string;
  /** The id of the directory's service, 16 hexadecimal digits: the mark that importers know. */
  readonly sdid: string;
  /** The whole instance name, in the text form of names.ts. */
  readonly name: string;
  /** For example `_http._tcp`. */
  readonly type: string;
  /** For example `_printer`; as a person writes them. */
  readonly subtypes: readonly string[];
  readonly port: number;
  readonly host: OutboundHost;
  readonly txt: readonly Buffer[];
}

export function serviceRecords({ name, type, subtypes, port, host, txt }: OutboundService): {
  readonly unique: readonly OwnRecord[];
  readonly shared: readonly OwnRecord[];
} {
  const typeName = `${type}.${DOMAIN}`;
  return {
    unique: [
      ownRecord(name, "SRV", { priority: 0, weight: 0, port, target: host.name }),
      ownRecord(name, "TXT", txt.length > 0 ? txt : [Buffer.alloc(0)]),
    ],
    shared: [
      ownRecord(typeName, "PTR", name),
      ...subtypes.map((subtype) => ownRecord(`${asLabel(subtype)}._sub.${typeName}`, "PTR", name)),
      ownRecord(META_QUERY, "PTR", typeName),
    ],
  };
}

export function hostRecordsOf(name: string, addresses: readonly string[]): OwnRecord[] {
  return addresses.map((address) => ownRecord(name, isIPv6(address) ? "AAAA" : "A", address));
}

/** What of a host's addresses one interface shows. */
export function addressesOn(interfaceName: string, own: readonly string[], { addresses }: OutboundHost): string[] {
  if (!addresses) return [...own];
  return addresses.flatMap((text) => {
    const [address, zone] = text.split("%");
    return zone === undefined || zone === interfaceName ? address : [];
  });
}
