/** Watches a stream of MQTT packets for one that is too large, by nothing but the lengths in their fixed headers. */

export class PacketSizeLimit {
  private rest = 0;
  private headerBytes = 0;
  private length = 0;

  constructor(private readonly maxBytes: number) {}

  /**
   * Takes the next bytes of the stream. False: a packet larger than allowed has begun (or a length that is none); the
   * connection must be closed. The parsers of mqtt.js and aedes would collect up to 256 MB first.
   */
  accept(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; ) {
      if (this.rest > 0) {
        const taken = Math.min(this.rest, bytes.length - at);
        this.rest -= taken;
        at += taken;
        continue;
      }
      const byte = bytes[at++];
      if (this.headerBytes++ === 0) {
        this.length = 0; // type and flags
        continue;
      }
      this.length += (byte & 0x7f) * 2 ** (7 * (this.headerBytes - 2));
      if (byte & 0x80) {
        if (this.headerBytes === 5) return false;
        continue;
      }
      if (this.headerBytes + this.length > this.maxBytes) return false;
      this.rest = this.length;
      this.headerBytes = 0;
    }
    return true;
  }
}
