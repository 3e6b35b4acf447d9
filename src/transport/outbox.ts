/**
 * The arena in which every message to be sent is written; one per process.
 *
 * HOT: twice per message. Nothing is allocated and nothing crosses into C++ or Node.js per message: entries are chained
 * per connection in one Int32Array, and each connection's chain is sent with one call when the turn ends.
 *
 *     bytes    │hdr│ message │hdr│ message │hdr│ mess…          entries  begin end next │ begin end next │ …
 *              0   4                       begin   end           (per entry; next 0 = last of its connection)
 */

import { type Connection, TransportError } from "./transport.js";

/** Longest message that can be sent (xcm-transports.md, 2). Pathfinder peers read at most MAX_MESSAGE_LENGTH. */
export const MAX_SENT_LENGTH = 262_144;
/** What is kept free in front of each message, for the header of TCP frames. */
export const HEADER_LENGTH = 4;

const ARENA_LENGTH = 256 * 1024;
const MAX_ENTRIES = 4_096;
/** Numbers per entry: begin, end, next. */
const ENTRY_SIZE = 3;

/** A connection's side of the outbox. Every Connection of this room is one. */
export abstract class Outlet {
  /** First and last entry of the chain to be sent, as positions in `Outbox.entries`; 0 = none. The outbox's own. */
  outboxHead = 0;
  outboxTail = 0;
  /** Takes over the whole chain that begins at `head`: sends or copies the bytes. Must not call the connection's owner. */
  abstract take(outbox: Outbox, head: number): void;
}

/**
 * How to send: `at = begin(n)`, write at most n bytes into `bytes` from `at` on, `commit(connection, end)`; repeat.
 * A message that was begun but not committed is forgotten. Only one is being written at a time.
 *
 * What a turn commits is sent when the outermost turn ends, in the order of each connection's first commit. What the
 * kernel does not take is copied to the connection's backlog, which this class does not bound: the server stops reading
 * from a connection whose `queuedMessages` are many, and so bounds what it makes for it (pathfinder-protocol.md, 13.1).
 */
export class Outbox {
  /** May be another array after each `begin`. */
  bytes = new Uint8Array(ARENA_LENGTH);
  /** For outlets: three numbers per message: begin, end, position of the next entry of the same connection. */
  readonly entries = new Int32Array((MAX_ENTRIES + 1) * ENTRY_SIZE);
  /** Rises with every flush: while it stays the same, what was written and committed stays where it is. */
  flushes = 0;
  /** Rises with every outermost turn. */
  turn = 0;
  #lastEntry = 0;
  #begin = 0;
  /** End of the last committed message. */
  #used = 0;
  #turns = 0;
  #flushScheduled = false;
  readonly #dirty: Outlet[] = [];

  /**
   * The offset at which a message of at most `maxLength` bytes may be written now. Throws a TransportError `EMSGSIZE` if
   * that is more than MAX_SENT_LENGTH.
   */
  begin(maxLength: number): number {
    if (this.#used + HEADER_LENGTH + maxLength > this.bytes.length) this.#makeRoom(maxLength);
    this.#begin = this.#used + HEADER_LENGTH;
    return this.#begin;
  }

  /** Queues `bytes[begin … end)` for a connection of this room. A connection that has ended ignores it. */
  commit(connection: Connection, end: number): void {
    const begin = this.#begin;
    if (end <= begin || end > this.bytes.length || begin <= this.#used) {
      throw new RangeError(
        `commit of ${end - begin} bytes at ${begin}: a message has at least one byte, after begin()`,
      );
    }
    const outlet = connection as unknown as Outlet;
    const entries = this.entries;
    const entry = this.#lastEntry + ENTRY_SIZE;
    this.#lastEntry = entry;
    entries[entry] = begin;
    entries[entry + 1] = end;
    entries[entry + 2] = 0;
    if (outlet.outboxHead === 0) {
      outlet.outboxHead = entry;
      this.#dirty.push(outlet);
    } else {
      entries[outlet.outboxTail + 2] = entry;
    }
    outlet.outboxTail = entry;
    this.#used = end;
    if (entry === MAX_ENTRIES * ENTRY_SIZE) this.flush();
    else if (this.#turns === 0 && !this.#flushScheduled) this.#scheduleFlush();
  }

  /** Begins a turn; nothing needs to be sent before it ends. Turns nest. */
  enter(): void {
    if (this.#turns++ === 0) this.turn++;
  }

  /** Ends a turn. */
  leave(): void {
    if (--this.#turns === 0 && this.#lastEntry !== 0) this.flush();
  }

  /** Hands everything that is committed to the connections now. */
  flush(): void {
    const dirty = this.#dirty;
    this.flushes++;
    let failed = false;
    let failure: unknown;
    for (let i = 0; i < dirty.length; i++) {
      const outlet = dirty[i]!;
      const head = outlet.outboxHead;
      outlet.outboxHead = 0;
      outlet.outboxTail = 0;
      try {
        outlet.take(this, head);
      } catch (error) {
        // Only memory can be short here. The others are served before anybody hears of it.
        if (!failed) failure = error;
        failed = true;
      }
    }
    dirty.length = 0;
    this.#lastEntry = 0;
    this.#used = 0;
    this.#begin = 0;
    if (failed) throw failure;
  }

  #scheduleFlush(): void {
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.flush();
    });
  }

  #makeRoom(maxLength: number): void {
    if (!(maxLength <= MAX_SENT_LENGTH)) {
      throw new TransportError(
        "EMSGSIZE",
        `message of up to ${maxLength} bytes (at most ${MAX_SENT_LENGTH} can be sent)`,
      );
    }
    this.flush();
    const needed = HEADER_LENGTH + maxLength;
    if (needed > this.bytes.length) this.bytes = new Uint8Array(Math.min(2 * needed, HEADER_LENGTH + MAX_SENT_LENGTH));
  }
}
