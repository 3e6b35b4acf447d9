/** The handshake of one connection (pathfinder-protocol.md, 6.1 and 9.1): the client id it claims, and the time it has. */

import type { Timer } from "../core/clock.js";
import { compare, toHex, toNumber } from "../core/uint63.js";
import { F } from "../wire/commands.js";
import type { Message } from "../wire/scanner.js";
import type { Domain } from "./domain.js";

/** A connection that has not said hello by then is dropped (9.1). */
export const HANDSHAKE_SECONDS = 2;
/** Longest message before that: nobody unknown is to hold much memory. A hello has some 150 bytes. */
export const MAX_UNKNOWN_LENGTH = 4096;
/** While its client id is taken by somebody else, a connection may go on trying; it is looked at this often. */
const CONTESTED_RECHECK_SECONDS = 1;
/** Most connections of a domain that may do so at a time, because each takes one of the places for clients. */
export const MAX_CONTESTED = 16;

export class Handshake {
  /** The id of the first hello, which sticks to the connection, even if that hello fails. */
  private claimed = false;
  private idHi = 0;
  private idLo = 0;
  /** The last hello failed because the client id is in use. */
  contested = false;
  private timer: Timer | undefined;

  constructor(
    private readonly domain: Domain,
    private readonly onTimeout: () => void,
  ) {
    this.arm(HANDSHAKE_SECONDS);
  }

  /** Claims the client id of a hello; false if this connection has another one. */
  claim(idHi: number, idLo: number): boolean {
    if (this.claimed) return compare(idHi, idLo, this.idHi, this.idLo) === 0;
    this.claimed = true;
    this.idHi = idHi;
    this.idLo = idLo;
    return true;
  }

  /** The claimed id, for the log. */
  get clientText(): string {
    return this.claimed ? toHex(this.idHi, this.idLo) : "unknown";
  }

  /** The version that a hello and the domain have in common; `undefined` if there is none. */
  selectVersion(hello: Message): number | undefined {
    const { min, max } = this.domain.versions;
    const least = Math.max(toNumber(hello.hi(F.minimumVersion), hello.lo(F.minimumVersion)), min);
    const selected = Math.min(toNumber(hello.hi(F.maximumVersion), hello.lo(F.maximumVersion)), max);
    return selected >= least ? selected : undefined;
  }

  /** The handshake is done, or the connection has ended. */
  stop(): void {
    this.timer?.cancel();
    this.domain.contested.delete(this);
  }

  private arm(seconds: number): void {
    this.timer = this.domain.timers.after("handshake", seconds * 1000, () => {
      if (this.mayGoOn()) this.arm(CONTESTED_RECHECK_SECONDS);
      else this.onTimeout();
    });
  }

  private mayGoOn(): boolean {
    const { contested, directory } = this.domain;
    if (!this.contested || directory.client(this.idHi, this.idLo) === undefined) return false;
    if (!contested.has(this) && contested.size >= MAX_CONTESTED) return false;
    contested.add(this);
    return true;
  }
}
