/**
 * When to look at the machine's network interfaces: soon after the system told that something changed there; where it
 * does not tell, every few seconds.
 */

import type { Clock, Timer, Timers } from "../../core/clock.js";

export interface InterfaceWatch {
  /** From now on changes count again. */
  resume(): void;
  close(): void;
}

/**
 * Calls `onChange` once when an interface, or an address of one, came, changed or went; and then not before `resume`.
 * `undefined`: nothing tells.
 */
export type WatchInterfaces = (onChange: () => void) => InterfaceWatch | undefined;

export interface LooksOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly watch: WatchInterfaces;
  /** Between looks, where nothing tells. */
  readonly pollMs: number;
  /** Returns when to look again although nothing may have changed (monotonic), if ever. */
  readonly look: () => number | undefined;
}

/** One change comes with several words of the system, and an interface that comes gets its addresses a little later. */
const SETTLE_MS = 100;
/** Between looks. */
const GAP_MS = 500;
/**
 * Where changes do not end (a bad cable, hostile router advertisements) one look every five seconds follows on ten of them:
 * each may begin all questions and probes of an interface anew, and those shall come to an end.
 */
const RAPID_LIMIT = 10;
const SLOW_GAP_MS = 5000;

export class Looks {
  private watching: InterfaceWatch | undefined;
  private timer: Timer | undefined;
  private timerAtMs = Number.POSITIVE_INFINITY;
  private lookedMs = Number.NEGATIVE_INFINITY;
  /** Looks after changes, with less than the slow gap between them. */
  private rapid = 0;

  constructor(private readonly options: LooksOptions) {}

  /** Looks at once, for the first time. */
  start(): void {
    this.watching = this.options.watch(() => this.lookAfterChange());
    this.look();
  }

  stop(): void {
    this.watching?.close();
    this.timer?.cancel();
  }

  /** Looks at that time, or sooner. Where nothing tells of changes, the next of the regular looks is soon enough. */
  lookAt(atMs: number): void {
    if (!this.watching || atMs >= this.timerAtMs) return;
    this.arm(atMs);
  }

  private lookAfterChange(): void {
    if (this.now - this.lookedMs >= SLOW_GAP_MS) this.rapid = 0;
    const gapMs = this.rapid < RAPID_LIMIT ? GAP_MS : SLOW_GAP_MS;
    this.rapid++;
    this.lookAt(Math.max(this.now + SETTLE_MS, this.lookedMs + gapMs));
  }

  private get now(): number {
    return this.options.clock.monotonicMs();
  }

  private look(): void {
    this.lookedMs = this.now;
    this.timerAtMs = Number.POSITIVE_INFINITY;
    if (this.watching)
      this.watching.resume(); // before the look: what changes during it is told
    else this.arm(this.lookedMs + this.options.pollMs);
    const againAtMs = this.options.look();
    if (againAtMs !== undefined) this.lookAt(Math.max(againAtMs, this.lookedMs + GAP_MS));
  }

  private arm(atMs: number): void {
    this.timer?.cancel();
    this.timerAtMs = atMs;
    this.timer = this.options.timers.after("mdns interfaces", atMs - this.now, () => this.look());
  }
}
