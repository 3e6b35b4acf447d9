/**
 * A bare echo server over the addon, without the transport layer: what a message costs before any protocol. Benchmarks
 * use it as their floor. `node floor-echo.mjs ADDON NAME` listens on `ux:NAME` and prints "ready".
 */
import { createRequire } from "node:module";

const [, , path, name] = process.argv;
const { SeqpacketSocket, receiveArena, received, sendTable, receiveBatch, slotStride } = createRequire(import.meta.url)(
  path,
);
const listener = SeqpacketSocket.listen(Buffer.from(`\0${name}`), 128);
if (typeof listener === "number") throw new Error(`cannot listen on ux:${name}: errno ${-listener}`);

function echo(socket) {
  socket.start((count) => {
    for (let i = 0; i < count; i++) {
      sendTable[2 * i] = i * slotStride;
      sendTable[2 * i + 1] = received[i];
    }
    if (count > 0) socket.send(receiveArena.buffer, count);
    if (received[receiveBatch] !== 0) socket.close();
  });
  socket.watch(1);
}

listener.start(() => {
  for (let peer = listener.accept(); typeof peer !== "number"; peer = listener.accept()) echo(peer);
});
listener.watch(1);
console.log("ready");
