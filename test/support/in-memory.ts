/** A domain without sockets: connections are in memory, time is a FakeClock. For transcripts and protocol tests. */

import { SILENT } from "../../src/core/log.js";
import { Domain, type DomainOptions } from "../../src/server/domain.js";
import type { LocalUser } from "../../src/server/users.js";
import { Outbox, Outlet } from "../../src/transport/outbox.js";
import type { Connection, ConnectionListener, PeerCredentials, TransportName } from "../../src/transport/transport.js";
import { FakeClock } from "./fake-clock.js";

/** What a transport would know of the peer. */
export interface PeerIdentity {
  readonly subjectKeyId?: Uint8Array;
  readonly uid?: number;
  readonly localUser?: LocalUser;
}

/** The client's end of a connection in memory. */
export class Peer extends Outlet implements Connection {
  readonly transport: TransportName;
  readonly localAddress = "ux:test";
  readonly subjectKeyId: Uint8Array | undefined;
  readonly credentials: PeerCredentials | undefined;
  /** What the server sent and nobody has looked at yet. */
  readonly received: string[] = [];
  closedByServer = false;
  maxMessageLength = 65_535;
  /** While false, what the server sends piles up, as with a peer that does not read. */
  reads = true;
  readonly backlog: string[] = [];
  reading = true;
  keepalive = true;
  listener!: ConnectionListener;
  private readonly unread: Uint8Array[] = [];
  private ended = false;

  constructor(
    readonly outbox: Outbox,
    readonly remoteAddress: string,
    { subjectKeyId, uid }: PeerIdentity = {},
  ) {
    super();
    this.subjectKeyId = subjectKeyId;
    this.credentials = uid === undefined ? undefined : { pid: 1, uid, gid: uid };
    this.transport = remoteAddress.slice(0, remoteAddress.indexOf(":")) as TransportName;
  }

  get queuedMessages(): number {
    return this.backlog.length;
  }

  get queuedBytes(): number {
    return this.backlog.reduce((sum, message) => sum + message.length, 0);
  }

  take(outbox: Outbox, head: number): void {
    for (let entry = head; entry !== 0; entry = outbox.entries[entry + 2]) {
      const message = Buffer.from(outbox.bytes.subarray(outbox.entries[entry], outbox.entries[entry + 1])).toString();
      if (this.ended) continue;
      if (this.reads && this.backlog.length === 0) this.received.push(message);
      else this.backlog.push(message);
    }
  }

  /** Reads everything that piled up. */
  drain(): void {
    this.received.push(...this.backlog.splice(0));
    this.outbox.enter();
    this.listener.onDrain();
    this.outbox.leave();
  }

  send(message: string | Uint8Array): void {
    this.unread.push(typeof message === "string" ? Buffer.from(message) : message);
    this.deliver();
  }

  /** All of them arrive at once. */
  sendAll(messages: readonly string[]): void {
    this.unread.push(...messages.map((text) => Buffer.from(text)));
    this.deliver();
  }

  private deliver(): void {
    this.outbox.enter();
    while (this.reading && !this.ended && this.unread.length > 0) {
      const bytes = this.unread.shift()!;
      this.listener.onMessage(bytes, 0, bytes.length);
    }
    this.outbox.leave();
  }

  pauseReading(): void {
    this.reading = false;
  }

  resumeReading(): void {
    this.reading = true;
    queueMicrotask(() => this.deliver());
  }

  setKeepalive(on: boolean): void {
    this.keepalive = on;
  }

  /** Called by the server. */
  close(): void {
    if (!this.ended) this.closedByServer = true;
    this.ended = true;
  }

  /** The client leaves. */
  leave(): void {
    if (this.ended) return;
    this.ended = true;
    this.outbox.enter();
    this.listener.onClose(undefined);
    this.outbox.leave();
  }
}

export class InMemoryDomain {
  readonly clock = new FakeClock();
  readonly outbox = new Outbox();
  readonly domain: Domain;
  readonly peers: Peer[] = [];
  private nextPeer = 0x100;

  constructor(options: Partial<DomainOptions> = {}) {
    let seed = 1;
    const random = () => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return seed / 0x8000_0000;
    };
    this.domain = new Domain({
      clock: this.clock,
      timers: this.clock,
      random,
      log: SILENT,
      outbox: this.outbox,
      ...options,
    });
  }

  connect(remoteAddress = `ux:${(this.nextPeer++).toString(16).padStart(5, "0")}`, identity: PeerIdentity = {}): Peer {
    const peer = new Peer(this.outbox, remoteAddress, identity);
    peer.listener = this.domain.accept(peer, identity.localUser);
    this.peers.push(peer);
    return peer;
  }

  /** A connection that has said hello. */
  client(id: bigint | number, version = 3, remoteAddress?: string, identity?: PeerIdentity): Peer {
    const peer = this.connect(remoteAddress, identity);
    peer.send(
      `{"ta-cmd":"hello","ta-id":0,"msg-type":"request","client-id":${id},"protocol-minimum-version":2,"protocol-maximum-version":${version}}`,
    );
    peer.received.length = 0;
    return peer;
  }

  /** As `FakeClock.fireNext`, and flushes what the timer sent. */
  fireNext(ms: number): string | undefined {
    this.outbox.enter();
    const name = this.clock.fireNext(ms);
    this.outbox.leave();
    return name;
  }

  /** Lets time pass and flushes what timers sent. */
  advanceMs(ms: number): void {
    this.outbox.enter();
    this.clock.advanceMs(ms);
    this.outbox.leave();
  }
}
