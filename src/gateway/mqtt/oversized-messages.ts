/**
 * Takes messages that are too large out of a stream of MQTT packets, so that a single one that the broker keeps (or
 * sends again and again) costs itself and not the connection. Holds nothing but a header and a topic, however large.
 */

import { FixedHeader } from "./fixed-header.js";

export interface OversizedMessage {
  /** Its first 1,024 bytes at most. */
  readonly topic: string;
  /** Of the whole packet. */
  readonly bytes: number;
  /** Quality of service 1: wants to be acknowledged with this packet identifier. */
  readonly packetId?: number;
}

const PUBLISH = 3;
const MAX_TOPIC_BYTES = 1024;

/** A message that is being left out. */
class Leaving {
  private readonly topic: number[] = [];
  private packetId = 0;
  private at = 0;
  private topicBytes = 0;

  constructor(
    private readonly packetBytes: number,
    private readonly length: number,
    private readonly qos: number,
  ) {}

  get isOver(): boolean {
    return this.at === this.length;
  }

  /** Takes what is its own, and says how many bytes that were. Throws an `Error` if the topic does not end. */
  take(bytes: Uint8Array, from: number): number {
    const to = Math.min(bytes.length, from + this.length - this.at);
    let next = from;
    while (next < to && this.at < this.variableBytes) this.takeVariable(bytes[next++]);
    this.at += to - next;
    return to - from;
  }

  get message(): OversizedMessage {
    const topic = Buffer.from(this.topic).toString("utf8");
    return { topic, bytes: this.packetBytes, ...(this.qos === 1 ? { packetId: this.packetId } : {}) };
  }

  /** The length of the topic, the topic, the packet identifier. */
  private get variableBytes(): number {
    return 2 + this.topicBytes + 2 * this.qos;
  }

  private takeVariable(byte: number): void {
    const at = this.at++;
    if (at < 2) this.topicBytes = at === 0 ? byte * 256 : this.topicBytes + byte;
    else if (at >= 2 + this.topicBytes) this.packetId = ((this.packetId << 8) | byte) & 0xffff;
    else if (this.topic.length < MAX_TOPIC_BYTES) this.topic.push(byte);
    if (at === 1 && this.variableBytes > this.length) throw new Error("a message whose topic does not end");
  }
}

export class OversizedMessages {
  private readonly header = new FixedHeader();
  /** Of a packet that passes. */
  private rest = 0;
  private leaving: Leaving | undefined;

  /** `onLeftOut` is called at the end of each. */
  constructor(
    private readonly maxBytes: number,
    private readonly onLeftOut: (message: OversizedMessage) => void,
  ) {}

  /** A message that is left out has begun, and not ended. */
  get isLeavingOut(): boolean {
    return this.leaving !== undefined;
  }

  /**
   * Takes the next bytes of the stream, and gives those that pass. Throws an `Error` if the connection must be closed:
   * a packet that is too large and no message of quality of service 0 or 1, or a length that is none.
   */
  take(bytes: Buffer): Buffer[] {
    const passing: Buffer[] = [];
    /** Begin of what passes of these bytes, and end of what was read of them. */
    let from = 0;
    let at = 0;
    const pass = (to: number) => {
      if (to > from) passing.push(bytes.subarray(from, to));
    };
    let headerAt = 0;
    while (at < bytes.length) {
      if (this.rest > 0) {
        const taken = Math.min(this.rest, bytes.length - at);
        this.rest -= taken;
        at += taken;
        headerAt = at;
        continue;
      }
      if (this.leaving) {
        at += this.leaving.take(bytes, at);
        from = at;
        headerAt = at;
        if (this.leaving.isOver) this.leftOut(this.leaving);
        continue;
      }
      const { header } = this;
      const state = header.take(bytes[at++]);
      if (state === "incomplete") continue;
      if (state === "malformed") throw new Error("a packet whose length is none");
      const { packetBytes, length } = header;
      const head = header.end();
      if (packetBytes > this.maxBytes) {
        pass(headerAt);
        this.leaving = this.leavingOf(head[0], packetBytes, length);
        from = at;
      } else {
        if (at - headerAt < head.length) {
          passing.push(Buffer.from(head)); // its begin came before these bytes
          from = at;
        }
        this.rest = length;
      }
      headerAt = at;
    }
    // a header that is not complete waits for its end
    pass(this.rest === 0 && !this.leaving ? headerAt : bytes.length);
    return passing;
  }

  private leftOut({ message }: Leaving): void {
    this.leaving = undefined;
    this.onLeftOut(message);
  }

  private leavingOf(first: number, packetBytes: number, length: number): Leaving {
    const qos = (first >> 1) & 3;
    if (first >> 4 === PUBLISH && qos <= 1) return new Leaving(packetBytes, length, qos);
    throw new Error(`a packet of ${packetBytes} bytes (${this.maxBytes} at most are accepted)`);
  }
}
