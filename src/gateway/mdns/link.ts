/** The socket for one interface and address family: messages out, acceptable messages in; for browser and responder. */

import { type Logger, logStack } from "../../core/log.js";
import type { Echoes } from "./echoes.js";
import { type Family, GROUP, openGroupSocket } from "./group-socket.js";
import type { NetworkInterface } from "./interfaces.js";
import type { OutgoingMessage } from "./messages.js";
import { dnsPacket, encodeForResolver } from "./name-codec.js";
import { type DecodedMessage, MDNS_PORT } from "./records.js";
import type { SourceRates } from "./source-rates.js";

export { type Family, MDNS_PORT };

export interface Peer {
  readonly address: string;
  readonly port: number;
}

export interface LinkOptions {
  readonly family: Family;
  readonly interface: NetworkInterface;
  /** Asked for each packet: does its source belong to this link? */
  readonly isInScope: (source: string) => boolean;
  /** Shared by all links of a gateway, as the next one is. */
  readonly echoes: Echoes;
  readonly rates: SourceRates;
  /**
   * A query from any port (one that is not 5353: a legacy query), or a response from port 5353; nothing of our own, and
   * nothing that RFC 6762 (18.3, 18.11) says to ignore. Of buffers in it, what shall last must be copied.
   */
  readonly onMessage: (message: DecodedMessage, from: Peer) => void;
  /** A message has gone out by multicast. */
  readonly onSent: () => void;
  /** The socket is of no use any more (interface gone, port refused): close it and open another one later. */
  readonly onBroken: (error: Error) => void;
  readonly log: Logger;
}

export interface Link {
  /** By multicast, unless `to` names a peer. What does not become a packet is logged, and not sent. */
  send(message: OutgoingMessage, to?: Peer): void;
  /** What was sent before still goes out. */
  close(): Promise<void>;
}

/** Messages that wait for the socket to be bound, which takes a moment; further ones are dropped. */
const WAITING_LIMIT = 64;

export function openLink(options: LinkOptions): Link {
  const { family, log, isInScope, echoes, rates, onMessage, onSent, onBroken } = options;
  const place = `mDNS on ${options.interface.name} (IPv${family})`;
  let isClosed = false;
  /** Absent once the socket is bound. */
  let waiting: (() => void)[] | undefined = [];
  const broken = (error: Error) => {
    if (!isClosed) onBroken(error);
  };
  const socket = openGroupSocket({
    family,
    interface: options.interface,
    onReady() {
      const sends = waiting ?? [];
      waiting = undefined;
      for (const send of sends) if (!isClosed) send();
    },
    onBroken: broken,
  });
  socket.on("message", (packet, { address, port }) => {
    if (isClosed || !isInScope(address) || echoes.has(packet, address) || !rates.take(address)) return;
    let message: DecodedMessage;
    try {
      message = dnsPacket.decode(packet) as DecodedMessage;
    } catch (error) {
      log.debug(() => `${place}: a packet was not understood: ${(error as Error).message}`);
      return;
    }
    if (message.opcode !== "QUERY" || message.rcode !== "NOERROR") return;
    if (message.type === "response" && port !== MDNS_PORT) return;
    try {
      onMessage(message, { address, port });
    } catch (error) {
      logStack(log, `${place}: a ${message.type} from ${address} was not processed`, error);
    }
  });
  let sending = 0;
  let onAllSent: () => void = () => {};
  const sendPacket = (packet: Buffer, { address, port }: Peer) => {
    echoes.sent(packet);
    sending++;
    socket.send(packet, port, address, (error) => {
      if (--sending === 0) onAllSent();
      if (address === GROUP[family]) error ? broken(error) : onSent();
      else if (error) log.debug(() => `${place}: cannot send to ${address}: ${error.message}`);
    });
  };
  return {
    send(message, to = { address: GROUP[family], port: MDNS_PORT }) {
      // A packet may claim to come from port 0. There is no way back to it, and Node.js throws where it is to go there.
      if (isClosed || to.port === 0) return;
      let packet: Buffer;
      try {
        packet = encodeMessage(message);
      } catch (error) {
        logStack(log, `${place}: a message cannot be sent`, error);
        return;
      }
      if (!waiting) sendPacket(packet, to);
      else if (waiting.length < WAITING_LIMIT) waiting.push(() => sendPacket(packet, to));
    },
    close() {
      if (isClosed) return Promise.resolve();
      isClosed = true;
      return new Promise((resolve) => {
        // Node sends in a later tick: what is closed at once would never say goodbye.
        onAllSent = () => void socket.close(resolve);
        if (sending === 0) onAllSent();
      });
    },
  };
}

/** The bytes of a message. Throws if it cannot be written (a name that is too long, say). */
export function encodeMessage(message: OutgoingMessage): Buffer {
  const { type, id, truncated, questions = [], answers = [], authorities = [], additionals = [] } = message;
  const flags =
    (type === "response" ? dnsPacket.AUTHORITATIVE_ANSWER : 0) | (truncated ? dnsPacket.TRUNCATED_RESPONSE : 0);
  // dns-packet's types know neither the QU bit nor every type it can write.
  const packet = {
    type,
    id: id ?? 0,
    flags,
    questions,
    answers,
    authorities,
    additionals,
  } as unknown as dnsPacket.Packet;
  return message.isLegacy ? encodeForResolver(packet) : dnsPacket.encode(packet);
}
