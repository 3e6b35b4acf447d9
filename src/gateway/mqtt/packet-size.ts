/** Watches a stream of MQTT packets for one that is too large, by nothing but the lengths in their fixed headers. */

import { FixedHeader } from "./fixed-header.js";

export class PacketSizeLimit {
  private readonly header = new FixedHeader();
  private rest = 0;

  constructor(private readonly maxBytes: number) {}

  /**
   * Takes the next bytes of the stream. False: a packet larger than allowed has begun (or a length that is none); the
   * connection must be closed. The parser of aedes would collect up to 256 MB first.
   */
  accept(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; ) {
      if (this.rest > 0) {
        const taken = Math.min(this.rest, bytes.length - at);
        this.rest -= taken;
        at += taken;
        continue;
      }
      const { header } = this;
      const state = header.take(bytes[at++]);
      if (state === "malformed" || (state === "complete" && header.packetBytes > this.maxBytes)) return false;
      if (state === "incomplete") continue;
      this.rest = header.length;
      header.end();
    }
    return true;
  }
}
