/**
 * The other side of an echo benchmark, in a process of its own: `node echo-load.mjs ADDON NAME WINDOW ROUNDS LENGTH`
 * sends WINDOW messages, waits for their echoes, and so on, ROUNDS times; then ends.
 */
import { createRequire } from "node:module";

const [, , path, name, windowText, roundsText, lengthText] = process.argv;
const { SeqpacketSocket, received, sendTable, receiveBatch } = createRequire(import.meta.url)(path);
const window = Number(windowText);
const length = Number(lengthText);
let rounds = Number(roundsText);
const socket = SeqpacketSocket.connect(Buffer.from(`\0${name}`));
if (typeof socket === "number") throw new Error(`cannot connect to ux:${name}: errno ${-socket}`);
const source = new Uint8Array(window * length).fill(0x61);
let missing = 0;

function send() {
  for (let i = 0; i < window; i++) {
    sendTable[2 * i] = i * length;
    sendTable[2 * i + 1] = length;
  }
  if (socket.send(source.buffer, window) !== window) throw new Error("the kernel did not take a whole window");
  missing = window;
}
socket.start((count) => {
  missing -= count;
  if (received[receiveBatch] !== 0) throw new Error("the server closed the connection");
  if (missing === 0) {
    if (--rounds > 0) send();
    else socket.close();
  }
});
socket.watch(1);
send();
