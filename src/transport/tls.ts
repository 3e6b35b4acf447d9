/**
 * `tls`: frames inside TLS with certificates on both sides (xcm-transports.md, 5). Node's TLS does the cryptography; what
 * is here decides that a peer is verified. Until then nothing that the peer sent is delivered and nothing is sent to it.
 */

import { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { connect, type SecureContext, TLSSocket } from "node:tls";
import type { Outbox } from "./outbox.js";
import { StreamConnection } from "./stream-connection.js";
import { subjectKeyIdOf } from "./subject-key-id.js";
import { certificateRefused, tlsFailed } from "./tls-refusals.js";
import { TransportError } from "./transport.js";

/**
 * How long a connection that was closed may take to send its close_notify and to read what is on its way, because
 * unread bytes would turn the end into a reset.
 */
const LINGER_MS = 500;
/** Longer identifiers are refused: they become users' names. */
const MAX_SUBJECT_KEY_ID = 256;

/** Below Node's TLSSocket; what it says of the peer's chain is not documented, and there is no other way to ask. */
interface Verifier {
  verifyError?(): (Error & { code?: string }) | null | undefined;
}

export class TlsConnection extends StreamConnection {
  declare protected readonly stream: TLSSocket;
  readonly #isServer: boolean;
  #subjectKeyId: Uint8Array | undefined;
  /** Called once, when the peer is verified; nothing has been delivered yet. */
  onVerified: () => void = () => {};
  /** Frames to be sent, and how many they are, while the peer is not verified. */
  #early: { readonly frames: Uint8Array; readonly messages: number }[] = [];
  #received = false;
  #failed = false;

  private constructor(outbox: Outbox, tcp: Socket, stream: TLSSocket, isServer: boolean) {
    super(outbox, "tls", tcp, stream);
    this.#isServer = isServer;
    // Once: Node.js says it again when it declines a renegotiation.
    stream.once("secure", () => this.#onHandshakeDone());
    // Errors of a server's side come this way, those after the handshake only this way.
    stream.on("_tlsError", (error: Error) => this.streamFailed(error));
  }

  /** `socket` is connected and not being read. */
  static accept(outbox: Outbox, socket: Socket, secureContext: SecureContext): TlsConnection {
    // With rejectUnauthorized OpenSSL itself refuses a client without a certificate, and tells it why.
    const stream = new TLSSocket(socket, {
      isServer: true,
      secureContext,
      requestCert: true,
      rejectUnauthorized: true,
    });
    return new TlsConnection(outbox, socket, stream, true);
  }

  /** `socket` is connected and not being read. */
  static connect(outbox: Outbox, socket: Socket, secureContext: SecureContext): TlsConnection {
    // XCM checks no names. Whether the certificate is good is looked at below, like a client's.
    const stream = connect({ socket, secureContext, rejectUnauthorized: false, checkServerIdentity: () => undefined });
    return new TlsConnection(outbox, socket, stream, false);
  }

  override get subjectKeyId(): Uint8Array | undefined {
    return this.#subjectKeyId;
  }

  get #verified(): boolean {
    return this.#subjectKeyId !== undefined;
  }

  #onHandshakeDone(): void {
    if (this.ended || this.#failed) return;
    let outcome: Uint8Array | string;
    try {
      outcome = this.#verify();
    } catch (error) {
      outcome = `its certificate cannot be read: ${tlsFailed(error as Error)}`;
    }
    if (typeof outcome === "string") {
      this.end(this.#protocolError(outcome));
      return;
    }
    this.#subjectKeyId = outcome;
    this.onVerified();
    for (const { frames, messages } of this.#early.splice(0)) super.write(frames, messages);
    if (!this.ended) super.readingChanged();
  }

  /** The subject key identifier of a peer that may talk to us, or why it may not. */
  #verify(): Uint8Array | string {
    const stream = this.stream;
    // getPeerX509Certificate() would be enough, but on a server's side Node.js never frees what it gives (4.5 KB a call).
    const raw: Uint8Array | undefined = stream.getPeerCertificate().raw;
    if (raw === undefined) return "the peer has presented no certificate";
    const verifier = (stream as unknown as { ssl: Verifier | null }).ssl;
    if (typeof verifier?.verifyError !== "function") return `Node.js ${process.version} does not verify certificates`;
    const error = verifier.verifyError();
    const refused = (code: string, why: string) => certificateRefused(new X509Certificate(raw), code, why);
    if (error) return refused(error.code ?? "UNSPECIFIED", error.message);
    if (stream.isSessionReused()) return "a session was resumed without showing a certificate";
    const subjectKeyId = subjectKeyIdOf(raw);
    if (subjectKeyId.length > MAX_SUBJECT_KEY_ID) {
      const said = `its subject key identifier has ${subjectKeyId.length} bytes (at most ${MAX_SUBJECT_KEY_ID} accepted)`;
      return refused("SUBJECT_KEY_IDENTIFIER", said);
    }
    return subjectKeyId;
  }

  #protocolError(why: string): TransportError {
    return new TransportError("EPROTO", `${this.remoteAddress}: ${why}`);
  }

  protected override readingChanged(): void {
    if (this.#verified) super.readingChanged();
  }

  protected override onData(chunk: Uint8Array): void {
    if (!this.#verified) return;
    this.#received = true;
    super.onData(chunk);
  }

  protected override write(frames: Uint8Array, messages: number): void {
    if (this.#verified) super.write(frames, messages);
    else this.#early.push({ frames, messages });
  }

  override get queuedMessages(): number {
    if (this.#verified) return super.queuedMessages;
    return this.#early.reduce((sum, { messages }) => sum + messages, 0);
  }

  override get queuedBytes(): number {
    if (this.#verified) return super.queuedBytes;
    return this.#early.reduce((sum, { frames }) => sum + frames.length, 0);
  }

  protected override orderlyEnd(): TransportError | undefined {
    if (!this.#verified) return this.#protocolError("the peer closed the connection during the TLS handshake");
    // In TLS 1.3 a server sees our certificate only after we are done; it may say why it leaves, or just leave.
    if (!this.#isServer && !this.#received) {
      return this.#protocolError(
        "the peer closed the connection before it sent anything; it may have refused our certificate",
      );
    }
    return undefined;
  }

  protected override describe(error: Error): TransportError {
    const { code } = error as NodeJS.ErrnoException;
    const duringHandshake = code === "ECONNRESET" || code === "EPIPE" ? this.orderlyEnd() : undefined;
    if (duringHandshake !== undefined) return duringHandshake;
    if (code === undefined || /^ERR_/.test(code)) return this.#protocolError(tlsFailed(error));
    return super.describe(error);
  }

  protected override streamFailed(error: Error): void {
    this.#failed = true;
    super.streamFailed(error);
  }

  /** A peer that was refused gets no close_notify: to XCM that is an error, as it should be. */
  protected override letGo(): void {
    const stream = this.stream;
    this.#early = [];
    if (!this.#verified || this.#failed || stream.destroyed) {
      stream.destroy();
      return;
    }
    const timer = setTimeout(() => stream.destroy(), LINGER_MS);
    stream.once("close", () => clearTimeout(timer));
    stream.end(); // close_notify, then the end of the TCP stream
    stream.resume();
  }
}
