/** What the gateway tests look through: a directory that remembers every change, a fast clock, a log that is kept. */

import type { Clock, Timers } from "../../../src/core/clock.js";
import type { Directory, Service, ServiceState, Subscription } from "../../../src/core/directory-access.js";
import type { PublishOutcome, UnpublishOutcome } from "../../../src/core/fail-reason.js";
import type { Logger, LogLevel } from "../../../src/core/log.js";
import { sameProperties } from "../../../src/core/properties.js";

/** Keeps the directory's rules of generations; orphans stay for ever. */
export class RecordingDirectory implements Directory {
  readonly clientId = 1n;
  readonly services = new Map<bigint, ServiceState>();
  /** `appeared <device>`, `modified …`, `disappeared …`, `orphaned …`, in order. */
  readonly history: string[] = [];
  private readonly waiting = new Set<() => void>();

  async publish(service: Service): Promise<PublishOutcome> {
    const before = this.services.get(service.id);
    if (before && before.generation > service.generation) return "old-generation";
    if (before && before.generation === service.generation) {
      const same = before.ttlSeconds === service.ttlSeconds && sameProperties(before.properties, service.properties);
      if (!same) return "same-generation-but-different";
      if (before.orphanSince === undefined) return "ok";
    }
    this.services.set(service.id, { ...service, owner: 1n });
    this.changed(before ? "modified" : "appeared", service);
    return "ok";
  }

  async unpublish(serviceId: bigint): Promise<UnpublishOutcome> {
    const before = this.services.get(serviceId);
    if (!before) return "non-existent-service-id";
    this.services.delete(serviceId);
    this.changed("disappeared", before);
    return "ok";
  }

  async orphan(serviceId: bigint): Promise<void> {
    const before = this.services.get(serviceId);
    if (!before) return;
    this.services.set(serviceId, { ...before, orphanSince: 1 });
    this.changed("orphaned", before);
  }

  async find(serviceId: bigint): Promise<ServiceState | undefined> {
    return this.services.get(serviceId);
  }

  subscribe(): Subscription {
    throw new Error("the gateway has no reason to subscribe");
  }

  device(name: string): ServiceState | undefined {
    return [...this.services.values()].find(({ properties }) => properties.get("mqtt.device")?.[0] === name);
  }

  /** Waits until `condition` holds; it is looked at after every change. */
  async until(what: string, condition: () => boolean, limitMs = 20_000): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (condition()) over(resolve);
      };
      const limit = setTimeout(
        () => over(() => reject(new Error(`not within ${limitMs} ms: ${what}; ${this.history.slice(-20).join(", ")}`))),
        limitMs,
      );
      const over = (then: () => void) => {
        clearTimeout(limit);
        this.waiting.delete(look);
        then();
      };
      this.waiting.add(look);
    });
  }

  /** Lets waiting tests look again; the log calls it, too. */
  look(): void {
    for (const look of [...this.waiting]) look();
  }

  private changed(what: string, { properties }: Service): void {
    this.history.push(`${what} ${properties.get("mqtt.device")?.[0]}`);
    this.look();
  }
}

/** Real time, but `factor` times as fast. */
export class FastClock implements Clock, Timers {
  private readonly begin = performance.now();

  constructor(private readonly factor: number) {}

  monotonicMs(): number {
    return (performance.now() - this.begin) * this.factor;
  }

  unixSeconds(): number {
    return Date.now() / 1000;
  }

  after(_name: string, delayMs: number, fire: () => void) {
    const timer = setTimeout(fire, Math.max(0, delayMs) / this.factor);
    return { cancel: () => clearTimeout(timer) };
  }
}

export interface KeptLog extends Logger {
  readonly lines: string[];
  count(pattern: RegExp): number;
}

/** Keeps everything above `debug`, as `level text`. */
export function keptLog(onLine: () => void = () => {}): KeptLog {
  const lines: string[] = [];
  const keep = (level: LogLevel) => (text: () => string) => {
    lines.push(`${level} ${text()}`);
    onLine();
  };
  return {
    lines,
    count: (pattern) => lines.filter((line) => pattern.test(line)).length,
    debug() {},
    info: keep("info"),
    warning: keep("warning"),
    error: keep("error"),
  };
}
