/** The fixed header of an MQTT packet, byte by byte: type and flags, then the length of the rest in one to four bytes. */

export class FixedHeader {
  private readonly bytes: number[] = [];
  /** Of what follows the header; meaningful once it is complete. */
  length = 0;

  /** Takes the next byte of the stream, the first one of the next header if this one is over. */
  take(byte: number): "incomplete" | "complete" | "malformed" {
    const { bytes } = this;
    bytes.push(byte);
    if (bytes.length === 1) {
      this.length = 0;
      return "incomplete";
    }
    this.length += (byte & 0x7f) * 2 ** (7 * (bytes.length - 2));
    if ((byte & 0x80) === 0) return "complete";
    return bytes.length === 5 ? "malformed" : "incomplete";
  }

  /** Of the packet, itself included. */
  get packetBytes(): number {
    return this.bytes.length + this.length;
  }

  /** What it was made of; the next byte begins another one. */
  end(): readonly number[] {
    return this.bytes.splice(0);
  }
}
