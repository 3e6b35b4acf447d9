/**
 * The retained mirror of the directory for constrained devices (parts D.1, D.2, D.4, D.7): one message per service in
 * `sd1/m/<kind>/<id>`. Compares what should be there with what the broker is known to keep, and publishes differences
 * only, for those kinds that are ours.
 */

import type { Clock, Random, Timer, Timers } from "../../../core/clock.js";
import type { Logger } from "../../../core/log.js";
import type { Dropped } from "../../dropped.js";
import type { PublishOutcome } from "../connection.js";
import type { OutboundQueue } from "../outbound-queue.js";
import { payloadRoom } from "../publish-size.js";
import { TIMES } from "../times.js";
import type { OutboundTopics } from "../topics.js";
import { compactFields, cutFields } from "./compact.js";
import { DampedChanges } from "./damped-changes.js";
import type { KnownService } from "./known-services.js";
import { expectEcho, expirySeconds, isEcho, isKept, keeps, type Mirror, mirrorOptions } from "./mirror.js";

/** Of mirrors that are kept at the broker, ours and others'; further ones are not looked after. */
const MAX_MIRRORS = 100_000;

/** How often mirrors are looked at that expire at the broker, or that could not be sent. */
const SWEEP_MS = 30_000;

export interface MirrorsOptions {
  readonly topics: OutboundTopics;
  readonly queue: Pick<OutboundQueue, "put" | "remove" | "clear">;
  readonly isMine: (kind: string) => boolean;
  /** Of the present connection. */
  readonly version: () => 4 | 5;
  /** What a device's packet buffer holds. */
  readonly maxPacketBytes: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  readonly dropped: Dropped;
}

export class Mirrors {
  private readonly mirrors = new Map<string, Mirror>();
  private readonly changes: DampedChanges;
  /** Which kinds are ours, as far as was asked since that changed. */
  private readonly mine = new Map<string, boolean>();
  /** The queue refused something. */
  private overflowed = false;
  /** False until what the broker keeps has been heard. */
  private active = false;
  /** From when on a mirror without a service is removed, though nobody saw the service go. */
  private cleanFromMs = Number.POSITIVE_INFINITY;
  private settling: Timer | undefined;
  private sweeping: Timer | undefined;

  constructor(private readonly options: MirrorsOptions) {
    const { clock, timers, log } = options;
    this.changes = new DampedChanges({
      name: "mqtt mirror held",
      ...{ clock, timers, limit: MAX_MIRRORS },
      carryOut: (topic) => this.send(topic),
      onHold: (topic) => log.warning(() => `MQTT mirror ${topic} changes all the time; held for a minute.`),
    });
  }

  /** Mirrors that the broker keeps of services of the directory, whoever wrote them. */
  get size(): number {
    let count = 0;
    for (const { service, kept } of this.mirrors.values()) if (service && kept) count++;
    return count;
  }

  /** A service of the directory changed, came (`before` absent) or went (`after` absent). */
  changed(before: KnownService | undefined, after: KnownService | undefined): void {
    const left = this.of(before);
    const entered = this.of(after);
    if (left && left !== entered) {
      delete left.service;
      left.gone = true;
      this.settle(left);
    }
    if (entered && after) {
      entered.service = after;
      entered.gone = false;
      this.settle(entered);
    }
  }

  /** The broker keeps this now: replayed, or written by somebody. Empty: nothing. */
  heard(topic: string, payload: Uint8Array, retained: boolean): void {
    const parsed = this.options.topics.parseMirror(topic);
    if (!parsed) return;
    const text = Buffer.from(payload).toString("utf8");
    const mirror = text === "" ? this.mirrors.get(topic) : this.mirror(topic, parsed.kind, parsed.id);
    if (!mirror || (!retained && isEcho(mirror, text)) || text === (mirror.kept ?? "")) return;
    keeps(mirror, text);
    // somewhere between now and half of its life: nobody knows when it was written
    mirror.sentMs = this.options.clock.monotonicMs() - (this.options.random() * expirySeconds(mirror) * 1000) / 2;
    this.settle(mirror);
  }

  /** The queue is through with a message. */
  sent(topic: string, payload: string, outcome: PublishOutcome): void {
    const mirror = this.mirrors.get(topic);
    if (!mirror) return;
    delete mirror.queued;
    if (outcome === "too-large") {
      this.options.dropped.add("mirror-too-large-for-broker");
      return;
    }
    keeps(mirror, payload);
    mirror.sentMs = this.options.clock.monotonicMs();
    if (this.options.version() === 4) expectEcho(mirror, payload);
    this.forgetUnless(mirror);
  }

  brokerBack(): void {
    const { clock, timers } = this.options;
    this.cleanFromMs = clock.monotonicMs() + TIMES.settleMs;
    this.settling = timers.after("mqtt mirrors settle", TIMES.listenMs, () => {
      this.active = true;
      this.settleAll();
    });
  }

  /** Nobody knows any more what the broker keeps. */
  brokerLost(): void {
    this.active = false;
    this.cancelTimers();
    this.options.queue.clear();
    for (const mirror of this.mirrors.values()) {
      delete mirror.kept;
      delete mirror.queued;
      delete mirror.echoes;
      mirror.gone = false;
      this.forgetUnless(mirror);
    }
  }

  /** Who is to act has changed, or might have. */
  ownersChanged(): void {
    this.mine.clear();
    this.settleAll();
  }

  stop(): void {
    this.active = false;
    this.cancelTimers();
    this.changes.clear();
    this.mirrors.clear();
  }

  private isMine(kind: string): boolean {
    let mine = this.mine.get(kind);
    if (mine === undefined) this.mine.set(kind, (mine = this.options.isMine(kind)));
    return mine;
  }

  private cancelTimers(): void {
    this.settling?.cancel();
    this.sweeping?.cancel();
    this.sweeping = undefined;
  }

  private of(service: KnownService | undefined): Mirror | undefined {
    if (!service?.mirrored || service.kind === undefined) return undefined;
    return this.mirror(this.options.topics.mirror(service.kind, service.id), service.kind, service.id);
  }

  private mirror(topic: string, kind: string, id: string): Mirror | undefined {
    const present = this.mirrors.get(topic);
    if (present) return present;
    if (this.mirrors.size >= MAX_MIRRORS) {
      this.options.dropped.add("too-many-mirrors");
      return undefined;
    }
    const made: Mirror = { topic, kind, id, gone: false, sentMs: 0 };
    this.mirrors.set(topic, made);
    return made;
  }

  private forgetUnless(mirror: Mirror): void {
    if (!mirror.service && mirror.kept === undefined && mirror.queued === undefined) this.mirrors.delete(mirror.topic);
  }

  private settleAll(): void {
    if (!this.active) return;
    for (const mirror of this.mirrors.values()) this.settle(mirror);
    this.sweepLater();
  }

  /** Publishes the difference, if there is one and it is our part. */
  private settle(mirror: Mirror): void {
    const { queue } = this.options;
    if (!this.active || !this.isMine(mirror.kind)) {
      if (mirror.queued !== undefined) queue.remove(mirror.topic);
      delete mirror.queued;
      this.forgetUnless(mirror);
      return;
    }
    const payload = this.payload(mirror);
    if (
      payload === undefined ||
      payload === mirror.queued ||
      (mirror.queued === undefined && isKept(mirror, payload))
    ) {
      this.changes.cancel(mirror.topic);
      this.forgetUnless(mirror);
      return;
    }
    if (isKept(mirror, payload)) {
      this.changes.cancel(mirror.topic);
      queue.remove(mirror.topic);
      delete mirror.queued;
      return;
    }
    if (payload !== "" || this.mayClear(mirror)) this.changes.change(mirror.topic);
    this.sweepLater();
  }

  /** At the begin the directory may not be complete yet: what is kept of services it lacks is left for a while. */
  private mayClear({ gone }: Mirror): boolean {
    return gone || this.options.clock.monotonicMs() >= this.cleanFromMs;
  }

  private send(topic: string): void {
    const mirror = this.mirrors.get(topic);
    if (!mirror || !this.active || !this.isMine(mirror.kind)) return;
    const payload = this.payload(mirror);
    if (payload === undefined || isKept(mirror, payload)) return;
    this.put(mirror, payload);
  }

  private put(mirror: Mirror, payload: string): void {
    if (this.options.queue.put(mirror.topic, payload, mirrorOptions(mirror, payload, this.options.version())))
      mirror.queued = payload;
    else {
      this.options.dropped.add("queue-full");
      this.overflowed = true; // the next sweep tries again
    }
  }

  /** What should be kept: `generation;ttl;properties`, or nothing. `undefined`: the topic alone fills a packet. */
  private payload(mirror: Mirror): string | undefined {
    const { service, topic } = mirror;
    if (!service) return "";
    const { generation, ttlSeconds, properties } = service.state;
    const { maxPacketBytes, version, dropped } = this.options;
    const room = payloadRoom(version(), topic, mirrorOptions(mirror, "-", version()), maxPacketBytes);
    const payload = cutFields(`${generation};${ttlSeconds}`, compactFields(properties, service.order), room);
    if (payload === undefined) dropped.add("mirror-too-large-for-devices");
    return payload;
  }

  /** One look at everything from time to time, only while there is something that time alone makes due. */
  private sweepLater(): void {
    if (this.sweeping || !this.active || this.mirrors.size === 0) return;
    const { clock, timers, version } = this.options;
    const untilCleanMs = this.cleanFromMs - clock.monotonicMs();
    if (version() === 4 && untilCleanMs <= 0 && !this.overflowed) return;
    this.sweeping = timers.after("mqtt mirrors sweep", untilCleanMs > 0 ? untilCleanMs : SWEEP_MS, () => {
      this.sweeping = undefined;
      this.sweep();
    });
  }

  private sweep(): void {
    const nowMs = this.options.clock.monotonicMs();
    const renewing = this.options.version() === 5;
    this.overflowed = false;
    for (const mirror of this.mirrors.values()) {
      const { service, kept, queued, sentMs, kind } = mirror;
      const due = renewing && nowMs - sentMs >= expirySeconds(mirror) * 500;
      if (due && service && kept !== undefined && queued === undefined && this.isMine(kind)) {
        this.put(mirror, kept);
      } else {
        this.settle(mirror);
      }
    }
    this.sweepLater();
  }
}
