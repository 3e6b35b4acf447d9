/**
 * Which gateways are there, and who of them is to act (part D.7). Each gateway says `1;<priority>;<start time>` in
 * `sd1/g/<name>`, and its will says `0`. For each device and each kind, that gateway acts which has the highest hash
 * among the living ones of the highest priority; all others follow what happens, ready to take over.
 *
 * A gateway that dies leaves its will; but a broker that went down with it, or somebody's stray message, may keep a `1`
 * of one that is not there. So presence is renewed, and counts only as long as it is heard live: what was merely kept is
 * believed provisionally, since a gateway that has just come had better stand by than act against one that does.
 */

import type { Clock, Random, Timer, Timers } from "../../../core/clock.js";
import type { Logger } from "../../../core/log.js";
import type { Dropped } from "../../dropped.js";
import { responsible } from "../../rendezvous.js";
import { TIMES } from "../times.js";

export const PRESENCE_LIMITS = { gateways: 32, payloadBytes: 64, priority: 255 } as const;

/** In milliseconds. */
export const PRESENCE_TIMES = {
  /** Between two words of a gateway. The same wake-up, the only one of an idle gateway, looks for silent ones. */
  renewMs: 60_000,
  /** Without our own word coming back from the broker: then we are not allowed to write there, or to read. */
  silenceMs: 30_000,
} as const;

/**
 * At so many of our wake-ups in a row without a live word a gateway is gone: 120 to 180 s, in which two of its words
 * were due. Counted rather than measured: while we stood still, nobody was silent.
 */
const SILENT_LOOKS = 3;

type Phase =
  /** The broker is out of reach. Who was to act still is: nobody can tell us otherwise. */
  | "away"
  /** The broker is there (again); the others are being heard, or are on their way back. */
  | "settling"
  | "steady"
  /** A gateway came or went; it may be the other way round in a moment. */
  | "changing";

type Input = "back" | "lost" | "changed" | "deadline";

type Effect = "announce" | "await-settling" | "await-change" | "adopt" | "disarm";

const to = (next: Phase, ...effects: Effect[]) => ({ next, effects });

/** A pair that is missing means nothing there. */
const PRESENCE: { readonly [phase in Phase]: { readonly [input in Input]?: ReturnType<typeof to> } } = {
  away: { back: to("settling", "announce", "await-settling") },
  settling: { deadline: to("steady", "adopt"), lost: to("away", "disarm") },
  steady: { changed: to("changing", "await-change"), lost: to("away") },
  changing: { deadline: to("steady", "adopt"), lost: to("away", "disarm") },
};

interface Peer {
  readonly priority: number;
  /** What it said last. */
  readonly text: string;
  /** Heard since the broker is back, be it what the broker kept. */
  confirmed: boolean;
  /** Heard itself, not only what the broker kept. */
  readonly isLive: boolean;
  /** Our wake-ups since it was heard live, or at all if it never was. */
  silentLooks: number;
}

export interface PresenceOptions {
  readonly name: string;
  /** Where it says so. */
  readonly topic: string;
  readonly priority: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  readonly dropped: Dropped;
  /** Publishes what this gateway says of itself, retained. */
  readonly announce: (payload: string) => void;
  /** Who is to act has changed, or might have. */
  readonly onChange: () => void;
}

export class Presence {
  private phase: Phase = "away";
  private readonly peers = new Map<string, Peer>();
  /** Those among whom is chosen; empty until we have listened for the first time. */
  private acting: readonly string[] = [];
  private timer: Timer | undefined;
  private again: Timer | undefined;
  private renewal: Timer | undefined;
  private echo: Timer | undefined;
  private silenceTold = false;
  private failure: { readonly text: string; readonly unixSeconds: number } | undefined;
  /** Gateways that fell silent, and what they had said last: the broker may keep it for ever, and it does not count. */
  private readonly silent = new Map<string, string>();
  private readonly payload: string;
  private rivalTold = false;
  private announcedMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: PresenceOptions) {
    this.payload = `1;${options.priority};${Math.floor(options.clock.unixSeconds())}`;
  }

  /** Gateways that are alive as far as is known, this one included. */
  get size(): number {
    return this.peers.size + 1;
  }

  /** That what this gateway writes does not come back; kept when it does later. */
  get lastError(): { readonly text: string; readonly unixSeconds: number } | undefined {
    return this.failure;
  }

  /** Whether this gateway is to act for that device (`dev/<name>`) or kind (`kind/<name>`). */
  isMine(key: string): boolean {
    return responsible(this.acting, key) === this.options.name;
  }

  brokerBack(): void {
    for (const peer of this.peers.values()) {
      peer.confirmed = false;
      if (peer.isLive) peer.silentLooks = 0; // while the broker was away nobody could be heard
    }
    this.awaitEcho();
    this.happen("back");
    if (!this.renewal) this.awaitRenewal();
  }

  brokerLost(): void {
    this.echo?.cancel();
    this.happen("lost");
  }

  /** `gateway` said this of itself, or its will did. `isKept`: the broker had kept it, nobody knows since when. */
  heard(gateway: string, payload: Uint8Array, isKept: boolean): void {
    const text = Buffer.from(payload.subarray(0, PRESENCE_LIMITS.payloadBytes)).toString("latin1");
    const said = /^(?:(0?)|1;([0-9]{1,3})(?:;.*)?)$/.exec(text);
    if (!said) {
      this.options.dropped.add("gateway-malformed");
      return;
    }
    if (gateway === this.options.name) this.heardOfMyself(text);
    else if (said[2] === undefined) this.gone(gateway);
    else this.there(gateway, Math.min(Number(said[2]), PRESENCE_LIMITS.priority), text, isKept);
  }

  /** Says goodbye, so that the others take over at once. */
  leave(): void {
    if (this.phase !== "away") this.options.announce("0");
  }

  stop(): void {
    this.timer?.cancel();
    this.again?.cancel();
    this.renewal?.cancel();
    this.echo?.cancel();
    this.phase = "away";
    this.peers.clear();
    this.acting = [];
  }

  private there(gateway: string, priority: number, text: string, isKept: boolean): void {
    if (isKept && this.silent.get(gateway) === text) return;
    this.silent.delete(gateway);
    const before = this.peers.get(gateway);
    if (!before && this.peers.size >= PRESENCE_LIMITS.gateways) {
      this.options.dropped.add("too-many-gateways");
      return;
    }
    const isLive = !isKept || (before?.isLive ?? false);
    const silentLooks = isKept ? (before?.silentLooks ?? 0) : 0;
    this.peers.set(gateway, { priority, text, confirmed: true, isLive, silentLooks });
    if (before?.priority !== priority) this.happen("changed");
  }

  /** Goes on while the broker is away: a connection that flaps shall not keep alive whom only the broker remembers. */
  private awaitRenewal(): void {
    const { clock, timers } = this.options;
    const dueMs = clock.monotonicMs() + PRESENCE_TIMES.renewMs;
    this.renewal = timers.after("mqtt gateways renewal", PRESENCE_TIMES.renewMs, () => {
      this.awaitRenewal();
      if (this.phase === "away") return;
      this.options.announce(this.payload);
      // If we stood still, what the others said meanwhile has not been read yet.
      if (clock.monotonicMs() - dueMs < TIMES.stalledMs) this.lookForSilent();
    });
  }

  private lookForSilent(): void {
    for (const [gateway, peer] of this.peers) {
      if (++peer.silentLooks < SILENT_LOOKS) continue;
      this.peers.delete(gateway);
      this.rememberSilent(gateway, peer);
      this.happen("changed");
    }
  }

  private rememberSilent(gateway: string, { text, isLive }: Peer): void {
    const { silent, options } = this;
    silent.delete(gateway);
    silent.set(gateway, text);
    for (const oldest of silent.keys()) {
      if (silent.size <= PRESENCE_LIMITS.gateways) break;
      silent.delete(oldest);
    }
    const why = isLive ? "has fallen silent" : "is not there, though the broker keeps a message that says so";
    options.log.warning(() => `MQTT: the gateway "${gateway}" ${why}: it no longer counts.`);
  }

  private gone(gateway: string): void {
    const before = this.peers.get(gateway);
    // After a return of the broker this is the will of the connection that was lost; it has time to come back.
    if (!before || (this.phase === "settling" && !before.confirmed)) return;
    this.peers.delete(gateway);
    this.happen("changed");
  }

  /** Brokers may drop a message, or accept a subscription and deliver nothing, where an access list forbids it. */
  private awaitEcho(): void {
    const { clock, timers, log, topic } = this.options;
    this.echo?.cancel();
    const dueMs = clock.monotonicMs() + PRESENCE_TIMES.silenceMs;
    this.echo = timers.after("mqtt gateways echo", PRESENCE_TIMES.silenceMs, () => {
      if (clock.monotonicMs() - dueMs >= TIMES.stalledMs) return this.awaitEcho(); // it may be there, not read yet
      const text =
        `what this gateway writes to ${topic} does not come back from the broker: ` +
        "is it allowed to write there, and to read?";
      this.failure = { text, unixSeconds: clock.unixSeconds() };
      if (!this.silenceTold) log.warning(() => `MQTT: ${text}`);
      this.silenceTold = true;
    });
  }

  private heardOfMyself(text: string): void {
    if (text === this.payload) this.echo?.cancel();
    if (text === this.payload || this.phase === "away") return;
    // What another broker of a bridge kept of our former life is no rival. Of two rivals the older one is silent.
    if (text.startsWith("1") && !(startOf(text) < startOf(this.payload))) {
      if (this.rivalTold || this.options.clock.monotonicMs() - this.announcedMs < TIMES.ownEchoMs) return;
      this.rivalTold = true;
      this.options.log.warning(() => `MQTT: another gateway is called "${this.options.name}", too; both do the same.`);
      return;
    }
    // Or the will of an older connection of ours. Once a second at most: with a rival this might go on for ever.
    this.again ??= this.options.timers.after("mqtt gateways again", TIMES.reannounceMs, () => {
      this.again = undefined;
      if (this.phase !== "away") this.announce();
    });
  }

  private happen(input: Input): void {
    const transition = PRESENCE[this.phase][input];
    if (!transition) return;
    this.phase = transition.next;
    for (const effect of transition.effects) this.carryOut(effect);
  }

  private carryOut(effect: Effect): void {
    const { random } = this.options;
    switch (effect) {
      case "announce":
        this.announce();
        break;
      case "await-settling":
        this.arm(this.acting.length === 0 ? TIMES.listenMs : TIMES.settleMs);
        break;
      case "await-change":
        this.arm(TIMES.leastTakeoverMs + random() * (TIMES.mostTakeoverMs - TIMES.leastTakeoverMs));
        break;
      case "adopt":
        this.adopt();
        break;
      case "disarm":
        this.timer?.cancel();
        break;
    }
  }

  private announce(): void {
    this.announcedMs = this.options.clock.monotonicMs();
    this.options.announce(this.payload);
  }

  private arm(delayMs: number): void {
    this.timer?.cancel();
    this.timer = this.options.timers.after(`mqtt gateways ${this.phase}`, delayMs, () => this.happen("deadline"));
  }

  private adopt(): void {
    for (const [gateway, { confirmed }] of this.peers) if (!confirmed) this.peers.delete(gateway);
    const all = [[this.options.name, this.options.priority] as const].concat(
      [...this.peers].map(([name, { priority }]) => [name, priority] as const),
    );
    const highest = Math.max(...all.map(([, priority]) => priority));
    this.acting = all.flatMap(([name, priority]) => (priority === highest ? [name] : [])).sort();
    const { log, onChange } = this.options;
    log.info(
      () => `MQTT: ${all.length} gateway${all.length === 1 ? "" : "s"} here; acting: ${this.acting.join(", ")}.`,
    );
    onChange();
  }
}

/** Seconds since 1970; NaN if it is not said. */
const startOf = (presence: string): number => Number.parseInt(presence.split(";")[2] ?? "", 10);
