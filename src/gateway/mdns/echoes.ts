/**
 * Which packets are our own, come back: a host hears the multicast that it sends, and may hear it again on another
 * interface of the same network. Other responders on this machine (avahi) send from the same address and port, so only
 * the bytes tell. Without this, a record that we have just changed would come back as somebody's conflicting one.
 */

import type { Clock } from "../../core/clock.js";

const LIFE_MS = 2000;
/** Packets remembered; when there are more, the oldest are forgotten first. */
const LIMIT = 512;

export class Echoes {
  /** By the bytes, the oldest first: when it was sent last. */
  private readonly sentMs = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  sent(packet: Buffer): void {
    const key = packet.toString("latin1");
    this.sentMs.delete(key);
    if (this.sentMs.size >= LIMIT) this.sentMs.delete(this.sentMs.keys().next().value as string);
    this.sentMs.set(key, this.clock.monotonicMs());
  }

  has(packet: Buffer): boolean {
    const nowMs = this.clock.monotonicMs();
    for (const [key, sentMs] of this.sentMs) {
      if (nowMs - sentMs <= LIFE_MS) break;
      this.sentMs.delete(key);
    }
    return this.sentMs.size > 0 && this.sentMs.has(packet.toString("latin1"));
  }
}
