/** `openssl s_client` as a peer of a `tls` socket. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { Identity } from "./certificates.js";
import { Watch } from "./transport-peers.js";

export class OpensslClient extends Watch {
  /** Everything that came through TLS. */
  received = Buffer.alloc(0);
  /** What s_client says about certificates and alerts. */
  said = "";
  ended = false;
  readonly #child: ChildProcessWithoutNullStreams;

  constructor(address: string, identity: Identity | undefined, ...args: string[]) {
    super();
    const shown =
      identity === undefined ? [] : ["-cert", identity.cert, "-cert_chain", identity.cert, "-key", identity.key];
    const target = address.slice(address.indexOf(":") + 1);
    this.#child = spawn("openssl", ["s_client", "-quiet", "-connect", target, ...shown, ...args]);
    this.#child.stdout.on("data", (data: Buffer) => {
      this.received = Buffer.concat([this.received, data]);
      this.happened();
    });
    this.#child.stderr.on("data", (data: Buffer) => {
      this.said += data;
      this.happened();
    });
    this.#child.stdin.on("error", () => {}); // it may have gone already
    this.#child.on("close", () => {
      this.ended = true;
      this.happened();
    });
  }

  /** Sends one frame; before the handshake is done it waits in the pipe. */
  send(message: string): void {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(message.length);
    this.#child.stdin.write(Buffer.concat([length, Buffer.from(message, "latin1")]));
  }

  ends(): Promise<void> {
    return this.until(() => this.ended, "the end of openssl s_client");
  }

  /** Ends it at once, without close_notify. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ends();
  }
}
