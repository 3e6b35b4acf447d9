/** A witness's connection: it hears one message after the other, and each must be the one expected. */

import { parseExact } from "../../../test/support/exact-json.js";
import { type Address, type Link, openLink } from "./links.js";
import { helloText } from "./messages.js";

const PATIENCE_MS = 60_000;
const KEPT = 30;

export type Heard = Readonly<Record<string, unknown>>;

/** JSON with exact integers. */
export const json = (value: unknown): string =>
  JSON.stringify(value, (_, member) => (typeof member === "bigint" ? `#${member}#` : member)).replace(
    /"#(-?\d+)#"/g,
    "$1",
  );

/** One connection, whose every message must be expected. */
export class Wire {
  private link!: Link;
  private readonly heard: Heard[] = [];
  private wake: () => void = () => {};
  private over = false;
  readonly last: string[] = [];
  nextTaId = 1;

  constructor(readonly clientId: bigint) {}

  static async open(address: Address, clientId: bigint): Promise<Wire> {
    const wire = new Wire(clientId);
    wire.link = await openLink(address, wire);
    wire.say(helloText(0, clientId, 2, 3));
    wire.same(await wire.hear(), { "ta-cmd": "hello", "ta-id": 0n, "msg-type": "complete", "protocol-version": 3n });
    return wire;
  }

  say(text: string): void {
    this.note(`> ${text}`);
    this.link.send([Buffer.from(text)]);
  }

  request(command: string, fields: object = {}): bigint {
    const taId = this.nextTaId++;
    this.say(json({ "ta-cmd": command, "ta-id": taId, "msg-type": "request", ...fields }));
    return BigInt(taId);
  }

  async hear(): Promise<Heard> {
    const began = performance.now();
    while (this.heard.length === 0) {
      if (this.over) throw this.failure("the connection was ended");
      if (performance.now() - began > PATIENCE_MS) throw this.failure(`nothing heard for ${PATIENCE_MS / 1000} s`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, PATIENCE_MS + 1);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.heard.shift()!;
  }

  onMessage(bytes: Uint8Array, start: number, end: number): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
    this.note(`< ${text}`);
    if (text.endsWith('"track-type":"query"}')) {
      this.say('{"ta-cmd":"track","ta-id":1,"msg-type":"inform","track-type":"reply"}');
      return;
    }
    this.heard.push(parseExact(text) as Heard);
    this.wake();
  }

  onEnd(): void {
    this.over = true;
    this.wake();
  }

  close(): void {
    this.link.close();
  }

  same(heard: Heard, expected: object): void {
    if (json(heard) !== json(expected)) throw this.failure(`heard ${json(heard)}\ninstead of ${json(expected)}`);
  }

  failure(what: string): Error {
    return new Error(`witness ${this.clientId}: ${what}\nbefore that:\n${this.last.join("\n")}`);
  }

  private note(text: string): void {
    this.last.push(text.slice(0, 500));
    if (this.last.length > KEPT) this.last.shift();
  }
}
