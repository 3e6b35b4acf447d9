/**
 * An echo server over the transport layer, to be compared with floor-echo.mjs: `node outbox-echo.js ADDON NAME` listens
 * on `ux:NAME` and prints "ready".
 */
import { listen, Outbox } from "../../src/transport/index.js";

process.env.PATHFINDER_EDGE_ADDON = process.argv[2];
const outbox = new Outbox();

listen(`ux:${process.argv[3]}`, {
  outbox,
  onConnection: (connection) => ({
    onMessage(bytes, start, end) {
      const at = outbox.begin(end - start);
      const to = outbox.bytes;
      for (let i = start, j = at; i < end; i++, j++) to[j] = bytes[i]!;
      outbox.commit(connection, at + end - start);
    },
    onDrain() {},
    onClose() {},
  }),
  onAcceptError: (error) => console.error(error.message),
}).then(() => console.log("ready"));
