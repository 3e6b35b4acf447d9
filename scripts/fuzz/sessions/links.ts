/** A connection to the server as the fuzzers need it: whole messages in batches, or, over TCP, any bytes at all. */

import { connect as connectSocket, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { FrameReader, writeHeader } from "../../../src/transport/frames.js";
import { type Connection, connect, MAX_MESSAGE_LENGTH, Outbox } from "../../../src/transport/index.js";

export interface LinkOwner {
  /** One message; the bytes are valid only during the call. */
  onMessage(bytes: Uint8Array, start: number, end: number): void;
  /** The server has ended the connection, or it broke; not after `close` or `reset`. */
  onEnd(): void;
}

export interface Link {
  /** Messages have headers: TCP. */
  readonly framed: boolean;
  send(messages: readonly Uint8Array[]): void;
  /** Bytes as they are, over TCP; over `ux` a message of its own. */
  sendRaw(bytes: Uint8Array): void;
  pause(): void;
  close(): void;
  /** Over TCP with a RST. */
  reset(): void;
}

/** How the fuzzers reach a server: `ux` and two addresses of this machine, which are two users over TCP. */
export interface Address {
  readonly address: string;
  /** The client's own address, over TCP. */
  readonly from?: string;
  /** Over TLS: PEM texts, and the server's authority. */
  readonly identity?: { readonly cert: Buffer; readonly key: Buffer; readonly ca: Buffer };
}

export function openLink(to: Address, owner: LinkOwner): Promise<Link> {
  return /^(tcp|tls):/.test(to.address) ? openStream(to, owner) : openUnix(to.address, owner);
}

const outbox = new Outbox();

async function openUnix(address: string, owner: LinkOwner): Promise<Link> {
  let over = false;
  const connection: Connection = await connect(address, {
    outbox,
    listener: {
      onMessage: (bytes, start, end) => void (over || owner.onMessage(bytes, start, end)),
      onDrain: () => {},
      onClose: () => void (over || owner.onEnd()),
    },
  });
  const send = (messages: readonly Uint8Array[]) => {
    outbox.enter();
    for (const message of messages) {
      const at = outbox.begin(message.length);
      outbox.bytes.set(message, at);
      outbox.commit(connection, at + message.length);
    }
    outbox.leave();
  };
  const close = () => {
    over = true;
    connection.close();
  };
  return {
    framed: false,
    send,
    sendRaw: (bytes) => send([bytes]),
    pause: () => connection.pauseReading(),
    close,
    reset: close,
  };
}

/** Header and payload. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(4 + message.length);
  writeHeader(frame, 0, message.length);
  frame.set(message, 4);
  return frame;
}

/** A TCP connection, and the stream on it that frames go over: itself, or TLS. */
async function openSockets({ address, from, identity }: Address): Promise<{ tcp: Socket; socket: Socket }> {
  const [, host, port] = /^(?:tcp|tls):(.*):(\d+)$/.exec(address)!;
  const opened = (socket: Socket, event: string) =>
    new Promise<void>((done, failed) => {
      socket.once("error", failed);
      socket.once(event, () => {
        socket.off("error", failed);
        done();
      });
    });
  const tcp = connectSocket({ host: host!, port: Number(port), ...(from ? { localAddress: from } : {}) });
  await opened(tcp, "connect");
  tcp.setNoDelay(true);
  if (identity === undefined) return { tcp, socket: tcp };
  const socket = connectTls({ socket: tcp, ...identity, checkServerIdentity: () => undefined });
  await opened(socket, "secureConnect");
  return { tcp, socket };
}

async function openStream(to: Address, owner: LinkOwner): Promise<Link> {
  const { tcp, socket } = await openSockets(to);
  let over = false;
  const frames = new FrameReader(MAX_MESSAGE_LENGTH);
  socket.on("data", (chunk) => {
    frames.feed(chunk);
    while (!over && frames.next()) owner.onMessage(frames.bytes, frames.start, frames.end);
  });
  const ended = () => {
    if (over) return;
    over = true;
    socket.destroy();
    owner.onEnd();
  };
  socket.on("error", ended);
  socket.on("end", ended);
  socket.on("close", ended);
  return {
    framed: true,
    send: (messages) =>
      void socket.write(messages.length === 1 ? framed(messages[0]!) : Buffer.concat(messages.map(framed))),
    sendRaw: (bytes) => void socket.write(bytes),
    pause: () => void socket.pause(),
    close: () => {
      over = true;
      socket.destroy();
    },
    reset: () => {
      over = true;
      tcp.resetAndDestroy();
      socket.destroy();
    },
  };
}
