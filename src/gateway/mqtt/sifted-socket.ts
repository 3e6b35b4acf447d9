/** A socket to a broker from which messages that are too large are left out; what is written goes through as it is. */

import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { type OversizedMessage, OversizedMessages } from "./oversized-messages.js";

export interface SiftedSocketEvents {
  /** One was left out, and acknowledged if it wants that. */
  leftOut(message: OversizedMessage): void;
  /** Bytes of one that is being left out have come: the broker is alive. */
  leavingOut(): void;
}

const PUBACK = 0x40;

/** Ends with the socket, and the socket with it. */
export class SiftedSocket extends Duplex {
  private readonly messages: OversizedMessages;

  constructor(
    private readonly broker: Socket,
    maxPacketBytes: number,
    events: SiftedSocketEvents,
  ) {
    super({ allowHalfOpen: false });
    this.messages = new OversizedMessages(maxPacketBytes, (message) => {
      const { packetId } = message;
      // between two packets of mqtt.js, which writes each of them in one go
      if (packetId !== undefined) this.write(Buffer.from([PUBACK, 2, packetId >> 8, packetId & 0xff]));
      events.leftOut(message);
    });
    broker.on("data", (bytes) => {
      if (this.destroyed) return;
      try {
        for (const passing of this.messages.take(bytes)) if (!this.push(passing)) broker.pause();
      } catch (error) {
        this.destroy(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      if (this.messages.isLeavingOut) events.leavingOut();
    });
    let hasEnded = false;
    broker.on("end", () => {
      hasEnded = true;
      this.push(null);
    });
    broker.on("error", (error) => this.destroy(error));
    broker.on("close", () => {
      // what came before the end shall still be read
      if (hasEnded && !this.readableEnded) this.once("end", () => this.destroy());
      else this.destroy();
    });
  }

  override _read(): void {
    this.broker.resume();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.broker.write(bytes, done);
  }

  /** Packets that were put together leave together. */
  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.broker.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.broker.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.broker.destroy();
    done(error);
  }
}
