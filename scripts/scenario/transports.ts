/** Over which transport each server of a scenario is reached, and what servers and clients are told of it. */

import { Authority, opensslMissing } from "../../test/support/certificates.js";
import { SeededRandom } from "../fuzz/random.js";

export const TRANSPORTS = ["tcp", "ux", "tls"] as const;
export type Transport = (typeof TRANSPORTS)[number];
/** `mixed`: drawn from the seed, no two servers alike. */
export const TRANSPORT_CHOICES = [...TRANSPORTS, "mixed"] as const;
export type TransportChoice = (typeof TRANSPORT_CHOICES)[number];

export const isTransportChoice = (text: string): text is TransportChoice =>
  (TRANSPORT_CHOICES as readonly string[]).includes(text);

/** Of each server. */
export function transportsOf(choice: TransportChoice, seed: number, servers: number): Transport[] {
  if (choice !== "mixed") return Array.from({ length: servers }, () => choice);
  return new SeededRandom(seed ^ 0x7472_6e73).shuffled(TRANSPORTS).slice(0, servers);
}

/** Packets of a `ux` connection can not get lost: it has no network. */
export const hasPackets = (transport: Transport): boolean => transport !== "ux";

/** Why servers can not be reached so here; `undefined` if they can. */
export const missingForTransports = (transports: readonly Transport[]): string | undefined =>
  transports.includes("tls") ? opensslMissing() : undefined;

/** An entry of a domain file (libpaf-client.md, 3.2). */
export interface DomainEntry {
  readonly address: string;
  readonly networkNamespace?: string;
  readonly tlsCertificateFile?: string;
  readonly tlsKeyFile?: string;
  readonly tlsTrustedCaFile?: string;
}

/** How one server is reached. */
export interface Access {
  readonly address: string;
  readonly entry: DomainEntry;
  /** The socket in the server's configuration, as YAML. */
  readonly socket: string;
}

let authority: Authority | undefined;

/** `at`: HOST:PORT, or the name of a UNIX socket. `networkNamespace`: from which alone a `ux` socket can be reached. */
export function accessOf(transport: Transport, at: string, networkNamespace?: string): Access {
  const address = `${transport}:${at}`;
  if (transport === "tcp") return { address, entry: { address }, socket: `"${address}"` };
  if (transport === "ux") {
    const entry = networkNamespace === undefined ? { address } : { address, networkNamespace };
    return { address, entry, socket: `"${address}"` };
  }
  authority ??= new Authority("scenario");
  const tc = authority.cert;
  const [server, client] = [authority.issue("server"), authority.issue("client")];
  return {
    address,
    entry: { address, tlsCertificateFile: client.cert, tlsKeyFile: client.key, tlsTrustedCaFile: tc },
    socket: `{addr: "${address}", tls: {cert: ${server.cert}, key: ${server.key}, tc: ${tc}}}`,
  };
}
