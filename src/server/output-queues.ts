/**
 * What waits for the peers of a domain to be read, and who pays if it becomes too much: a peer that lets too many bytes
 * pile up is dropped; what it missed it learns when it comes back.
 */

/** In bytes. */
export interface OutputQueueLimits {
  /** For one connection. */
  readonly connection: number;
  /** For all connections of the domain together; above it, the one with the longest queue is dropped. */
  readonly domain: number;
}

export const DEFAULT_OUTPUT_QUEUE: OutputQueueLimits = { connection: 16 * 1024 * 1024, domain: 64 * 1024 * 1024 };

export interface QueueOwner {
  /** What waits for the peer at this moment. */
  readonly queuedBytes: number;
  /** What was counted of it last; written by OutputQueues only. */
  countedBytes: number;
  /** To be dropped as soon as possible: `why` completes "it does not read what it asked for: …". */
  dropAsTooSlow(why: string): void;
  /** True after `dropAsTooSlow`. */
  readonly dropping: boolean;
}

export class OutputQueues {
  /** At least what waits in all: queues also shrink without being counted. */
  private total = 0;

  constructor(
    private readonly limits: OutputQueueLimits,
    private readonly owners: Iterable<QueueOwner>,
  ) {}

  /** What waits in all. */
  get bytes(): number {
    for (const owner of this.owners) this.count(owner);
    return this.total;
  }

  /** HOT: something was sent to `owner`, or its peer has read. */
  changed(owner: QueueOwner): void {
    const { queuedBytes } = owner;
    if (queuedBytes === owner.countedBytes || owner.dropping) return;
    this.total += queuedBytes - owner.countedBytes;
    owner.countedBytes = queuedBytes;
    if (queuedBytes > this.limits.connection) {
      this.drop(owner, `${queuedBytes} bytes wait (${this.limits.connection} accepted)`);
    } else if (this.total > this.limits.domain) {
      this.dropLongest();
    }
  }

  /** `owner` has ended. */
  forget(owner: QueueOwner): void {
    this.total -= owner.countedBytes;
    owner.countedBytes = 0;
  }

  private count(owner: QueueOwner): void {
    if (owner.dropping) return;
    const { queuedBytes } = owner;
    this.total += queuedBytes - owner.countedBytes;
    owner.countedBytes = queuedBytes;
  }

  private dropLongest(): void {
    const { bytes } = this;
    if (bytes <= this.limits.domain) return;
    let longest: QueueOwner | undefined;
    for (const owner of this.owners) {
      if (!owner.dropping && owner.countedBytes > (longest?.countedBytes ?? 0)) longest = owner;
    }
    if (!longest) return;
    const all = `${bytes} bytes wait for all clients of the domain (${this.limits.domain} accepted)`;
    this.drop(longest, `${all}, ${longest.countedBytes} of them for this one, the most`);
  }

  private drop(owner: QueueOwner, why: string): void {
    this.forget(owner);
    owner.dropAsTooSlow(why);
  }
}
