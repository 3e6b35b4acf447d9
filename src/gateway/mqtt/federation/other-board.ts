/** What is known of another board of the federation: whether it is there, and which services it tells. */

import type { Timer } from "../../../core/clock.js";
import type { BoardPhase } from "./boards.js";
import { Liveness } from "./liveness.js";
import type { FederatedService } from "./record.js";

/** Services of one board that are not taken, and counted: it is more than our own limit, of which it need not know. */
const MAX_UNUSABLE = 100_000;

/** Bytes of records that one board may have us hold. */
const BOARD_BYTES = 64 * 1_048_576;

interface Told {
  readonly service: FederatedService;
  /** Of its record. */
  readonly bytes: number;
  /** Number of the connection to the broker in which it was told last. */
  readonly connection: number;
}

export class OtherBoard {
  phase: BoardPhase = "unknown";
  /** How many services it says it has. */
  claims = 0;
  /** In this connection we heard of fewer than that, and have asked the broker for them. */
  isDoubted = false;
  /** That it did not help was told in this connection. */
  isIncompleteTold = false;
  /** When the broker was asked for what was missing, the last time. */
  askedMs = Number.NEGATIVE_INFINITY;
  timer: Timer | undefined;
  /** When its services became orphans, the last time. */
  goneMs = 0;
  private readonly told = new Map<bigint, Told>();
  private bytes = 0;
  /** What it told in this connection to the broker and was not taken. */
  private readonly unusable = new Set<bigint>();

  constructor(
    readonly name: string,
    readonly liveness = new Liveness(),
  ) {}

  get isThere(): boolean {
    return this.phase === "arriving" || this.phase === "present" || this.phase === "grace";
  }

  /** Of the services that it tells. */
  get ids(): Iterable<bigint> {
    return this.told.keys();
  }

  service(id: bigint): FederatedService | undefined {
    return this.told.get(id)?.service;
  }

  ttlMs(id: bigint): number {
    return Number(this.told.get(id)?.service.ttlSeconds ?? 0n) * 1000;
  }

  /** Why one more service of so many bytes cannot be taken; `undefined`: it can. */
  refusal(id: bigint, bytes: number, maxServices: number): string | undefined {
    const before = this.told.get(id);
    if (!before && this.told.size >= maxServices) return "more services than a board may have";
    if (this.bytes - (before?.bytes ?? 0) + bytes > BOARD_BYTES) return "more bytes than a board may have";
    return undefined;
  }

  tells(id: bigint, service: FederatedService, bytes: number, connection: number): void {
    this.unusable.delete(id);
    this.bytes += bytes - (this.told.get(id)?.bytes ?? 0);
    this.told.set(id, { service, bytes, connection });
  }

  /** It has it no more, or (`isUnusable`) not one that is taken. False: it had not told it. */
  untells(id: bigint, isUnusable = false): boolean {
    if (!isUnusable) this.unusable.delete(id);
    else if (this.unusable.size < MAX_UNUSABLE) this.unusable.add(id);
    this.bytes -= this.told.get(id)?.bytes ?? 0;
    return this.told.delete(id);
  }

  /** A new connection to the broker: everything will be told again. */
  connected(): void {
    this.unusable.clear();
    this.isDoubted = false;
    this.isIncompleteTold = false;
  }

  /** What it has not told in this connection, and how much it has. */
  inConnection(connection: number): { readonly old: readonly bigint[]; readonly heard: number } {
    const old = [...this.told].flatMap(([id, told]) => (told.connection === connection ? [] : [id]));
    return { old, heard: this.told.size - old.length + this.unusable.size };
  }
}
