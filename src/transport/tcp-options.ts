/** The socket options that XCM sets below `tcp` and `tls` (xcm-transports.md, 4.2). Without the addon fewer are set. */

import { isIPv6, type Socket } from "node:net";
import { optionalAddon } from "./addon.js";

/** Levels and options as Linux numbers them on every architecture. */
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;
const IP_TOS = 1;
const IPV6_TCLASS = 67;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_SYNCNT = 7;
const TCP_USER_TIMEOUT = 18;

/** XCM's defaults: a silent host is declared dead after 3 to 4 s, unacknowledged data after 3 s. */
const KEEPALIVE_IDLE_MS = 1_000;
/** The traffic class of all packets; its upper six bits are the DSCP. */
export const DSCP_CS5 = 160;
const CONNECTION_OPTIONS = [
  [IPPROTO_TCP, TCP_SYNCNT, 3],
  [IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_MS / 1_000],
  [IPPROTO_TCP, TCP_KEEPINTVL, 1],
  [IPPROTO_TCP, TCP_KEEPCNT, 3],
  [IPPROTO_TCP, TCP_USER_TIMEOUT, 3_000],
] as const;

/** Undocumented but long-standing: the descriptor below a socket. Never kept, because Node closes it. */
function descriptorOf(socket: Socket): number {
  return (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}

/** Marks the packets of a socket as XCM does. An IPv6 socket has the one mark only, whatever it carries. */
function setTrafficClass(socket: Socket, ip: string): void {
  const fd = descriptorOf(socket);
  if (fd < 0) return;
  if (isIPv6(ip)) optionalAddon()?.setOption(fd, IPPROTO_IPV6, IPV6_TCLASS, DSCP_CS5);
  else optionalAddon()?.setOption(fd, IPPROTO_IP, IP_TOS, DSCP_CS5);
}

/** Keepalive with XCM's times. Without the addon, only the idle time is XCM's. */
export function setKeepalive(socket: Socket, on: boolean): void {
  socket.setKeepAlive(on, KEEPALIVE_IDLE_MS);
  // After setKeepAlive(), because libuv sets an interval and a count of its own. A socket that has just been reset
  // refuses some options; its end is reported anyway.
  const fd = on ? descriptorOf(socket) : -1;
  if (fd < 0) return;
  for (const [level, option, value] of CONNECTION_OPTIONS) optionalAddon()?.setOption(fd, level, option, value);
}

/** All that XCM sets on a connection. `socket` is connected. */
export function setConnectionOptions(socket: Socket): void {
  socket.setNoDelay(true);
  setKeepalive(socket, true);
  setTrafficClass(socket, socket.localAddress ?? "");
}
