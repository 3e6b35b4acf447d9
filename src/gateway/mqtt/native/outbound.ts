/**
 * The native convention, outbound (parts D.1, D.4, D.7): the presence of this gateway, the mirror, and the answers to
 * queries; each only if it is configured.
 */

import type { Clock, Random, Timers } from "../../../core/clock.js";
import type { Directory } from "../../../core/directory-access.js";
import type { Logger } from "../../../core/log.js";
import type { Dropped } from "../../dropped.js";
import type { Will } from "../broker-options.js";
import type { BrokerConnection } from "../connection.js";
import type { Received } from "../mqtt-client.js";
import { OutboundQueue } from "../outbound-queue.js";
import type { TopicHandler } from "../router.js";
import type { TopicSubscription } from "../subscriptions.js";
import type { OutboundTopics } from "../topics.js";
import { Answers } from "./answers.js";
import { KnownServices, type MirrorRule } from "./known-services.js";
import { Mirrors } from "./mirrors.js";
import { Presence } from "./presence.js";

/** Messages of the mirror in any second, and those that may wait. */
export const MIRROR_RATE = { perSecond: 50, waiting: 20_000 } as const;

export interface NativeOutboundOptions {
  readonly topics: OutboundTopics;
  readonly connection: Pick<BrokerConnection, "publish"> & { readonly version: () => 4 | 5 };
  readonly presence: { readonly name: string; readonly priority: number };
  /** Empty: no mirror is written. */
  readonly rules: readonly MirrorRule[];
  /** Absent: queries are not answered. */
  readonly queries?: { readonly filter?: string };
  readonly maxPacketBytes: number;
  readonly directory: Directory;
  readonly isReachable: () => boolean;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  readonly dropped: Dropped;
  /** Which devices and kinds are ours has changed, or might have. */
  readonly onOwnersChanged: () => void;
}

export class NativeOutbound implements TopicHandler {
  readonly name = "native outbound";
  readonly filters: readonly (string | TopicSubscription)[];
  private readonly presence: Presence;
  private readonly services: KnownServices | undefined;
  private readonly mirrors: Mirrors | undefined;
  private readonly answers: Answers | undefined;
  private readonly queue: OutboundQueue;

  /** Throws a `FilterSyntaxError` if a filter is none. */
  constructor(private readonly options: NativeOutboundOptions) {
    const { topics, connection, rules, queries, maxPacketBytes, directory, random, dropped } = options;
    const { clock, timers, log } = options;
    const { version } = connection;
    this.presence = new Presence({
      ...options.presence,
      topic: topics.gateway(options.presence.name),
      ...{ clock, timers, random, log, dropped },
      announce: (payload) =>
        connection.publish(topics.gateway(options.presence.name), payload, { retain: true, qos: 1 }),
      onChange: () => {
        this.mirrors?.ownersChanged();
        options.onOwnersChanged();
      },
    });
    this.queue = new OutboundQueue({
      name: "mqtt mirror",
      publish: (topic, payload, how) => connection.publish(topic, payload, how),
      onOutcome: (topic, payload, outcome) => this.mirrors?.sent(topic, payload, outcome),
      ...{ clock, timers },
      perSecond: MIRROR_RATE.perSecond,
      limit: MIRROR_RATE.waiting,
    });
    if (rules.length > 0) {
      this.mirrors = new Mirrors({
        ...{ topics, version, maxPacketBytes, clock, timers, random, log, dropped, queue: this.queue },
        isMine: (kind) => this.presence.isMine(`kind/${kind}`),
      });
    }
    if (rules.length > 0 || queries) {
      const onChange = this.mirrors?.changed.bind(this.mirrors) ?? (() => {});
      this.services = new KnownServices({ directory, random, rules, queries, dropped, onChange });
    }
    if (queries) {
      this.answers = new Answers({
        ...{ topics, version, maxPacketBytes, clock, timers, dropped, isReachable: options.isReachable },
        publish: (topic, payload, how) => connection.publish(topic, payload, how),
        find: (filter, max, mostSteps) => this.services?.find(filter, max, mostSteps) ?? { services: [], steps: 0 },
        isMine: (device) => this.isMine(device),
      });
    }
    this.filters = [
      topics.gateways, // our own will shall be heard: it belongs to a connection that is over
      ...(this.mirrors ? [{ filter: topics.mirrors, noLocal: true }] : []),
      ...(queries ? [topics.queries] : []),
    ];
  }

  /** What the broker says of this gateway when its connection is lost. */
  get will(): Will {
    const { topics, presence } = this.options;
    return { topic: topics.gateway(presence.name), payload: "0", retain: true, qos: 1 };
  }

  /** Whether this gateway publishes the device, answers it and clears what it left behind. */
  isMine(device: string): boolean {
    return this.presence.isMine(`dev/${device}`);
  }

  get counts(): Readonly<Record<string, number>> {
    return {
      gateways: this.presence.size,
      ...(this.services ? { findable: this.services.size } : {}),
      ...(this.mirrors ? { mirrored: this.mirrors.size, queued: this.queue.size } : {}),
      ...(this.answers ? { answered: this.answers.answered } : {}),
    };
  }

  get lastError(): { readonly text: string; readonly unixSeconds: number } | undefined {
    return this.presence.lastError;
  }

  /** Throws if a subscription limit of the directory is reached. */
  start(): void {
    this.services?.start();
  }

  heard(topic: string, payload: Uint8Array, retained: boolean, received: Received): void {
    const { topics, dropped } = this.options;
    const gateway = topics.parseGateway(topic);
    const device = topics.parseQuery(topic);
    if (gateway !== undefined) this.presence.heard(gateway, payload, retained);
    else if (device !== undefined) this.answers?.asked(device, payload, received);
    else if (topics.parseMirror(topic)) this.mirrors?.heard(topic, payload, retained);
    else dropped.add("topic-malformed");
  }

  brokerBack(): void {
    this.presence.brokerBack();
    this.mirrors?.brokerBack();
  }

  brokerLost(): void {
    this.presence.brokerLost();
    this.mirrors?.brokerLost();
    this.answers?.brokerLost();
  }

  /** Tells the others that they are to take over; the connection is still there. */
  leave(): void {
    this.presence.leave();
  }

  stop(): void {
    this.services?.stop();
    this.presence.stop();
    this.mirrors?.stop();
    this.answers?.stop();
    this.queue.clear();
  }
}
