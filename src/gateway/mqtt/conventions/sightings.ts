/** The announcements of one convention: carries out life.ts with a clock, and tells the devices what is there. */

import type { Timer } from "../../../core/clock.js";
import type { ConventionContext } from "./convention.js";
import { type Effect, type Input, LIFE, type Phase, SHOWN } from "./life.js";
import { LIMITS, TIMES } from "./limits.js";
import { type Sighting, sameSighting } from "./sighting.js";
import type { Standing } from "./standing.js";

export type Presence = "up" | "down" | "unknown";

export interface SightingHooks {
  /** The announcement is not remembered any more: it was cleared, or had to make room. */
  forgotten?(subject: string): void;
  /** All that the broker keeps has been heard, and nothing yet was said of its presence: the last chance to do so. */
  settling?(subject: string): void;
  /** Nothing that was heard counts any more: the broker was away for too long. */
  away?(): void;
}

interface Life {
  readonly subject: string;
  phase: Phase;
  sighting?: Sighting;
  presence: Presence;
  /** It was announced live. */
  isLive: boolean;
  timer?: Timer;
  /** When the phase ends by itself; `undefined`: never. Moves while the broker is away. */
  deadlineMs?: number | undefined;
  heardAtMs: number;
}

export class Sightings {
  private readonly lives = new Map<string, Life>();
  /** Those that may be dropped for a newcomer, the oldest first. */
  private readonly droppable = new Set<Life>();
  /** Those that are not shown before the replay is over. */
  private readonly unsettled = new Set<Life>();
  /** Of all their announcements. */
  private characters = 0;
  private lostAtMs: number | undefined;
  private awayTimer: Timer | undefined;
  private replayTimer: Timer | undefined;

  /** `convention`: the value of `mqtt.conv`. A subject is whatever tells its announcements apart, a topic for example. */
  constructor(
    private readonly convention: string,
    private readonly context: ConventionContext,
    private readonly hooks: SightingHooks = {},
    private readonly limit: number = LIMITS.subjects,
  ) {}

  get size(): number {
    return this.lives.size;
  }

  /** For reports and tests. */
  phase(subject: string): Phase {
    return this.lives.get(subject)?.phase ?? "new";
  }

  /**
   * `replayed`: the broker had kept it. `expectsPresence`: it has a presence of which nothing was heard yet. In both cases
   * it is not shown before the broker could replay all. False: refused, the limit is reached.
   */
  announced(subject: string, sighting: Sighting, replayed: boolean, expectsPresence = false): boolean {
    const life = this.admit(subject);
    if (!life) return false;
    const same = life.sighting !== undefined && sameSighting(life.sighting, sighting);
    if (!same && !this.remember(life, sighting)) return false;
    if (!replayed) life.isLive = true;
    const isEarly =
      life.presence === "unknown" && (replayed || expectsPresence) && mayBeEarly(life.phase, replayed, same);
    const input = replayed ? (same ? "replayed" : "replayed-changed") : "announced";
    this.happen(life, isEarly ? "announced-early" : input);
    return true;
  }

  /** Nothing was heard of its presence, and the broker may still have something to say of it. */
  isUnsettled(subject: string): boolean {
    return this.lives.get(subject)?.phase === "unsettled";
  }

  /** Its presence is known, its announcement is not. */
  isUnannounced(subject: string): boolean {
    const life = this.lives.get(subject);
    return life !== undefined && !life.sighting;
  }

  /** The announcement was withdrawn. */
  cleared(subject: string): void {
    this.happenIfKnown(subject, "cleared");
  }

  presence(subject: string, presence: Presence, replayed: boolean): void {
    const life = presence === "unknown" ? this.lives.get(subject) : this.admit(subject);
    if (!life || (presence === "unknown" && life.presence === "unknown")) return;
    // The first word of its presence lets an end go that was set for want of one, however old the word is.
    const isFirst = life.presence === "unknown";
    const isRepeated = replayed && life.presence === presence;
    life.presence = presence;
    // it was silent for too long in spite of that; a connection that comes and goes must not revive the dead
    if (isRepeated && life.phase === "expired") {
      life.heardAtMs = this.context.clock.monotonicMs();
      return;
    }
    this.happen(
      life,
      presence === "up" && replayed && !(isFirst && life.phase === "present") ? "up-replayed" : presence,
    );
  }

  /** It said something else than these, live. */
  alive(subject: string): void {
    this.happenIfKnown(subject, "alive");
  }

  /** Nobody can be heard, so nobody goes for being silent; for `TIMES.awayMs` at most. */
  brokerLost(): void {
    if (this.lostAtMs !== undefined) return;
    this.lostAtMs = this.context.clock.monotonicMs();
    this.replayTimer?.cancel();
    for (const life of this.lives.values()) life.timer?.cancel();
    this.awayTimer = this.context.timers.after("mqtt broker away", TIMES.awayMs, () => {
      for (const life of [...this.lives.values()]) this.evict(life);
      this.hooks.away?.();
    });
  }

  /**
   * Each deadline moves by the time the broker was away, and none comes before all had time to return. What is then heard
   * neither live nor as a kept message was withdrawn meanwhile, or lost by the broker: it goes after a while.
   */
  brokerBack(): void {
    this.awayTimer?.cancel();
    if (this.lostAtMs === undefined) return;
    const backAtMs = this.context.clock.monotonicMs();
    const awayMs = backAtMs - this.lostAtMs;
    this.lostAtMs = undefined;
    this.settle(backAtMs, awayMs);
    this.replayTimer = this.context.timers.after("mqtt kept messages", TIMES.provisionalMs, () => {
      for (const life of [...this.lives.values()]) {
        // What the broker never keeps has a deadline of its own.
        if (life.sighting?.passing || life.heardAtMs >= backAtMs) continue;
        if (SHOWN.has(life.phase)) this.happen(life, "deadline");
        life.presence = "unknown"; // what is said of it after the next time is news
        this.context.devices.forget(this.convention, life.subject); // who starts now does not know of it either
      }
    });
  }

  /** Forgets everything, without telling the devices. */
  stop(): void {
    this.awayTimer?.cancel();
    this.replayTimer?.cancel();
    for (const life of this.lives.values()) life.timer?.cancel();
    this.lives.clear();
    this.droppable.clear();
    this.unsettled.clear();
    this.characters = 0;
  }

  private settle(nowMs: number, awayMs: number): void {
    for (const life of this.lives.values()) {
      if (life.deadlineMs === undefined) continue;
      life.deadlineMs = Math.max(life.deadlineMs + awayMs, nowMs + TIMES.settleMs);
      this.setTimer(life);
    }
  }

  private admit(subject: string): Life | undefined {
    const present = this.lives.get(subject);
    if (present) return present;
    if (this.lives.size >= this.limit) {
      const [oldest] = this.droppable;
      if (!oldest) {
        this.context.dropped.add("too many announcements");
        return undefined;
      }
      this.evict(oldest);
    }
    const life: Life = { subject, phase: "new", presence: "unknown", isLive: false, heardAtMs: 0 };
    this.lives.set(subject, life);
    return life;
  }

  /** False: all announcements together are too long, and there is none that may be dropped for this one. */
  private remember(life: Life, sighting: Sighting): boolean {
    const more = sighting.size - (life.sighting?.size ?? 0);
    for (const other of this.droppable) {
      if (this.characters + more <= LIMITS.announcedCharacters) break;
      if (other !== life && other.sighting) this.evict(other);
    }
    if (this.characters + more > LIMITS.announcedCharacters) {
      this.context.dropped.add("too many announcements");
      if (life.phase === "new") this.drop(life);
      return false;
    }
    this.characters += more;
    life.sighting = sighting;
    return true;
  }

  private evict(life: Life): void {
    if (life.sighting) this.context.devices.forget(this.convention, life.subject);
    this.drop(life);
  }

  private drop(life: Life): void {
    life.timer?.cancel();
    this.characters -= life.sighting?.size ?? 0;
    this.lives.delete(life.subject);
    this.droppable.delete(life);
    this.unsettled.delete(life);
    this.hooks.forgotten?.(life.subject);
  }

  private happenIfKnown(subject: string, input: Input): void {
    const life = this.lives.get(subject);
    if (life) this.happen(life, input);
  }

  /** The one door through which a life changes. */
  private happen(life: Life, input: Input): void {
    if (input !== "deadline") life.heardAtMs = this.context.clock.monotonicMs();
    const transition = LIFE[life.phase][input];
    const wasDroppable = this.droppable.has(life);
    life.phase = transition.next;
    if (life.phase !== "unsettled") this.unsettled.delete(life);
    for (const effect of transition.effects) this.carryOut(life, effect);
    if (life.phase === "new") this.drop(life);
    else if (SHOWN.has(life.phase)) this.droppable.delete(life);
    else if (!wasDroppable) this.droppable.add(life);
  }

  private carryOut(life: Life, effect: Effect): void {
    const { devices } = this.context;
    switch (effect) {
      case "show":
      case "hide":
        if (life.sighting) devices.tell(this.convention, life.subject, life.sighting, standingOf(life));
        break;
      case "forget":
        devices.forget(this.convention, life.subject);
        break;
      case "await-replay":
        this.setDeadline(life, undefined);
        this.unsettled.add(life);
        this.context.replay.whenHeard(this.settleAll);
        break;
      case "await-silence":
        this.setDeadline(life, this.silenceMs(life));
        break;
      case "await-confirmation":
        this.setDeadline(life, this.confirmationMs(life));
        break;
      case "await-return":
        this.setDeadline(life, TIMES.graceMs);
        break;
      case "await-forget":
        this.setDeadline(life, TIMES.forgetMs);
        break;
      case "await-nothing":
        this.setDeadline(life, undefined);
        break;
    }
  }

  /** The broker has said what it keeps: of these it keeps no presence. */
  private readonly settleAll = (): void => {
    for (const life of [...this.unsettled]) {
      this.hooks.settling?.(life.subject);
      if (this.unsettled.delete(life)) this.happen(life, life.isLive ? "announced" : "replayed-changed");
    }
  };

  private confirmationMs({ sighting }: Life): number {
    return sighting?.silentSeconds === undefined ? TIMES.provisionalMs : sighting.silentSeconds * 1000;
  }

  private silenceMs({ sighting, presence }: Life): number | undefined {
    if (sighting?.silentSeconds !== undefined) return sighting.silentSeconds * 1000;
    return presence === "up" ? undefined : TIMES.silenceMs;
  }

  private setDeadline(life: Life, delayMs: number | undefined): void {
    life.deadlineMs = delayMs === undefined ? undefined : this.context.clock.monotonicMs() + delayMs;
    this.setTimer(life);
  }

  private setTimer(life: Life): void {
    life.timer?.cancel();
    const dueMs = life.deadlineMs;
    if (dueMs === undefined || this.lostAtMs !== undefined) return;
    const { clock, timers } = this.context;
    life.timer = timers.after("mqtt announcement", dueMs - clock.monotonicMs(), () => {
      const nowMs = clock.monotonicMs();
      if (nowMs - dueMs > TIMES.stalledMs)
        this.settle(nowMs, 0); // nobody was heard while the process stood still
      else this.happen(life, "deadline");
    });
  }
}

/** Nothing is shown of it; and what was silent for too long is not revived by what the broker keeps of it as before. */
function mayBeEarly(phase: Phase, replayed: boolean, same: boolean): boolean {
  return phase === "new" || phase === "unsettled" || (phase === "expired" && replayed && !same);
}

function standingOf({ phase, presence }: Life): Standing {
  if (phase === "unsettled") return "unsettled";
  if (phase === "gone") return "down";
  if (phase === "expired") return "silent";
  return phase === "grace" || presence === "up" ? "up" : "assumed";
}
