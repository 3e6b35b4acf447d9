/** The least that is needed to talk over the addon: what the benchmark's load and its floor are made of. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { DIST } from "../setup.mjs";

export const addon = createRequire(import.meta.url)(
  process.env.PATHFINDER_EDGE_ADDON ?? join(DIST, "pathfinder-edge.node"),
);
const { receiveArena, received, sendTable, sendBatch, slotStride, SeqpacketSocket } = addon;
const arena = Buffer.from(receiveArena.buffer, receiveArena.byteOffset, receiveArena.length);
const READABLE = 1;
const WRITABLE = 2;

const abstract = (name) => Buffer.from(`\0${name}`);

/** An echo server straight over the addon, with no protocol in between: the floor that every figure is compared with. */
export function echo(name) {
  const listener = SeqpacketSocket.listen(abstract(name), 128);
  listener.start(() => {
    for (let socket = listener.accept(); typeof socket !== "number"; socket = listener.accept()) {
      const connection = socket;
      connection.start((count) => {
        for (let i = 0; i < count; i++) {
          sendTable[2 * i] = i * slotStride;
          sendTable[2 * i + 1] = received[i];
        }
        if (count > 0) connection.send(receiveArena.buffer, count);
        if (received[addon.receiveBatch] !== 0) connection.close();
      });
      connection.watch(READABLE);
    }
  });
  listener.watch(READABLE);
}

/** A client connection: `send(messages)`, and `onMessages(count, read)` with `read(i)` giving message i as a Buffer. */
export class Client {
  #socket;
  #waiting = [];
  onMessages = () => {};

  constructor(name) {
    this.#socket = SeqpacketSocket.connect(abstract(name));
    if (typeof this.#socket === "number") throw new Error(`connecting to ux:${name} failed: errno ${-this.#socket}`);
    this.#socket.start((event) => {
      if (event < 0) return this.#flush();
      const end = received[addon.receiveBatch];
      if (event > 0) {
        this.onMessages(event, (i) => arena.subarray(i * slotStride, i * slotStride + received[i]));
      }
      if (end !== 0) throw new Error("the server closed the connection");
    });
    this.#socket.watch(READABLE);
  }

  send(messages) {
    this.#waiting.push(...messages);
    this.#flush();
  }

  #flush() {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, sendBatch);
      const bytes = Buffer.alloc(batch.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      batch.forEach((message, i) => {
        sendTable[2 * i] = bytes.byteOffset + at;
        sendTable[2 * i + 1] = message.length;
        at += message.copy(bytes, at);
      });
      const sent = this.#socket.send(bytes.buffer, batch.length);
      if (sent > 0) this.#waiting.splice(0, sent);
      if (sent < batch.length) break;
    }
    this.#socket.watch(this.#waiting.length > 0 ? READABLE | WRITABLE : READABLE);
  }

  /** Sends `message(0)`, `message(1)` … keeping `window` of them unanswered, until `count` answers came. */
  run(count, window, message, isAnswer = () => true) {
    return new Promise((resolve) => {
      let sent = 0;
      let answered = 0;
      const more = (n) => {
        const batch = [];
        for (let i = 0; i < n && sent < count; i++) batch.push(message(sent++));
        if (batch.length > 0) this.send(batch);
      };
      this.onMessages = (n, read) => {
        let answers = 0;
        for (let i = 0; i < n; i++) if (isAnswer(read(i))) answers++;
        answered += answers;
        if (answered >= count) resolve();
        else more(answers);
      };
      more(window);
    });
  }

  /** Sends one request; resolves with the first message that `isAnswer` accepts. */
  request(message, isAnswer = (answer) => /"(complete|accept|fail)"/.test(String(answer))) {
    return new Promise((resolve, reject) => {
      this.onMessages = (n, read) => {
        for (let i = 0; i < n; i++) {
          const answer = String(read(i));
          if (!isAnswer(answer)) continue;
          if (answer.includes('"fail"')) reject(new Error(answer));
          else resolve(answer);
        }
      };
      this.send([Buffer.from(message)]);
    });
  }

  close() {
    this.#socket.close();
  }
}
