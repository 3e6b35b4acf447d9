/** The UDP socket of one interface and address family: a member of mDNS's group there, and sending to it there. */

import { createSocket, type Socket } from "node:dgram";
import type { NetworkInterface } from "./interfaces.js";
import { MDNS_PORT } from "./records.js";

export type Family = 4 | 6;

export const GROUP = { 4: "224.0.0.251", 6: "ff02::fb" } as const;

/** Of IP packets: mDNS does not leave its link, and this shows that it did not (RFC 6762, 11). */
const HOP_LIMIT = 255;
/**
 * Asked of the kernel, which gives no more than net.core.rmem_max (208 KiB, unless it was raised) and counts twice: room
 * for a burst of some hundred packets while this process has no CPU. It takes memory only while it is in use.
 */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

export interface GroupSocketOptions {
  readonly family: Family;
  readonly interface: NetworkInterface;
  /** Messages may be sent from now on. */
  readonly onReady: () => void;
  /** The socket cannot be opened (port refused, interface gone), or failed later. Before that, `onReady` may be missing. */
  readonly onBroken: (error: Error) => void;
}

/**
 * Bound to the group's address, not to a wildcard: beside another responder on this host (avahi) we would take its
 * unicast packets; bound to an address of this host we would get no multicast at all. Membership and sending name the
 * interface, since there may be no route for the group. What is sent is heard by others on this machine, too.
 */
export function openGroupSocket({ family, interface: of, onReady, onBroken }: GroupSocketOptions): Socket {
  // How Node.js names an interface: by an address of it, or for IPv6 by its name.
  const place = family === 6 ? `::%${of.name}` : of.addresses.find((own) => own.family === 4)?.address;
  const socket = createSocket({ type: `udp${family}`, reuseAddr: true });
  socket.on("error", onBroken);
  socket.bind(MDNS_PORT, family === 6 ? `${GROUP[6]}%${of.name}` : GROUP[4], () => {
    try {
      socket.addMembership(GROUP[family], place);
      if (place !== undefined) socket.setMulticastInterface(place);
      socket.setMulticastTTL(HOP_LIMIT);
      socket.setTTL(HOP_LIMIT);
      socket.setMulticastLoopback(true);
      socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    } catch (error) {
      onBroken(error as Error);
      return;
    }
    onReady();
  });
  return socket;
}
