/**
 * Which packets are our own, come back: a host hears the multicast that it sends, and may hear it again on another
 * interface of the same network. Other responders on this machine (avahi) send from the same addresses and port, so the
 * bytes must be the same as well; and not only they, since other gateways ask the same questions. Without this, a record that we have just changed would come back as somebody's conflicting one.
 */

import type { Clock } from "../../core/clock.js";

const LIFE_MS = 2000;
/** Packets remembered; when there are more, the oldest are forgotten first. */
const LIMIT = 512;

export class Echoes {
  /** By the bytes, the oldest first: when it was sent last. */
  private readonly sentMs = new Map<string, number>();

  /** `isOwnAddress` is asked for an address without its zone. */
  constructor(
    private readonly clock: Clock,
    private readonly isOwnAddress: (address: string) => boolean,
  ) {}

  sent(packet: Buffer): void {
    const key = packet.toString("latin1");
    this.sentMs.delete(key);
    if (this.sentMs.size >= LIMIT) this.sentMs.delete(this.sentMs.keys().next().value as string);
    this.sentMs.set(key, this.clock.monotonicMs());
  }

  /** `source` as Node.js shows it: a link-local IPv6 address with its zone. */
  has(packet: Buffer, source: string): boolean {
    if (!this.isOwnAddress(source.split("%", 1)[0])) return false;
    const nowMs = this.clock.monotonicMs();
    for (const [key, sentMs] of this.sentMs) {
      if (nowMs - sentMs <= LIFE_MS) break;
      this.sentMs.delete(key);
    }
    return this.sentMs.size > 0 && this.sentMs.has(packet.toString("latin1"));
  }
}
