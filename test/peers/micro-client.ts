/**
 * A simulated microcontroller: MQTT 3.1.1 with a small packet buffer, as PubSubClient has it. What does not fit the
 * buffer is not sent, and what arrives and does not fit is dropped silently. A codec of its own over a socket, so that
 * nothing of what is tested takes part.
 */

import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Watch } from "../support/transport-peers.js";

/** PubSubClient keeps so much room in front of each packet that it sends. */
const HEADER_ROOM = 5;

export interface MicroOptions {
  readonly host: string;
  readonly port: number;
  /** The <dev> of its topics; the client id is `n-<dev>`, the will `<root>/s/<dev>` = `0`. */
  readonly device: string;
  /** Default: 256. */
  readonly bufferBytes?: number;
  readonly user?: string;
  readonly password?: string;
  /** The authority of the broker's certificate, PEM; the connection is then one with TLS. */
  readonly ca?: Buffer;
  readonly keepAliveSeconds?: number;
}

export interface MicroMessage {
  readonly topic: string;
  readonly payload: string;
  readonly retained: boolean;
  readonly atMs: number;
}

export class MicroClient {
  /** What arrived and fitted the buffer. */
  readonly received: MicroMessage[] = [];
  /** Packets that did not fit; a real device knows nothing of them. */
  droppedPackets = 0;
  closed = false;
  private readonly acknowledged = new Map<number, number>();
  private readonly watch = new Watch();
  private bytes = Buffer.alloc(0);
  private packetId = 0;
  private query = 0;
  private ping: NodeJS.Timeout | undefined;
  private connack: number | undefined;

  private constructor(
    private readonly options: MicroOptions,
    private readonly socket: Socket,
  ) {
    socket.on("data", (bytes) => this.read(bytes));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
      clearInterval(this.ping);
      this.watch.happened();
    });
  }

  /** Connects; throws if the broker refuses. */
  static async connect(options: MicroOptions): Promise<MicroClient> {
    const { host, port, ca, device, user, password, keepAliveSeconds = 15 } = options;
    const socket = ca ? connectTls({ host, port, ca }) : connectTcp({ host, port });
    await once(socket, ca ? "secureConnect" : "connect");
    const micro = new MicroClient(options, socket);
    const login = user === undefined ? [] : [text(user), text(password ?? "")];
    const flags = 0x02 | 0x04 | (1 << 3) | 0x20 | (user === undefined ? 0 : 0xc0);
    const head = Buffer.from([4, flags, keepAliveSeconds >> 8, keepAliveSeconds & 255]);
    const will = [text(`sd1/s/${device}`), text("0")];
    micro.write(0x10, Buffer.concat([text("MQTT"), head, text(`n-${device}`), ...will, ...login]));
    try {
      await micro.until("the answer to CONNECT", () => micro.connack !== undefined || micro.closed);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    if (micro.connack !== 0) {
      socket.destroy();
      throw new Error(`device ${device}: connection refused, code ${micro.connack}`);
    }
    micro.ping = setInterval(() => micro.write(0xc0, Buffer.alloc(0)), keepAliveSeconds * 500);
    return micro;
  }

  /** False: it does not fit the buffer, and nothing was sent. */
  publish(topic: string, payload: string, retain = false): boolean {
    const body = Buffer.concat([text(topic), Buffer.from(payload)]);
    if (HEADER_ROOM + body.length > (this.options.bufferBytes ?? 256)) return false;
    return this.write(retain ? 0x31 : 0x30, body);
  }

  /** The quality of service that the broker grants; 128: refused. */
  async subscribe(filter: string): Promise<number> {
    const id = ++this.packetId;
    this.write(0x82, Buffer.concat([Buffer.from([id >> 8, id & 255]), text(filter), Buffer.from([0])]));
    await this.until(`the answer to SUBSCRIBE ${filter}`, () => this.acknowledged.has(id));
    return this.acknowledged.get(id) ?? 128;
  }

  async unsubscribe(filter: string): Promise<void> {
    const id = ++this.packetId;
    this.write(0xa2, Buffer.concat([Buffer.from([id >> 8, id & 255]), text(filter)]));
    await this.until(`the answer to UNSUBSCRIBE ${filter}`, () => this.acknowledged.has(id));
  }

  /** D.3: state first, then the announcement, both retained. */
  announce(announcement: string): boolean {
    const { device } = this.options;
    return this.publish(`sd1/s/${device}`, "1", true) && this.publish(`sd1/a/${device}`, announcement, true);
  }

  /** D.3: asleep for at most so many seconds; no will fires after a DISCONNECT. */
  sleep(seconds: number): void {
    this.publish(`sd1/s/${this.options.device}`, `z${seconds}`, true);
    this.disconnect();
  }

  /** D.3: leaving for good. */
  leave(): void {
    this.publish(`sd1/a/${this.options.device}`, "", true);
    this.publish(`sd1/s/${this.options.device}`, "", true);
    this.disconnect();
  }

  disconnect(): void {
    this.write(0xe0, Buffer.alloc(0));
    this.socket.end();
  }

  /** The power fails: the broker sees the connection end without DISCONNECT. */
  die(): void {
    this.socket.destroy();
  }

  /** D.4: subscribes to a kind, and takes the first peer that fits. */
  async peerByMirror(kind: string): Promise<MicroMessage> {
    await this.subscribe(`sd1/m/${kind}/+`);
    const isPeer = ({ topic, payload }: MicroMessage) => topic.startsWith(`sd1/m/${kind}/`) && payload !== "";
    await this.until(`a peer of kind ${kind}`, () => this.received.some(isPeer));
    await this.unsubscribe(`sd1/m/${kind}/+`);
    return this.received.find(isPeer) as MicroMessage;
  }

  /** D.4: asks, and waits for all packets of the answer; they are returned without the number. */
  async ask(filter: string, max: number): Promise<string[]> {
    const { device } = this.options;
    const topic = `sd1/r/${device}`;
    await this.subscribe(topic);
    const number = ++this.query;
    this.publish(`sd1/q/${device}`, `${number};${max};${filter}`);
    const replies = () =>
      this.received
        .filter((message) => message.topic === topic && message.payload.startsWith(`${number};`))
        .map(({ payload }) => payload.slice(`${number};`.length));
    await this.until(`an answer to ${filter}`, () => {
      const [first = ""] = replies();
      const count = /^\d+\/(\d+)/.exec(first)?.[1];
      return count === undefined ? first !== "" : replies().length >= Math.max(1, Number(count));
    });
    return replies();
  }

  /** Waits until `condition` holds; it is looked at after each packet. */
  until(what: string, condition: () => boolean, limitMs?: number): Promise<void> {
    const how = () => {
      const last = this.received.slice(-10).map(({ topic, payload }) => `${topic} ${payload}`);
      return `${this.options.device}: ${what}; ${last.join(" | ")}`;
    };
    return this.watch.until(condition, how, limitMs);
  }

  private write(type: number, body: Buffer): boolean {
    const length: number[] = [];
    let rest = body.length;
    do {
      length.push((rest & 127) | (rest > 127 ? 128 : 0));
      rest >>= 7;
    } while (rest > 0);
    if (this.socket.destroyed) return false;
    this.socket.write(Buffer.concat([Buffer.from([type, ...length]), body]));
    return true;
  }

  private read(more: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, more]);
    for (;;) {
      let length = 0;
      let at = 1;
      for (let shift = 0; ; shift += 7, at++) {
        if (at >= this.bytes.length) return;
        length |= (this.bytes[at] & 127) << shift;
        if (this.bytes[at] < 128) break;
      }
      at++;
      if (this.bytes.length < at + length) return;
      const packet = this.bytes.subarray(0, at + length);
      this.bytes = this.bytes.subarray(at + length);
      if (packet.length > (this.options.bufferBytes ?? 256)) this.droppedPackets++;
      else this.take(packet[0], packet.subarray(at));
      this.watch.happened();
    }
  }

  private take(type: number, body: Buffer): void {
    if (type === 0x20) this.connack = body[1];
    else if (type === 0x90 || type === 0xb0) this.acknowledged.set(body.readUInt16BE(0), body[2] ?? 0);
    else if (type >> 4 === 3) {
      const end = 2 + body.readUInt16BE(0);
      const topic = body.toString("utf8", 2, end);
      const payload = body.toString("utf8", end);
      this.received.push({ topic, payload, retained: (type & 1) !== 0, atMs: performance.now() });
    }
  }
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}
