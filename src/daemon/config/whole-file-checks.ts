/** What must hold between distant places of the configuration: names and addresses used once, gateways with a domain. */

import { isDomainName } from "../../client/domain-directory.js";
import { parseBrokerUrl } from "../../gateway/mqtt/broker-url.js";
import { type Address, formatAddress, parseAddress } from "../../transport/address.js";
import { TransportError } from "../../transport/transport.js";
import type { ConfigProblem } from "./config-error.js";

/** A file of which parts may be missing because they have a problem of their own, which was reported. */
export interface LooseFile {
  readonly domains?: readonly (LooseDomain | undefined)[];
  readonly gateways?: readonly (LooseGateway | undefined)[];
}

interface LooseGateway {
  readonly type?: string;
  readonly domain?: string;
  readonly url?: string;
  readonly root?: string;
  readonly site?: string;
  readonly name?: string;
  readonly board?: string;
  readonly client_id?: string;
  readonly presence?: { readonly name?: string };
}

interface LooseDomain {
  readonly name?: string;
  readonly sockets?: readonly LooseSocket[];
  readonly addrs?: readonly LooseSocket[];
  readonly attach?: string | readonly LooseSocket[];
}

type LooseSocket = string | { readonly addr?: string; readonly tls?: Readonly<Record<string, string>> } | undefined;

export type ReportAt = (path: string, message: string) => void;

/** What reading found so far, and where to report more. */
interface Findings {
  readonly problems: readonly ConfigProblem[];
  report(path: string, message: string): void;
}

/** A key of a domain itself, such as its name, that is wrong or unknown. */
const KEY_OF_DOMAIN = /^domains\[\d+\]\.[^.[]+$/;

/** `replacing`: number of domains that the command line puts in the place of the file's. */
export function checkWholeFile(file: LooseFile, replacing: number, findings: Findings): void {
  const report: ReportAt = (path, message) => findings.report(path, message);
  // If the domains themselves or their names are wrong, nothing can be said about who refers to them.
  const known = file.domains?.every(Boolean) && !findings.problems.some(({ path }) => KEY_OF_DOMAIN.test(path));
  checkDomainNames(file.domains ?? [], report);
  forEachSocket(file.domains ?? [], checkAddress(report));
  checkAttached(file.domains ?? [], report);
  checkFederationBoards(file.gateways ?? [], report);
  checkClientIds(file.gateways ?? [], report);
  if (known) checkGatewayDomains(file, file.domains as LooseDomain[], replacing, report);
}

/** With the path of the socket and that of its address. */
type LookAtSocket = (
  socket: { addr: string; tls?: Readonly<Record<string, string>> },
  path: string,
  addressPath: string,
) => void;

/** Calls `look` for each socket that has an address. */
export function forEachSocket(domains: readonly (LooseDomain | undefined)[], look: LookAtSocket): void {
  domains.forEach((domain, i) => {
    const key = domain?.sockets ? "sockets" : "addrs";
    lookAtEach(domain?.[key] ?? [], `domains[${i}].${key}`, look);
  });
}

/** The same for each server of the domains that are served elsewhere. */
export function forEachAttachedServer(domains: readonly (LooseDomain | undefined)[], look: LookAtSocket): void {
  domains.forEach((domain, i) => {
    if (Array.isArray(domain?.attach)) lookAtEach(domain.attach, `domains[${i}].attach`, look);
  });
}

function lookAtEach(sockets: readonly LooseSocket[], list: string, look: LookAtSocket): void {
  sockets.forEach((socket, j) => {
    const path = `${list}[${j}]`;
    if (typeof socket === "string") look({ addr: socket }, path, path);
    else if (socket?.addr !== undefined) look({ ...socket, addr: socket.addr }, path, `${path}.addr`);
  });
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

/** Domains that are served elsewhere: a name that a domain file can have, or servers, each once. */
function checkAttached(domains: readonly (LooseDomain | undefined)[], report: ReportAt): void {
  domains.forEach((domain, i) => {
    const path = `domains[${i}].attach`;
    if (typeof domain?.attach !== "string") return;
    if (domain.attach.includes(":")) parsed(domain.attach, (problem) => report(path, problem));
    else if (!isDomainName(domain.attach)) {
      report(
        path,
        `${JSON.stringify(domain.attach)} is not the name of a domain file (neither "/" nor NUL is accepted)`,
      );
    }
  });
  const first = new Map<string, string>();
  forEachAttachedServer(domains, ({ addr }, _, path) => {
    parsed(addr, (problem) => report(path, problem));
    const list = path.slice(0, path.lastIndexOf(".attach"));
    const other = first.get(`${list} ${addr}`);
    if (other === undefined) first.set(`${list} ${addr}`, path);
    else report(path, `${JSON.stringify(addr)} is also the address of ${other}`);
  });
}

/** Looks at one address after the other: no two sockets can have the same place. */
function checkAddress(report: ReportAt) {
  const taken = new Map<string, { readonly path: string; readonly canonical: string }>();
  return ({ addr }: { addr: string }, _: string, path: string): void => {
    const address = parsed(addr, (problem) => report(path, problem));
    if (address === undefined) return;
    const canonical = formatAddress(address);
    const places = placesOf(address);
    const other = places.map((place) => taken.get(place)).find(Boolean);
    for (const place of places) if (!taken.has(place)) taken.set(place, { path, canonical });
    if (!other) return;
    const same = other.canonical === canonical ? "is also the address of" : "listens at the same place as";
    report(path, `${JSON.stringify(addr)} ${same} ${other.path}`);
  };
}

function parsed(text: string, report: (problem: string) => void): Address | undefined {
  try {
    return parseAddress(text);
  } catch (e) {
    if (!(e instanceof TransportError)) throw e;
    report(e.message);
    return undefined;
  }
}

/** What a socket takes for itself: a name, a path or a port; `utls` has two. None if the kernel chooses the port. */
function placesOf(address: Address): string[] {
  if ("name" in address) return [formatAddress(address)];
  if (address.port === 0) return [];
  const port = formatAddress({ ...address, transport: "tcp" });
  return address.transport === "utls" ? [port, `ux:${port.slice("tcp:".length)}`] : [port];
}

/** One board of one federation twice would overwrite what the other tells. The same broker may have several addresses, though. */
function checkFederationBoards(gateways: readonly (LooseGateway | undefined)[], report: ReportAt): void {
  const first = new Map<string, number>();
  gateways.forEach((gateway, i) => {
    if (gateway?.type !== "federation") return;
    const { url, root, name, board } = gateway;
    const place = JSON.stringify([url, root, name, board]);
    const other = first.get(place);
    if (other === undefined) first.set(place, i);
    else {
      const which = `federation ${JSON.stringify(name)} at the same broker as the same board as gateways[${other}]`;
      report(`gateways[${i}].board`, `${board === undefined ? "missing, and " : ""}${which} (give each a board)`);
    }
  });
}

/** Brokers close the older one of two connections with the same client id: both would throw each other out for ever. */
function checkClientIds(gateways: readonly (LooseGateway | undefined)[], report: ReportAt): void {
  const first = new Map<string, number>();
  gateways.forEach((gateway, i) => {
    const { url, client_id: id, root = "sd1", site = "local", presence } = gateway ?? {};
    // what the default is made from; for federations: see checkFederationBoards
    const made = gateway?.type === "mqtt" ? [site, root, presence?.name] : undefined;
    if (url === undefined || (id ?? made) === undefined) return;
    const client = JSON.stringify([brokerOf(url), id ?? made]);
    const other = first.get(client);
    if (other === undefined) first.set(client, i);
    else {
      const which =
        id === undefined ? "missing, and by default the same one as that" : `${JSON.stringify(id)} is also that`;
      report(
        `gateways[${i}].client_id`,
        `${which} of gateways[${other}] at the same broker (give each one of its own)`,
      );
    }
  });
}

/** The same text for the same broker, as far as the address tells. */
function brokerOf(url: string): string {
  try {
    return parseBrokerUrl(url).text.toLowerCase();
  } catch {
    return url; // that it is no address has been reported
  }
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
