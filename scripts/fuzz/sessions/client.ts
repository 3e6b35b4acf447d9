/**
 * One bad client: session after session, each a valid conversation that is disturbed sooner or later, over ux, TLS, or as one
 * of two users over TCP. What it says follows from its seed alone.
 */

import { mutate } from "../mutate.js";
import type { SeededRandom } from "../random.js";
import { type Address, framed, type Link, openLink } from "./links.js";
import { monstrous, Session } from "./messages.js";

/** An answer that does not come for so long is a hang. */
const PATIENCE_MS = 60_000;
const KEPT_MESSAGES = 40;
/** Transaction ids of the pings that end a burst: sessions count from 0, and never come so far. */
let markers = 2 ** 40;

export class FuzzFailure extends Error {}

/** What all clients of a run count together. */
export class Tally {
  sent = 0;
  mutated = 0;
  received = 0;
  connections = 0;
  /** Ended by the server. */
  dropped = 0;
}

export class BadClient {
  private handshakedAs: bigint | undefined;
  private link: Link | undefined;
  private session!: Session;
  private ended = false;
  /** Nothing but valid messages has been sent on this connection. */
  private innocent = true;
  private marker = "";
  private answered = false;
  /** Perhaps the half of a message is sent. */
  private inFrame = false;
  /** By the server, for a sign of life, meanwhile. */
  private asked = false;
  private wake: () => void = () => {};
  private readonly last: Buffer[] = [];
  private waitingSince = 0;

  constructor(
    readonly number: number,
    private readonly random: SeededRandom,
    private readonly addresses: readonly Address[],
    private readonly tally: Tally,
    private readonly fail: (error: Error) => void,
    private readonly pace?: (random: SeededRandom) => Promise<void>,
  ) {}

  /** Goes on with sessions until told to stop, and is then disconnected. */
  async run(goesOn: () => boolean): Promise<void> {
    const { random } = this;
    while (goesOn()) {
      await this.connect();
      let withHello = random.below(30) > 0;
      if (!withHello) this.innocent = false;
      while (goesOn() && !this.ended) {
        await this.burst(withHello);
        await this.pace?.(random);
        withHello = random.below(40) === 0;
        if (!this.ended && random.below(12) === 0) await this.leave();
      }
      // At the end of a run the connections stay, for a look at who is there.
      if (goesOn()) this.forget();
    }
  }

  /** Ends the last connection. */
  close(): void {
    this.link?.close();
    this.forget();
  }

  /** What this client said last, for a report. */
  history(): string {
    return this.last.map((message) => JSON.stringify(message.toString("latin1").slice(0, 600))).join("\n");
  }

  /** The client id of a connection that is open and has said nothing wrong. */
  get innocentId(): bigint | undefined {
    return this.innocent && !this.ended ? this.handshakedAs : undefined;
  }

  /** An answer has been waited for too long. */
  get stuck(): boolean {
    return this.waitingSince > 0 && performance.now() - this.waitingSince > PATIENCE_MS;
  }

  private async connect(): Promise<void> {
    this.session = new Session(this.random);
    this.ended = false;
    this.innocent = true;
    this.asked = false;
    this.last.length = 0;
    this.tally.connections++;
    this.link = await openLink(this.address(), this);
  }

  /** Mostly the first one, over ux; seldom the last one, over TLS, where a connection costs a hundred times as much. */
  private address(): Address {
    const { random, addresses } = this;
    const tls = random.below(64) === 0;
    const other = random.pick([0, 0, 0, 0, 1, 2]);
    return addresses[tls ? 3 : other] ?? addresses[0]!;
  }

  private forget(): void {
    this.link = undefined;
    this.handshakedAs = undefined;
    this.ended = true;
  }

  /** Some valid messages, perhaps one or two bad ones, and a ping; until that is answered or the connection ended. */
  private async burst(withHello: boolean): Promise<void> {
    const { random, session } = this;
    const messages: Buffer[] = withHello ? [Buffer.from(session.hello())] : [];
    for (let left = random.pick([0, 1, 2, 4, 8, 16]); left > 0; left--) messages.push(Buffer.from(session.next()));
    for (let left = random.pick([0, 1, 1, 1, 2]); left > 0; left--) messages.push(this.bad(messages));
    const taId = ++markers;
    this.marker = `"ta-id":${taId},`;
    this.answered = false;
    messages.push(Buffer.from(`{"ta-cmd":"ping","ta-id":${taId},"msg-type":"request"}`));
    this.sent(messages);
    if (random.below(8) === 0) {
      this.inFrame = true;
      await this.inPieces(messages);
      this.inFrame = false;
      if (this.asked && !this.ended) this.reply();
    } else this.link!.send(messages);
    if (this.ended || this.answered) return;
    this.waitingSince = performance.now();
    await new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    this.waitingSince = 0;
  }

  private bad(messages: readonly Buffer[]): Buffer {
    const { random, session, tally } = this;
    this.innocent = false;
    tally.mutated++;
    const message = Buffer.from(session.next());
    if (random.below(12) === 0) return Buffer.from(monstrous(random, String(message))).subarray(0, 65_535);
    const other = messages.length > 0 ? random.pick(messages) : Buffer.from(session.next());
    const mutated = mutate(random, message, other);
    // An empty packet is an end, and an empty frame is no message.
    return mutated.length > 0 ? mutated : Buffer.from("{");
  }

  /** Over TCP the frames cut anywhere, some headers wrong; over ux the packets one by one. */
  private async inPieces(messages: readonly Buffer[]): Promise<void> {
    const { random } = this;
    const link = this.link!;
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    if (!link.framed) {
      for (const message of messages) {
        if (this.ended) return;
        link.sendRaw(message);
        if (random.below(4) === 0) await turn();
      }
      return;
    }
    let bytes = Buffer.concat(messages.map(framed));
    if (random.below(3) === 0) {
      this.innocent = false;
      this.tally.mutated++;
      if (random.below(2) === 0) bytes[random.below(bytes.length)] ^= 1 << random.below(8);
      else bytes.writeUInt32BE(random.pick([0, 1, 3, 65_535, 65_536, 262_145, 0xffff_ffff]), 0);
      // Whatever length a header promises now, more comes, and ends as no header.
      bytes = Buffer.concat([bytes, Buffer.alloc(70_000, "x")]);
    }
    // Not for long, or the server may take us for gone.
    let turns = 20;
    for (let at = 0; at < bytes.length && !this.ended; ) {
      const length = bytes.length - at > 4096 ? 4096 : 1 + random.below(random.pick([4, 64, 4096]));
      link.sendRaw(bytes.subarray(at, at + length));
      at += length;
      if (random.below(4) === 0 && turns-- > 0) await turn();
    }
  }

  /** Leaves somehow: in order, by reset, in the middle of a message, or after not reading what it asked for. */
  private async leave(): Promise<void> {
    const { random, session } = this;
    const link = this.link!;
    switch (random.below(5)) {
      case 0:
        link.close();
        break;
      case 1:
        link.reset();
        break;
      case 2: {
        const bytes = framed(Buffer.from(session.next()));
        link.sendRaw(bytes.subarray(0, 1 + random.below(bytes.length - 1)));
        link.close();
        break;
      }
      case 3: {
        link.send([Buffer.from(session.next()), Buffer.from(session.next())]);
        link.reset();
        break;
      }
      default: {
        link.pause();
        const messages = Array.from({ length: 20 + random.below(200) }, (_, i) =>
          Buffer.from(
            i % 16 === 0 ? `{"ta-cmd":"services","ta-id":${++markers},"msg-type":"request"}` : session.next(),
          ),
        );
        this.sent(messages);
        link.send(messages);
        for (let left = random.below(20); left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
        if (random.below(2) === 0) link.close();
        else link.reset();
      }
    }
    this.forget();
  }

  private sent(messages: readonly Buffer[]): void {
    this.tally.sent += messages.length;
    this.last.push(...messages.slice(-KEPT_MESSAGES));
    if (this.last.length > KEPT_MESSAGES) this.last.splice(0, this.last.length - KEPT_MESSAGES);
  }

  onMessage(bytes: Uint8Array, start: number, end: number): void {
    this.tally.received++;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    // {"ta-cmd":"… : byte 11 tells most commands apart.
    if (buffer.toString("latin1", 0, 11) !== '{"ta-cmd":"' || buffer[buffer.length - 1] !== 0x7d) {
      this.fail(this.failure(`a message that is none: ${JSON.stringify(buffer.toString("latin1").slice(0, 300))}`));
      return;
    }
    const first = buffer[11];
    if (first === 0x73) return; // subscribe and lists, the great mass
    const text = buffer.toString("latin1");
    if (first === 0x70) {
      if (!text.includes(this.marker)) return;
      this.answered = true;
      this.wake();
    } else if (text.startsWith('{"ta-cmd":"hello"')) {
      if (text.includes('"complete"')) this.handshakedAs ??= this.session.clientId;
      // What was said behind a refused hello may be wrong for that reason.
      else this.innocent = false;
    } else if (text.endsWith('"track-type":"query"}') && this.innocent) {
      if (this.inFrame) this.asked = true;
      else this.reply();
    }
  }

  private reply(): void {
    this.asked = false;
    this.link?.send([Buffer.from(this.session.reply())]);
  }

  onEnd(): void {
    this.tally.dropped++;
    if (this.innocent && this.handshakedAs !== undefined) {
      this.fail(this.failure("a connection that said nothing wrong was ended"));
    }
    this.forget();
    this.wake();
  }

  private failure(what: string): FuzzFailure {
    const hex = this.handshakedAs?.toString(16) ?? "?";
    return new FuzzFailure(
      `client ${this.number} (<0x${hex}> in the log): ${what}; its last messages:\n${this.history()}`,
    );
  }
}
