/** `tcp`: frames on a TCP connection of Node's (xcm-transports.md, 4). */

import type { Socket } from "node:net";
import type { Outbox } from "./outbox.js";
import { endsOf, StreamConnection } from "./stream-connection.js";
import { setXcmOptions } from "./tcp-options.js";

export class TcpConnection extends StreamConnection {
  readonly transport = "tcp";

  /** `socket` is connected and not being read. */
  constructor(outbox: Outbox, socket: Socket) {
    super(outbox, socket, endsOf("tcp", socket));
    setXcmOptions(socket);
  }
}
