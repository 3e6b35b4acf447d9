/**
 * One name that we want for ourselves on one link, and how far that has come: probed three times, announced three times
 * (RFC 6762, 8), then held. Time is passed in; what is to be done comes back as words.
 */

import type { OwnRecord } from "./own-records.js";

/** `standby`: another gateway announces this very service; we try again when it goes, or after a while. */
export type ClaimPhase = "probing" | "held" | "standby";

const PROBES = 3;
const PROBE_GAP_MS = 250;
const LOST_TIE_WAIT_MS = 1000;
/** Answers to probes that leave open who is there; after these many it is somebody else. */
const OPEN_ANSWERS = 2;
/** Gaps after the first announcement, and after those of a change. */
const ANNOUNCEMENT_GAPS_MS = [1000, 2000] as const;
const UPDATE_GAPS_MS = [1000] as const;

export class Claim {
  phase: ClaimPhase = "probing";
  private nextMs: number;
  /** When it is to be probed anew; until then nothing changes. */
  private againMs = Number.POSITIVE_INFINITY;
  /** It has been announced, under this name, on this link. */
  isAnnounced = false;
  /** Of a host: another gateway states it, as far as is known. */
  private isOthers = false;
  private probes = 0;
  private openAnswers = 0;
  private gapsMs: readonly number[] = [];

  constructor(
    readonly name: string,
    /** What is proposed when probing. */
    public unique: readonly OwnRecord[],
    /** What goes along when announcing: the pointers to an instance. */
    public shared: readonly OwnRecord[],
    /** The host that must be ours (or be sure) before this is announced. */
    public host: Claim | undefined,
    /** Of an instance: the mark that tells that somebody else's instance is the same service. */
    readonly sdid: string | undefined,
    startMs: number,
  ) {
    this.nextMs = startMs;
  }

  /** Others may be told of it. */
  get isReady(): boolean {
    return this.phase === "held" && (!this.host || this.host.isStated);
  }

  /** Of a host: it is ours, maybe probed anew; or another gateway's, which is no reason to keep silent about ours on it. */
  private get isStated(): boolean {
    return this.isOthers || this.phase === "held" || (this.phase === "probing" && this.isAnnounced);
  }

  /** When `step` is due. A held name whose host is not ours yet waits. */
  get dueMs(): number {
    return this.phase !== "held" || this.isReady ? Math.min(this.nextMs, this.againMs) : this.againMs;
  }

  /** What is due now; the caller does it. */
  step(nowMs: number): "probe" | "announce" | undefined {
    if (nowMs >= this.againMs) this.restart(nowMs);
    if (nowMs < this.nextMs) return undefined;
    if (this.phase === "standby") {
      this.restart(nowMs);
      this.host?.wanted(nowMs);
    }
    if (this.phase === "probing") {
      if (this.probes < PROBES) {
        this.probes++;
        this.nextMs = nowMs + PROBE_GAP_MS;
        return "probe";
      }
      this.phase = "held";
      this.isOthers = false;
      this.openAnswers = 0;
      this.gapsMs = ANNOUNCEMENT_GAPS_MS;
    }
    if (!this.isReady) return undefined;
    const [gapMs, ...gapsMs] = this.gapsMs;
    this.gapsMs = gapsMs;
    this.nextMs = gapMs === undefined ? Number.POSITIVE_INFINITY : nowMs + gapMs;
    this.isAnnounced = true;
    return "announce";
  }

  /** From the first probe on. */
  restart(atMs: number): void {
    this.phase = "probing";
    this.probes = 0;
    this.nextMs = atMs;
    this.againMs = Number.POSITIVE_INFINITY;
  }

  /** The link may lead elsewhere now: probes from that time on. What is ours remains so until then, and is answered. */
  again(atMs: number): void {
    if (this.phase !== "probing") this.againMs = Math.min(this.againMs, atMs);
    else if (this.probes > 0 || this.nextMs > atMs) this.restart(atMs);
  }

  lostTie(nowMs: number): void {
    this.restart(nowMs + LOST_TIE_WAIT_MS);
  }

  /**
   * Somebody has the name, and what he says does not tell whether it is the same service: he is asked once more, since the
   * answer to a probe is all that he has. False: he has been asked often enough.
   */
  askAgain(nowMs: number): boolean {
    if (this.probes === 0) return true; // he has not been asked yet
    if (this.openAnswers++ >= OPEN_ANSWERS) return false;
    this.restart(nowMs);
    return true;
  }

  /** Without a time: a host that is not needed, until an instance wants it. */
  standBy(untilMs = Number.POSITIVE_INFINITY): void {
    this.phase = "standby";
    this.isAnnounced = false;
    this.isOthers = untilMs < Number.POSITIVE_INFINITY;
    this.openAnswers = 0;
    this.nextMs = untilMs;
    this.againMs = Number.POSITIVE_INFINITY;
  }

  /** An instance is to be on this host. */
  wanted(atMs: number): void {
    if (this.phase === "standby") this.restart(atMs);
  }

  /** New data under the same name: announced twice, without probing (RFC 6762, 8.4). */
  changed(nowMs: number): void {
    if (this.phase !== "held" || !this.isAnnounced) return;
    if (this.gapsMs.length < UPDATE_GAPS_MS.length) this.gapsMs = UPDATE_GAPS_MS;
    this.nextMs = nowMs;
  }
}
