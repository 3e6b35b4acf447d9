/** XCM addresses as text: every form is read, checked, and written in its canonical form (xcm-transports.md, 1). */

import { isIPv4, isIPv6, SocketAddress } from "node:net";
import { TransportError } from "./transport.js";

/** `ux` has a name in the abstract namespace, `uxf` a path: 1 … 107 bytes without NUL and white space. */
export interface UnixAddress {
  readonly transport: "ux" | "uxf";
  readonly name: string;
}

/** `host` is canonical: a dotted quad, an IPv6 address without brackets, or a name as it was written. */
export interface InetAddress {
  readonly transport: "tcp" | "tls" | "utls";
  readonly host: string;
  readonly hostKind: "ipv4" | "ipv6" | "name";
  readonly port: number;
}

export type Address = UnixAddress | InetAddress;

const MAX_ADDRESS_BYTES = 578;
const MAX_TRANSPORT_BYTES = 32;
const MAX_UNIX_NAME_BYTES = 107;
const MAX_DNS_NAME_LENGTH = 253;
const MAX_PORT_LENGTH = 32;
const MAX_SHOWN_LENGTH = 120;

const ACCEPTED = 'accepted are "ux:NAME", "uxf:PATH", "tcp:HOST:PORT", "tls:HOST:PORT" and "utls:HOST:PORT"';

function show(text: string): string {
  return JSON.stringify(text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text);
}

function invalid(text: string, why: string): TransportError {
  return new TransportError("EINVAL", `address ${show(text)}: ${why}`);
}

/**
 * Reads an address. Throws a TransportError: `ENOPROTOOPT` for a transport that does not exist here, `EINVAL` for
 * everything else.
 */
export function parseAddress(text: string): Address {
  const colon = text.indexOf(":");
  if (colon < 0) throw invalid(text, `there is no ":"; ${ACCEPTED}`);
  if (Buffer.byteLength(text) > MAX_ADDRESS_BYTES) throw invalid(text, `longer than ${MAX_ADDRESS_BYTES} bytes`);
  if (/[ \t\n\v\f\r]/.test(text)) throw invalid(text, "white space is not allowed");
  const transport = text.slice(0, colon);
  if (Buffer.byteLength(transport) > MAX_TRANSPORT_BYTES) {
    throw invalid(text, `the transport's name is longer than ${MAX_TRANSPORT_BYTES} bytes`);
  }
  const rest = text.slice(colon + 1);
  switch (transport) {
    case "ux":
    case "uxf":
      return parseUnix(text, transport, rest);
    case "tcp":
    case "tls":
    case "utls":
      return parseInet(text, transport, rest);
    default:
      throw new TransportError(
        "ENOPROTOOPT",
        `address ${show(text)}: unknown transport ${show(transport)}; ${ACCEPTED}`,
      );
  }
}

function parseUnix(text: string, transport: "ux" | "uxf", name: string): UnixAddress {
  const bytes = Buffer.byteLength(name);
  if (bytes < 1 || bytes > MAX_UNIX_NAME_BYTES) {
    const what = transport === "ux" ? "name" : "path";
    throw invalid(text, `the ${what} has ${bytes} bytes; accepted are 1 to ${MAX_UNIX_NAME_BYTES}`);
  }
  if (name.includes("\0")) throw invalid(text, "a NUL byte is not allowed");
  return { transport, name };
}

function parseInet(text: string, transport: InetAddress["transport"], rest: string): InetAddress {
  const colon = rest.lastIndexOf(":");
  if (colon < 0) throw invalid(text, `the port is missing; accepted is "${transport}:HOST:PORT"`);
  const address = { transport, ...parseHost(text, rest.slice(0, colon)), port: parsePort(text, rest.slice(colon + 1)) };
  const name = hostAndPort(address);
  if (transport === "utls" && name.length > MAX_UNIX_NAME_BYTES) {
    throw invalid(
      text,
      `"${name}" serves as a ux name too, of which at most ${MAX_UNIX_NAME_BYTES} bytes are accepted`,
    );
  }
  return address;
}

/** Labels of letters, digits and hyphens. A doubled dot is possible as XCM has it, though not after the first label. */
const DNS_NAME = /^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+\.?)*$/;

function parseHost(text: string, host: string): Pick<InetAddress, "host" | "hostKind"> {
  if (host.startsWith("[")) {
    const inside = host.slice(1, -1);
    if (host.endsWith("]") && inside === "*") return { host: "::", hostKind: "ipv6" };
    if (!host.endsWith("]") || !isIPv6(inside) || inside.includes("%")) {
      throw invalid(text, `${show(host)} is not "[*]" or an IPv6 address in brackets (without a zone)`);
    }
    return { host: canonicalIPv6(inside), hostKind: "ipv6" };
  }
  if (host === "*") return { host: "0.0.0.0", hostKind: "ipv4" };
  if (isIPv4(host)) return { host, hostKind: "ipv4" };
  if (host.length > MAX_DNS_NAME_LENGTH || !DNS_NAME.test(host)) {
    throw invalid(
      text,
      `${show(host)} is not a host; accepted are an IPv4 address, "[IPv6]", "*", "[*]" and a DNS name`,
    );
  }
  return { host, hostKind: "name" };
}

/** The text that glibc's inet_ntop writes; the WHATWG URL class writes v4-mapped addresses differently. */
function canonicalIPv6(address: string): string {
  return new SocketAddress({ address, family: "ipv6" }).address;
}

/** An empty port is 0, as in XCM. Signs and numbers beyond 32 bits, which XCM wraps, are refused. */
function parsePort(text: string, port: string): number {
  if (port.length > MAX_PORT_LENGTH || !/^[0-9]*$/.test(port) || Number(port) > 65_535) {
    throw invalid(text, `${show(port)} is not a port; accepted are 0 to 65535`);
  }
  return Number(port);
}

/** Everything of the canonical text but the transport. */
export function hostAndPort({ host, hostKind, port }: Pick<InetAddress, "host" | "hostKind" | "port">): string {
  return `${hostKind === "ipv6" ? `[${host}]` : host}:${port}`;
}

/** The canonical text. Reading it gives the same address again. */
export function formatAddress(address: Address): string {
  return "name" in address ? `${address.transport}:${address.name}` : `${address.transport}:${hostAndPort(address)}`;
}

/** How XCM prints an end of a TCP connection, from what Node.js says: v4-mapped stays mapped, a zone is dropped. */
export function formatHostAndPort(ip: string, port: number): string {
  const host = ip.split("%", 1)[0]!;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * How XCM prints an end of a `ux` connection, from its `sun_path`: the first byte is taken for the NUL of an abstract
 * name and dropped, also where it belongs to a path; an unnamed socket is `ux:`.
 */
export function formatUx(sunPath: Buffer): string {
  const end = sunPath.indexOf(0, 1);
  return `ux:${sunPath.toString("utf8", 1, end < 0 ? sunPath.length : end)}`;
}
