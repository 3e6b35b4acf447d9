/** What becomes of operations that a server refuses: the link stays, and they are tried again later (libpaf-client.md, 5.1, DEFECT). */

import type { Clock, Random } from "../core/clock.js";
import type { Logger } from "../core/log.js";
import { BackOff } from "./back-off.js";
import type { Operation } from "./relay.js";

/** A refused operation is tried again after this time at the earliest; the delay then grows up to that of reconnects. */
const REFUSED_MIN_SECONDS = 0.1;
/** Kinds of refusals, by command and reason, that are told as warnings, once each; more of them at debug level. */
const MAX_TOLD_REFUSALS = 16;

export interface LinkRefusalsOptions {
  readonly maxSeconds: () => number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Of one link, over all its connections. */
export class LinkRefusals {
  private readonly backOff: BackOff;
  private lastMs = Number.NEGATIVE_INFINITY;
  /** As command and reason. */
  private readonly told = new Set<string>();

  constructor(private readonly options: LinkRefusalsOptions) {
    const { maxSeconds, random } = options;
    this.backOff = new BackOff(
      () => ({ minSeconds: Math.min(REFUSED_MIN_SECONDS, maxSeconds()), maxSeconds: maxSeconds() }),
      random,
    );
  }

  /** Tells it, once per kind. Two of the longest delays without a refusal make the next one the first again. */
  note(operation: Operation, error: Error, isTriedAgain: boolean): void {
    const { clock, log, maxSeconds } = this.options;
    const kind = `${operation.type}: ${error.message}`;
    const isTold = this.told.has(kind) || this.told.size === MAX_TOLD_REFUSALS;
    if (!isTold) this.told.add(kind);
    const again = isTriedAgain ? "; it is tried again" : "";
    log[isTold ? "debug" : "warning"](() => `Refused ${describe(operation)}: ${error.message}${again}.`);
    const nowMs = clock.monotonicMs();
    if (nowMs - this.lastMs > 2000 * maxSeconds()) this.backOff.reset();
    this.lastMs = nowMs;
  }

  /** The delay before what was refused is tried again, in milliseconds. */
  nextMs(): number {
    return this.backOff.next();
  }
}

/** Of the service or subscription that it concerns. */
export function idOf(operation: Operation): bigint {
  if ("id" in operation) return operation.id;
  return ("service" in operation ? operation.service : operation.subscription).id;
}

const describe = (operation: Operation): string => `${operation.type} of 0x${idOf(operation).toString(16)}`;
