/** `tcp`: frames on a TCP connection of Node's (xcm-transports.md, 4). */

import type { Socket } from "node:net";
import type { Outbox } from "./outbox.js";
import { StreamConnection } from "./stream-connection.js";

export class TcpConnection extends StreamConnection {
  /** `socket` is connected and not being read. */
  constructor(outbox: Outbox, socket: Socket) {
    super(outbox, "tcp", socket);
  }
}
