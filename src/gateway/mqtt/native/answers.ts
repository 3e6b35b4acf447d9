/**
 * Answers to the queries of devices (part D.4), from what is known of the directory: one packet per service, none larger
 * than a device can take, at least 20 ms between two packets, and a bounded number of them however often is asked.
 */

import type { Clock, Timer, Timers } from "../../../core/clock.js";
import type { Filter } from "../../../core/filter/syntax.js";
import type { Dropped } from "../../dropped.js";
import type { PublishOutcome } from "../connection.js";
import type { Received } from "../mqtt-client.js";
import { type PublishOptions, payloadRoom } from "../publish-size.js";
import { TIMES } from "../times.js";
import type { OutboundTopics } from "../topics.js";
import { compactFields, cutFields } from "./compact.js";
import type { Finding, KnownService } from "./known-services.js";
import { parseQuery, QUERY_LIMITS, type Query } from "./query.js";
import { TokenBuckets } from "./token-buckets.js";

export const ANSWER_LIMITS = {
  /** Queries of one device, and of all: so many at once, then so many a second. */
  device: { burst: 5, perSecond: 1 },
  total: { burst: 50, perSecond: 20 },
  /** Steps of work (filter-work.ts): of one query, and of the queries of one device and of all; 10 million take 30 ms. */
  steps: 20_000_000,
  deviceSteps: { burst: 20_000_000, perSecond: 1_000_000 },
  totalSteps: { burst: 40_000_000, perSecond: 10_000_000 },
  /** Refusals (`!busy`), so that those are no flood either; the rest goes unanswered. */
  busy: { burst: 1, perSecond: 1 },
  totalBusy: { burst: 10, perSecond: 10 },
  /** Devices whose rate is remembered. */
  devices: 10_000,
  /** Packets that wait to be sent, at 50 a second; and refusals, which are needed when there is no room for answers. */
  waiting: 256,
  refusalsWaiting: 32,
  correlationBytes: 64,
  expirySeconds: 30,
} as const;

export interface AnswersOptions {
  readonly topics: OutboundTopics;
  readonly publish: (topic: string, payload: string, options: PublishOptions) => PublishOutcome;
  readonly find: (filter: Filter, max: number, mostSteps: number) => Finding;
  readonly isMine: (device: string) => boolean;
  /** False: what is known may be old, and answers say so. */
  readonly isReachable: () => boolean;
  readonly version: () => 4 | 5;
  /** What a device's packet buffer holds. */
  readonly maxPacketBytes: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly dropped: Dropped;
}

interface Packet {
  readonly topic: string;
  readonly payload: string;
  readonly options: PublishOptions;
}

export class Answers {
  /** Queries that were answered, refusals not counted. */
  answered = 0;
  private readonly waiting: Packet[] = [];
  /** Sent first: they come at 10 a second at most, and a device that hears nothing asks again. */
  private readonly refusals: Packet[] = [];
  private timer: Timer | undefined;
  private nextMs = Number.NEGATIVE_INFINITY;
  private readonly deviceRate = new TokenBuckets(ANSWER_LIMITS.device, ANSWER_LIMITS.devices);
  private readonly busyRate = new TokenBuckets(ANSWER_LIMITS.busy, ANSWER_LIMITS.devices);
  private readonly totalRate = new TokenBuckets(ANSWER_LIMITS.total, 1);
  private readonly deviceWork = new TokenBuckets(ANSWER_LIMITS.deviceSteps, ANSWER_LIMITS.devices);
  private readonly totalWork = new TokenBuckets(ANSWER_LIMITS.totalSteps, 1);
  private readonly totalBusyRate = new TokenBuckets(ANSWER_LIMITS.totalBusy, 1);

  constructor(private readonly options: AnswersOptions) {}

  /** A device asked. Does nothing if another gateway is to answer. */
  asked(device: string, payload: Uint8Array, received: Received): void {
    const { topics, isMine, dropped, clock, find } = this.options;
    if (!isMine(device)) return;
    const { responseTopic, correlationData } = received;
    const query = parseQuery(payload, responseTopic !== undefined);
    const refusal = this.refusal(received);
    if (!query || refusal !== undefined) {
      dropped.add(refusal ?? "query-malformed");
      return;
    }
    const topic = responseTopic ?? topics.reply(device);
    const options: PublishOptions = {
      messageExpirySeconds: ANSWER_LIMITS.expirySeconds,
      ...(responseTopic !== undefined && correlationData !== undefined
        ? { correlationData: Uint8Array.from(correlationData) }
        : {}),
    };
    const nowMs = clock.monotonicMs();
    const waitSeconds = this.busyFor(device, nowMs);
    if (waitSeconds > 0) {
      dropped.add("query-busy");
      if (this.busyRate.take(device, nowMs) && this.totalBusyRate.take("", nowMs)) {
        this.send(topic, `${prefix(query)}!busy;${waitSeconds}`, options, this.refusals);
      }
      return;
    }
    if (!query.filter) {
      dropped.add("query-filter");
      this.send(topic, `${prefix(query)}!filter`, options);
      return;
    }
    const { services, steps } = find(query.filter, query.max, ANSWER_LIMITS.steps);
    this.deviceWork.spend(device, nowMs, steps);
    this.totalWork.spend("", nowMs, steps);
    if (!services) {
      dropped.add("query-costly");
      this.send(topic, `${prefix(query)}!filter`, options);
      return;
    }
    this.answered++;
    this.answer(topic, query, services, options);
  }

  brokerLost(): void {
    this.stop();
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.waiting.length = this.refusals.length = 0;
  }

  /** Why nobody gets an answer to this. */
  private refusal({ retained, responseTopic, correlationData }: Received): string | undefined {
    if (retained) return "query-retained"; // it would be answered again after each reconnect
    if (responseTopic !== undefined && !this.options.topics.isReplyTopic(responseTopic))
      return "foreign-response-topic";
    if ((correlationData?.length ?? 0) > ANSWER_LIMITS.correlationBytes) return "correlation-too-long";
    return undefined;
  }

  /** In how many seconds it is worth asking again; 0: now. */
  private busyFor(device: string, nowMs: number): number {
    if (!this.deviceRate.take(device, nowMs)) return Math.ceil(1 / ANSWER_LIMITS.device.perSecond);
    if (!this.totalRate.take("", nowMs)) return 2;
    const owedSeconds = Math.max(this.deviceWork.waitSeconds(device, nowMs), this.totalWork.waitSeconds("", nowMs));
    if (owedSeconds > 0) return owedSeconds;
    if (this.waiting.length + QUERY_LIMITS.replies <= ANSWER_LIMITS.waiting) return 0;
    return Math.ceil((this.waiting.length * TIMES.replyMs) / 1000);
  }

  private answer(topic: string, query: Query, found: readonly KnownService[], options: PublishOptions): void {
    const old = this.options.isReachable() ? [] : ["~"];
    if (found.length === 0) {
      this.send(topic, [`${prefix(query)}0/0`, ...old].join(";"), options);
      return;
    }
    const { version, maxPacketBytes, dropped } = this.options;
    const room = payloadRoom(version(), topic, options, maxPacketBytes);
    found.forEach(({ id, kind, order, state }, at) => {
      const head = [`${prefix(query)}${at + 1}/${found.length}`, id, kind ?? "-", state.ttlSeconds, ...old].join(";");
      const payload = cutFields(head, compactFields(state.properties, order), room);
      if (payload === undefined) dropped.add("reply-too-large");
      else this.send(topic, payload, options);
    });
  }

  private send(topic: string, payload: string, options: PublishOptions, queue = this.waiting): void {
    const limit = queue === this.refusals ? ANSWER_LIMITS.refusalsWaiting : ANSWER_LIMITS.waiting;
    if (queue.length >= limit) {
      this.options.dropped.add("replies-waiting");
      return;
    }
    queue.push({ topic, payload, options });
    this.arm();
  }

  /** One packet every 20 ms keeps the distance for each device, and bounds all together. */
  private arm(): void {
    if (this.timer || this.waiting.length + this.refusals.length === 0) return;
    const { clock, timers, publish, dropped } = this.options;
    this.timer = timers.after("mqtt reply", Math.max(0, this.nextMs - clock.monotonicMs()), () => {
      this.timer = undefined;
      this.nextMs = clock.monotonicMs() + TIMES.replyMs;
      const packet = this.refusals.shift() ?? this.waiting.shift();
      if (packet && publish(packet.topic, packet.payload, packet.options) !== "sent") dropped.add("reply-not-sent");
      this.arm();
    });
  }
}

function prefix({ number }: Query): string {
  return number === "" ? "" : `${number};`;
}
