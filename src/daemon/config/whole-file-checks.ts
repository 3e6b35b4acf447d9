/** What must hold between distant places of the configuration: names and addresses used once, gateways with a domain. */

import { type Address, formatAddress, parseAddress } from "../../transport/address.js";
import { TransportError } from "../../transport/transport.js";

/** A file of which parts may be missing because they have a problem of their own, which was reported. */
export interface LooseFile {
  readonly domains?: readonly (LooseDomain | undefined)[];
  readonly gateways?: readonly ({ readonly domain?: string } | undefined)[];
}

interface LooseDomain {
  readonly name?: string;
  readonly sockets?: readonly LooseSocket[];
  readonly addrs?: readonly LooseSocket[];
}

type LooseSocket = string | { readonly addr?: string } | undefined;

type ReportAt = (path: string, message: string) => void;

/** `replacing`: number of domains that the command line puts in the place of the file's. */
export function checkWholeFile(file: LooseFile, replacing: number, report: ReportAt): void {
  checkDomainNames(file.domains ?? [], report);
  checkAddresses(file.domains ?? [], report);
  // If the domains themselves are wrong, nothing can be said about who refers to them.
  if (file.domains?.every(Boolean)) checkGatewayDomains(file, file.domains as LooseDomain[], replacing, report);
}

function checkDomainNames(domains: readonly (LooseDomain | undefined)[], report: ReportAt): void {
  const first = new Map<string, number>();
  domains.forEach((domain, i) => {
    if (domain?.name === undefined) return;
    const other = first.get(domain.name);
    if (other === undefined) first.set(domain.name, i);
    else report(`domains[${i}].name`, `${JSON.stringify(domain.name)} is also the name of domains[${other}]`);
  });
}

function checkAddresses(domains: readonly (LooseDomain | undefined)[], report: ReportAt): void {
  const first = new Map<string, string>();
  domains.forEach((domain, i) => {
    const key = domain?.sockets ? "sockets" : "addrs";
    (domain?.[key] ?? []).forEach((socket, j) => {
      const path = `domains[${i}].${key}[${j}]${typeof socket === "string" ? "" : ".addr"}`;
      const address = typeof socket === "string" ? socket : socket?.addr;
      if (address === undefined) return;
      const canonical = uniqueAddress(address, (problem) => report(path, problem));
      if (canonical === undefined) return;
      const other = first.get(canonical);
      if (other === undefined) first.set(canonical, path);
      else report(path, `${JSON.stringify(address)} is also the address of ${other}`);
    });
  });
}

/** What no second socket may have: the canonical address, unless the kernel chooses the port, or it is wrong. */
function uniqueAddress(text: string, report: (problem: string) => void): string | undefined {
  let address: Address;
  try {
    address = parseAddress(text);
  } catch (e) {
    if (!(e instanceof TransportError)) throw e;
    report(e.message);
    return undefined;
  }
  return "port" in address && address.port === 0 ? undefined : formatAddress(address);
}

function checkGatewayDomains(
  file: LooseFile,
  domains: readonly LooseDomain[],
  replacing: number,
  report: ReportAt,
): void {
  const names = domains.flatMap(({ name }) => (name === undefined ? [] : [name]));
  const known = names.length > 0 ? `domains with a name: ${names.join(", ")}` : "no domain has a name";
  (file.gateways ?? []).forEach((gateway, i) => {
    if (!gateway) return;
    const path = `gateways[${i}].domain`;
    if (gateway.domain !== undefined && !names.includes(gateway.domain)) {
      report(path, `${JSON.stringify(gateway.domain)} is not the name of a domain (${known})`);
    } else if (gateway.domain !== undefined && replacing > 0) {
      report(
        path,
        `${JSON.stringify(gateway.domain)} is replaced by the domains of the command line (they have no names)`,
      );
    } else if (gateway.domain === undefined && (replacing || domains.length) !== 1) {
      const count = replacing || domains.length;
      report(path, `missing, and there ${count === 0 ? "is no domain" : `are ${count} domains`} (${known})`);
    }
  });
}
