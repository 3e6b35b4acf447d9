/**
 * What this board tells the federation: each service of its directory that it did not import from there, as one retained
 * message. Compares what the broker is to keep with what it keeps, and sends the difference: not too fast, and not too often
 * of one service (damping.ts).
 *
 * Knows no broker: messages go out through `publish`, and what the broker keeps comes in through `heard`.
 */

import { createHash } from "node:crypto";
import type { Clock, Timer, Timers } from "../../../core/clock.js";
import type { Match, ServiceState } from "../../../core/directory-access.js";
import { Damping } from "../../damping.js";
import type { Dropped } from "../../dropped.js";
import { isGatewayState, ORIGIN, RECORD_LIMITS, withoutOrigin, writeRecord } from "./record.js";

/** Messages in one go, and the pause between two goes: 100 messages a second. */
const BURST = 10;
const PAUSE_MS = 100;

/**
 * What the broker keeps of this board's former life stays for so long from the start: whoever published it then needs a
 * while to find this board again, and the others are not to notice.
 */
export const RETURN_MS = 30_000;

/** Holds that end within this are looked at together. */
const HOLDS_MS = 1000;

export type SendResult = "sent" | "not-connected" | "too-large";

interface Wanted {
  readonly payload: string;
  readonly digest: string;
}

export interface ExportsOptions {
  /** Of the federation, and of this board. */
  readonly name: string;
  readonly board: string;
  /** Sets what the broker keeps of a service; empty: nothing. */
  readonly publish: (id: bigint, payload: string) => SendResult;
  /** Everything the broker is to keep has been sent. Called once after each `synced`. */
  readonly onComplete: () => void;
  /** A service changes too often, and waits; called once in each hold. */
  readonly onHeld: (id: bigint) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly dropped: Dropped;
  /** Services; further ones are not told. */
  readonly limit: number;
}

export class Exports {
  /** What the broker is to keep. */
  private readonly wanted = new Map<bigint, Wanted>();
  /** Digests of what it keeps, as far as we know: strangers may have left there whatever they like, of any size. */
  private readonly kept = new Map<bigint, string>();
  private readonly differing = new Set<bigint>();
  /** Of those, what stands between us and "that is all"; later changes do not put it off. */
  private readonly untold = new Set<bigint>();
  /** What changes too often waits here, and until when. */
  private readonly held = new Map<bigint, number>();
  private readonly damping: Damping<bigint>;
  private holdTimer: Timer | undefined;
  private phase: "offline" | "hearing" | "telling" | "complete" = "offline";
  private timer: Timer | undefined;
  /** Runs for RETURN_MS from the start. */
  private returning: Timer | undefined;
  /** Meanwhile: what was there in this life, and has gone. */
  private readonly ended = new Set<bigint>();

  constructor(private readonly options: ExportsOptions) {
    this.damping = new Damping(options.limit, 0);
    this.returning = options.timers.after("federation leftovers", RETURN_MS, () => this.allReturned());
  }

  get size(): number {
    return this.wanted.size;
  }

  /** A change in the directory. */
  match(match: Match): void {
    if (match.type === "disappeared") this.want(match.serviceId, undefined);
    else this.want(match.service.id, this.payloadOf(match.service));
  }

  /** The connection is there, and the broker is about to tell what it keeps. */
  connected(): void {
    this.kept.clear();
    this.differing.clear();
    this.held.clear();
    this.phase = "hearing";
  }

  /** What the broker keeps of one of our services (empty: nothing), or the echo of what we sent. */
  heard(id: bigint, payload: string): void {
    if (this.phase === "offline") return;
    // More than we could have written was not ours; it is removed nevertheless, but only so many at a time.
    if (!this.kept.has(id) && this.kept.size >= 2 * this.options.limit) return;
    if (payload === "") this.kept.delete(id);
    else this.kept.set(id, digestOf(payload));
    this.compare(id);
  }

  /** The broker has told all that it keeps: from now on differences are sent. */
  synced(): void {
    if (this.phase !== "hearing") return;
    this.phase = "telling";
    for (const id of this.wanted.keys()) this.compare(id);
    this.untold.clear();
    for (const id of this.differing) this.untold.add(id);
    this.send();
  }

  /** Somebody else speaks in our name: nothing is sent before the next `synced`. */
  pause(): void {
    if (this.phase !== "offline") this.phase = "hearing";
    this.timer?.cancel();
    this.timer = undefined;
  }

  disconnected(): void {
    this.phase = "offline";
    this.timer?.cancel();
    this.timer = undefined;
  }

  stop(): void {
    this.disconnected();
    this.holdTimer?.cancel();
    this.returning?.cancel();
  }

  private allReturned(): void {
    this.returning = undefined;
    this.ended.clear();
    for (const id of this.kept.keys()) this.compare(id);
  }

  /** The broker keeps it of a former life of this board, and it may be published again. */
  isLeftover(id: bigint): boolean {
    return this.kept.has(id) && this.mayReturn(id);
  }

  private mayReturn(id: bigint): boolean {
    return this.returning !== undefined && !this.wanted.has(id) && !this.ended.has(id);
  }

  private payloadOf(service: ServiceState): string | undefined {
    const { name, board, dropped, limit } = this.options;
    const { id, generation, ttlSeconds } = service;
    if (service.properties.get(ORIGIN.name)?.includes(name)) return undefined; // the others know it
    if (isGatewayState(service)) return undefined;
    if (!this.wanted.has(id) && this.wanted.size >= limit) {
      dropped.add("more services than the federation's limit");
      return undefined;
    }
    const { properties, via, path } = withoutOrigin(service.properties);
    if (path.includes(name) || via.includes(board)) return undefined;
    if (via.length >= RECORD_LIMITS.hops || path.length >= RECORD_LIMITS.hops) {
      dropped.add("came through too many boards");
      return undefined;
    }
    const record = { generation, ttlSeconds, path: [...path, name], via: [...via, board], properties };
    const payload = writeRecord(record);
    if (Buffer.byteLength(payload) <= RECORD_LIMITS.payloadBytes) return payload;
    dropped.add("larger than a record may be");
    return undefined;
  }

  private want(id: bigint, payload: string | undefined): void {
    if (payload !== undefined) this.wanted.set(id, { payload, digest: digestOf(payload) });
    else if (this.wanted.delete(id) && this.returning && this.ended.size < this.options.limit) this.ended.add(id);
    this.compare(id);
  }

  private compare(id: bigint): void {
    if (this.wanted.get(id)?.digest === this.kept.get(id) || this.mayReturn(id)) {
      this.differing.delete(id);
      this.untold.delete(id);
      this.held.delete(id);
      return;
    }
    const { damping, options } = this;
    const nowMs = options.clock.monotonicMs();
    // What is not there at all is told nevertheless: it may have just moved to this board.
    if (this.phase === "complete" && this.kept.has(id) && damping.isHeld(id, nowMs)) {
      this.differing.delete(id);
      if (!this.held.has(id)) options.onHeld(id);
      this.held.set(id, nowMs + damping.waitMs(id, nowMs));
      this.awaitHolds();
      return;
    }
    this.differing.add(id);
    if (this.phase === "telling" || this.phase === "complete") this.sendSoon();
  }

  private awaitHolds(): void {
    if (this.holdTimer || this.held.size === 0) return;
    const { clock, timers } = this.options;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const untilMs of this.held.values()) nextMs = Math.min(nextMs, untilMs);
    const delayMs = Math.max(HOLDS_MS, nextMs - clock.monotonicMs());
    this.holdTimer = timers.after("federation exports held", delayMs, () => {
      this.holdTimer = undefined;
      const nowMs = clock.monotonicMs();
      for (const [id, untilMs] of [...this.held]) {
        if (untilMs > nowMs) continue;
        this.held.delete(id);
        this.compare(id);
      }
      this.awaitHolds();
    });
  }

  private sendSoon(): void {
    this.timer ??= this.options.timers.after("federation exports", PAUSE_MS, () => this.send());
  }

  private send(): void {
    this.timer?.cancel(); // not fired yet if this is the first time
    this.timer = undefined;
    const nowMs = this.options.clock.monotonicMs();
    let left = BURST;
    for (const id of this.differing) {
      if (left-- === 0) break;
      const wanted = this.wanted.get(id);
      const result = this.options.publish(id, wanted?.payload ?? "");
      // What is told anew to a broker that has forgotten is no change.
      if (result !== "not-connected" && this.phase === "complete" && this.kept.has(id)) this.damping.changed(id, nowMs);
      // Without a connection `connected` begins anew; a broker that takes nothing at the moment is tried again.
      if (result === "not-connected") break;
      if (result === "too-large") {
        this.options.dropped.add("larger than the broker accepts");
        this.wanted.delete(id);
        // What the broker keeps is older than what it refuses, and nobody shall believe it: next, it is removed.
        if (wanted && this.kept.has(id)) continue;
      } else if (wanted === undefined) this.kept.delete(id);
      else this.kept.set(id, wanted.digest);
      this.differing.delete(id);
      this.untold.delete(id);
    }
    if (this.phase === "telling" && this.untold.size === 0) {
      this.phase = "complete";
      this.options.onComplete();
    }
    if (this.differing.size > 0) this.sendSoon();
  }
}

function digestOf(payload: string): string {
  return createHash("sha256").update(payload, "utf8").digest("base64");
}
