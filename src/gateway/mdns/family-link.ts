/**
 * One interface by one address family: a socket, which is opened anew when it breaks, and the responder that uses it. The
 * responder stays while the interface has addresses of the family, whichever these are; what it has claimed stays claimed.
 */

import type { Clock } from "../../core/clock.js";
import type { Logger } from "../../core/log.js";
import type { Echoes } from "./echoes.js";
import type { NetworkInterface } from "./interfaces.js";
import type { Family, Link, LinkOptions, Peer } from "./link.js";
import type { OutgoingMessage } from "./messages.js";
import type { DecodedMessage } from "./records.js";
import type { PublisherLink } from "./responder/publisher.js";
import type { Responder } from "./responder/responder.js";
import type { SourceRates } from "./source-rates.js";

/** What all links of a gateway have in common. */
export interface FamilyLinkContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly openLink: (options: LinkOptions) => Link;
  readonly echoes: Echoes;
  readonly rates: SourceRates;
  /** Something is published: one more link to do it on. */
  readonly addResponder: (link: PublisherLink) => Responder | undefined;
  readonly removeResponder: (responder: Responder) => void;
  /** A socket that broke is opened anew after this time, then after twice as long, and so on up to 64 times. */
  readonly retryMs: number;
  /** A socket broke, as a text; `adjust` wants to be called at that time. */
  readonly onTrouble: (text: string, retryAtMs: number) => void;
}

export interface FamilyLinkOptions extends FamilyLinkContext {
  readonly family: Family;
  readonly isInScope: (source: string) => boolean;
  /** What others are to reach our own host by here, as it is when asked for. */
  readonly addresses: () => readonly string[];
  readonly onMessage: (message: DecodedMessage, from: Peer) => void;
}

const RETRY_DOUBLINGS = 6;
/** A socket that sent for so long was sound: when it breaks, its past does not count. That it hears says nothing. */
const SOUND_MS = 60_000;

interface OpenSocket {
  readonly link: Link;
  /** That it was opened with; IPv4 sends from it. */
  readonly address: string;
  readonly openedMs: number;
  /** When something went out last. */
  sentMs: number;
  isBroken: boolean;
}

export class FamilyLink {
  readonly responder: Responder | undefined;
  private socket: OpenSocket | undefined;
  /** The interface's addresses when the socket broke: others are a reason to try again at once. */
  private brokenWith = "";
  private failures = 0;
  private retryAtMs = Number.NEGATIVE_INFINITY;
  private isTold = false;

  constructor(
    private readonly options: FamilyLinkOptions,
    private found: NetworkInterface,
  ) {
    const { family, addresses, addResponder } = options;
    this.responder = addResponder({
      linkName: `${found.name} IPv${family}`,
      interfaceName: found.name,
      addresses,
      send: (message, to) => this.send(message, to),
    });
  }

  /** Messages go out and come in, as far as is known. */
  get isUsable(): boolean {
    return this.socket !== undefined && !this.socket.isBroken;
  }

  /** When `adjust` should be called although the interface did not change, if it should. */
  get dueMs(): number | undefined {
    return this.isUsable ? undefined : this.retryAtMs;
  }

  send(message: OutgoingMessage, to?: Peer): void {
    if (this.socket && !this.socket.isBroken) this.socket.link.send(message, to);
  }

  /** Brings the socket in line with the interface as it is now. True: there was none (or a broken one), and now there is. */
  adjust(found: NetworkInterface): boolean {
    this.found = found;
    const { socket, options } = this;
    const addresses = this.addressesOf(found);
    if (socket && !socket.isBroken) {
      // IPv6 sends from whichever address the interface has; IPv4 from the one that it was told.
      if (options.family === 4 && !addresses.includes(socket.address)) this.open(addresses[0]);
      return false;
    }
    const isTooEarly = options.clock.monotonicMs() < this.retryAtMs && addresses.join() === this.brokenWith;
    if (isTooEarly) return false;
    this.open(addresses[0]);
    if (socket) this.responder?.restart();
    return true;
  }

  /** Without a word: with the addresses the way is gone, and by the other family all may be as it was. */
  close(): Promise<void> {
    const { socket, responder } = this;
    this.socket = undefined;
    if (responder) this.options.removeResponder(responder);
    return socket?.link.close() ?? Promise.resolve();
  }

  private addressesOf({ addresses }: NetworkInterface): string[] {
    return addresses.flatMap(({ family, address }) => (family === this.options.family ? address : []));
  }

  private open(address: string): void {
    const { family, isInScope, echoes, rates, log, openLink, onMessage, clock } = this.options;
    const former = this.socket;
    const link = openLink({
      family,
      interface: this.found,
      isInScope,
      echoes,
      rates,
      onMessage,
      onSent: () => {
        socket.sentMs = clock.monotonicMs();
      },
      onBroken: (error) => this.onBroken(socket, error),
      log,
    });
    const openedMs = clock.monotonicMs();
    const socket: OpenSocket = { link, address, openedMs, sentMs: openedMs, isBroken: false };
    this.socket = socket;
    void former?.link.close();
  }

  /** Opened anew after 5, 10, 20 … 320 s: each opening starts the questions again, which must not be a storm. */
  private onBroken(socket: OpenSocket, error: Error): void {
    if (socket !== this.socket || socket.isBroken) return;
    const { family, clock, log, retryMs, onTrouble } = this.options;
    socket.isBroken = true;
    this.brokenWith = this.addressesOf(this.found).join();
    if (socket.sentMs - socket.openedMs >= SOUND_MS) {
      this.failures = 0;
      this.isTold = false;
    }
    this.failures++;
    const delayMs = retryMs * 2 ** Math.min(this.failures - 1, RETRY_DOUBLINGS);
    // An IPv6 address cannot send for its first second or two (duplicate address detection): at each boot, say.
    const isWarning = !this.isTold && !(this.failures === 1 && error.message.includes("EADDRNOTAVAIL"));
    this.isTold ||= isWarning;
    this.retryAtMs = clock.monotonicMs() + delayMs;
    const { name, index } = this.found; // with the number: an interface that is created anew starts without its past
    const text = `${name} (number ${index}), IPv${family}: ${error.message}; trying again in ${delayMs / 1000} s.`;
    onTrouble(text, this.retryAtMs);
    if (isWarning) log.warning(() => text);
    else log.debug(() => text);
  }
}
