/**
 * What a `tls` socket shows and whom it trusts, read from files and made into OpenSSL's context with XCM's settings
 * (xcm-transports.md, 5.1 to 5.4). A context is used as long as its files stay the same: asking costs some system calls.
 */

import { constants, createPrivateKey, X509Certificate } from "node:crypto";
import { lstatSync, readFileSync, statSync } from "node:fs";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { TlsFileNames } from "./tls-file-names.js";
import { TransportError } from "./transport.js";

const CIPHERS = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_AES_128_GCM_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "DHE-RSA-AES128-GCM-SHA256",
  "DHE-RSA-AES256-GCM-SHA384",
  "DHE-RSA-CHACHA20-POLY1305",
].join(":");

/** The types for Node.js 18 do not know it. */
const { SSL_OP_NO_RENEGOTIATION } = constants as unknown as { SSL_OP_NO_RENEGOTIATION: number };

/** Room for revocation lists of a hundred thousand certificates; a file that is larger is refused. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** Contexts kept, one per set of file names; whoever connects to or listens on more than these reads files more often. */
const MAX_CONTEXTS = 64;
/** How often files are read anew because they changed while they were read. */
const MAX_READS = 5;

const ITEMS = ["cert", "key", "tc", "crl"] as const;
type Item = (typeof ITEMS)[number];
const WHAT: Readonly<Record<Item, string>> = {
  cert: "certificate file",
  key: "key file",
  tc: "file of trusted certificates",
  crl: "file of revocation lists",
};

/** Whether this Node.js takes any trusted certificate for an anchor, as XCM does, or only self-signed ones. */
export const PARTIAL_CHAINS = hasPartialChains(process.versions.node);

export function hasPartialChains(version: string): boolean {
  const [major, minor] = version.split(".").map(Number) as [number, number];
  return major > 22 || (major === 22 && minor >= 9) || (major === 20 && minor >= 18);
}

export interface TlsCredentials {
  readonly context: SecureContext;
  /** Trusted certificates that this Node.js cannot use as anchors; undefined if there are none. */
  readonly warning: string | undefined;
}

interface Cached extends TlsCredentials {
  readonly state: string;
}

/** By file names. The oldest goes first. */
const cache = new Map<string, Cached>();

/** Throws a TransportError `EPROTO` that names the file and says what is wrong with it, never what is in it. */
export function tlsCredentials(names: TlsFileNames): TlsCredentials {
  const key = JSON.stringify(ITEMS.map((item) => names[item]));
  let state = stateOf(names);
  const known = cache.get(key);
  if (known?.state === state) return known;
  cache.delete(key);
  for (let reads = 1; ; reads++) {
    const outcome = attempt(() => load(names));
    const after = stateOf(names);
    if (after !== state && reads < MAX_READS) {
      state = after;
      continue;
    }
    if (outcome instanceof TransportError) throw outcome;
    const fresh = { ...outcome, state };
    cache.set(key, fresh);
    if (cache.size > MAX_CONTEXTS) cache.delete(cache.keys().next().value!);
    return fresh;
  }
}

function attempt(load: () => TlsCredentials): TlsCredentials | TransportError {
  try {
    return load();
  } catch (error) {
    if (error instanceof TransportError) return error;
    throw error;
  }
}

/** What would be another text if a file had been replaced, changed or removed, the links to it included. */
function stateOf(names: TlsFileNames): string {
  return ITEMS.map((item) => (names[item] === undefined ? "" : stateOfFile(names[item]))).join("|");
}

function stateOfFile(name: string): string {
  try {
    const link = lstatSync(name, { bigint: true });
    const stamps = link.isSymbolicLink() ? [link, statSync(name, { bigint: true })] : [link];
    return stamps.map(({ dev, ino, size, mtimeNs }) => `${dev} ${ino} ${size} ${mtimeNs}`).join(">");
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

function load(names: TlsFileNames): TlsCredentials {
  const cert = readPem(names, "cert");
  const chain = certificates(names, "cert", cert);
  const key = readPem(names, "key");
  checkKey(names, key, chain[0]!);
  const tc = readPem(names, "tc");
  const anchors = certificates(names, "tc", tc);
  const crl = names.crl === undefined ? undefined : revocationLists(names);
  const options: SecureContextOptions & { allowPartialTrustChain: boolean } = {
    cert,
    key,
    ca: tc,
    ciphers: CIPHERS,
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.3",
    honorCipherOrder: false, // the client's order wins
    secureOptions: constants.SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION,
    sessionIdContext: "xcm",
    allowPartialTrustChain: crl === undefined,
  };
  const context = checked(names, "cert", "cannot be used", () => createSecureContext(options));
  if (crl !== undefined) {
    checked(names, "crl", "holds no valid revocation list", () => createSecureContext({ crl }));
    return { context: createSecureContext({ ...options, crl }), warning: undefined };
  }
  return { context, warning: PARTIAL_CHAINS ? undefined : warningOf(names, anchors) };
}

function failure(names: TlsFileNames, item: Item, why: string): TransportError {
  return new TransportError("EPROTO", `${WHAT[item]} ${JSON.stringify(names[item])}: ${why}`);
}

/** What OpenSSL says of its errors is names of its own, nothing of the file's content. */
function checked<T>(names: TlsFileNames, item: Item, why: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    const { code, reason } = error as { code?: string; reason?: string };
    throw failure(names, item, `${why} (${reason ?? code ?? "no reason given"})`);
  }
}

const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  EACCES: "this process may not read it",
  ENOTDIR: "it does not exist",
};

function readPem(names: TlsFileNames, item: Item): string {
  const name = names[item]!;
  try {
    const status = statSync(name);
    if (!status.isFile()) throw failure(names, item, "it is not a regular file");
    if (status.size > MAX_FILE_BYTES) {
      throw failure(names, item, `it has ${status.size} bytes (at most ${MAX_FILE_BYTES} accepted)`);
    }
    return readFileSync(name, "latin1");
  } catch (error) {
    if (error instanceof TransportError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw failure(names, item, `${FILE_ERRORS[code] ?? "it cannot be read"} (${code})`);
  }
}

/** The PEM blocks with one of the labels. */
function blocks(pem: string, label: RegExp): string[] {
  const found: string[] = [];
  for (let at = 0; ; ) {
    const begin = pem.indexOf("-----BEGIN ", at);
    const end = begin < 0 ? -1 : pem.indexOf("-----END ", begin);
    if (end < 0) return found;
    at = end + 1;
    const close = pem.indexOf("-----", begin + 11);
    const last = pem.indexOf("-----", end + 9);
    if (last < 0) return found;
    if (label.test(pem.slice(begin + 11, close))) found.push(`${pem.slice(begin, last + 5)}\n`);
  }
}

function certificates(names: TlsFileNames, item: "cert" | "tc", pem: string): X509Certificate[] {
  const found = blocks(pem, /^(?:X509 )?CERTIFICATE$/);
  if (found.length === 0) throw failure(names, item, "there is no certificate in it (PEM is accepted)");
  return found.map((block, i) =>
    checked(names, item, `certificate ${i + 1} in it is not valid`, () => new X509Certificate(block)),
  );
}

function checkKey(names: TlsFileNames, pem: string, certificate: X509Certificate): void {
  const block = blocks(pem, /PRIVATE KEY$/)[0];
  if (block === undefined) throw failure(names, "key", "there is no private key in it (PEM is accepted)");
  if (block.startsWith("-----BEGIN ENCRYPTED ") || /^Proc-Type: .*ENCRYPTED/m.test(block)) {
    throw failure(names, "key", "it is encrypted; only keys without a passphrase are accepted");
  }
  const key = checked(names, "key", "its private key is not valid", () => createPrivateKey(block));
  if (!certificate.checkPrivateKey(key)) {
    throw failure(names, "key", `it is not the key of the first certificate in ${JSON.stringify(names.cert)}`);
  }
}

/** One by one, because Node.js takes only the first of several in one text. */
function revocationLists(names: TlsFileNames): string[] {
  const found = blocks(readPem(names, "crl"), /^X509 CRL$/);
  if (found.length === 0) throw failure(names, "crl", "there is no revocation list in it (PEM is accepted)");
  return found;
}

/** Without partial chains, a trusted certificate is an anchor only if those above it, up to a root, are there as well. */
function warningOf(names: TlsFileNames, anchors: readonly X509Certificate[]): string | undefined {
  const useless = anchors.filter((anchor) => !anchors.some((other) => anchor.checkIssued(other)));
  if (useless.length === 0) return undefined;
  return (
    `${WHAT.tc} ${JSON.stringify(names.tc)}: ${useless.length} of ${anchors.length} certificates are neither ` +
    `self-signed nor issued by another one there; Node.js ${process.version} trusts them only together with their root ` +
    "(20.18 and later trust them as they are)"
  );
}
