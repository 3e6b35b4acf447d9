/** Which version of MQTT is spoken: 5 if the broker knows it, else 3.1.1, found out by how it refuses. */

/** CONNACK codes for a protocol version that the broker does not speak: MQTT 3.1.1, MQTT 5. */
const REFUSED: ReadonlySet<unknown> = new Set([1, 132]);

/** How some brokers react to a version they do not know instead: the connection just ends. */
const SILENTLY_ENDED: ReadonlySet<unknown> = new Set([undefined, "ECONNRESET"]);

export class ProtocolVersion {
  /** Of this attempt or connection; 4 is MQTT 3.1.1. */
  current: 5 | 4 = 5;
  private fiveRefused = false;

  /** A connection has ended, in which this version was accepted. */
  connectionLost(): void {
    this.current = this.fiveRefused ? 4 : 5;
  }

  /** An attempt has failed: with this CONNACK or error code. True: it is worth another one at once. */
  attemptFailed(code: unknown): boolean {
    if (REFUSED.has(code) && this.current === 5) {
      this.fiveRefused = true;
      this.current = 4;
      return true;
    }
    if (REFUSED.has(code) || SILENTLY_ENDED.has(code)) {
      this.fiveRefused = false;
      this.current = this.current === 5 ? 4 : 5;
    }
    return false;
  }
}
