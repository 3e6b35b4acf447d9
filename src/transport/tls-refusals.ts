/** Says in one line why a TLS handshake did not succeed: in words, with OpenSSL's name, and with the subject refused. */

import type { X509Certificate } from "node:crypto";

/** Names in certificates are the peer's choice: shown in part, and without anything that could forge a log line. */
const MAX_SUBJECT_LENGTH = 200;
const MAX_REASON_LENGTH = 200;

const CERTIFICATE_ERRORS: Readonly<Record<string, string>> = {
  CERT_REVOKED: "it, or a certificate above it, has been revoked",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is self-signed and not trusted",
  SELF_SIGNED_CERT_IN_CHAIN: "the root above it is not trusted",
  UNABLE_TO_GET_ISSUER_CERT: "its issuer is not trusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its issuer is not trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its issuer is not trusted",
  CERT_SIGNATURE_FAILURE: "its signature is not that of its issuer",
  INVALID_PURPOSE: "the key usages in it, or in a certificate above it, do not allow this use",
  INVALID_CA: "a certificate above it is not an authority's",
  PATH_LENGTH_EXCEEDED: "there are more authorities above it than one of them allows",
  CERT_CHAIN_TOO_LONG: "there are too many certificates above it",
  UNABLE_TO_GET_CRL: "there is no revocation list of its issuer, or of one above",
  CRL_HAS_EXPIRED: "the revocation list of its issuer, or of one above, has expired",
  CRL_NOT_YET_VALID: "the revocation list of its issuer, or of one above, is not valid yet",
  CRL_SIGNATURE_FAILURE: "the revocation list of its issuer, or of one above, has a wrong signature",
};

const HANDSHAKE_ERRORS: Readonly<Record<string, string>> = {
  PEER_DID_NOT_RETURN_A_CERTIFICATE: "the peer has presented no certificate",
  HTTP_REQUEST: "the peer does not speak TLS",
  WRONG_VERSION_NUMBER: "the peer does not speak TLS",
  UNSUPPORTED_PROTOCOL: "the peer speaks no TLS version of 1.2 and 1.3",
  NO_SHARED_CIPHER: "no cipher suite in common",
  NO_SHARED_GROUP: "no group for the key exchange in common",
  NO_SUITABLE_KEY_SHARE: "no group for the key exchange in common",
  NO_SUITABLE_SIGNATURE_ALGORITHM: "no signature algorithm in common",
  NO_SHARED_SIGNATURE_ALGORITHMS: "no signature algorithm in common",
  EXCESSIVE_MESSAGE_SIZE: "the peer's certificates are too long",
};

/** Everything beyond printable ASCII is escaped, the line breaks between the parts of a name are commas. */
function shown(text: string, limit: number): string {
  const escaped = text
    .slice(0, limit + 1)
    .replaceAll("\n", ", ")
    .replace(/[^\x20-\x7e]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
  return escaped.length > limit ? `${escaped.slice(0, limit)}…` : escaped;
}

/** `code` is OpenSSL's, as Node.js names it; `text` what OpenSSL says, used where we have no words of our own. */
export function certificateRefused(certificate: X509Certificate, code: string, text: string): string {
  const words = datesOf(certificate, code) ?? CERTIFICATE_ERRORS[code] ?? shown(text, MAX_REASON_LENGTH);
  const subject = shown(certificate.subject ?? "", MAX_SUBJECT_LENGTH) || "without a name";
  return `certificate refused: ${words} (${code}; subject ${subject})`;
}

function datesOf({ validFrom, validTo }: X509Certificate, code: string): string | undefined {
  const whose = (own: boolean) => (own ? "it" : "a certificate above it");
  if (code === "CERT_HAS_EXPIRED") return `${whose(Date.parse(validTo) < Date.now())} has expired`;
  if (code === "CERT_NOT_YET_VALID") return `${whose(Date.parse(validFrom) > Date.now())} is not valid yet`;
  return undefined;
}

/** What Node.js emits, of a handshake or later. */
export function tlsFailed(error: Error): string {
  const { code, reason } = error as { code?: string; reason?: string };
  const name = code?.startsWith("ERR_SSL_") ? code.slice("ERR_SSL_".length) : (code ?? "");
  const said = shown(reason ?? error.message, MAX_REASON_LENGTH);
  if (/_ALERT_/.test(name)) {
    const ours = /CERTIFICATE|UNKNOWN_CA/.test(name) ? "refused our certificate" : "ended TLS";
    return `the peer ${ours}: ${said.replace(/^\S+ alert /, "")} (${name})`;
  }
  return `${HANDSHAKE_ERRORS[name] ?? said} (${name || "no code"})`;
}
