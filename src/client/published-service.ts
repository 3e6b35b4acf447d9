/** A service of this process, and the handle to it. */

import type { Service } from "../core/directory-access.js";
import { type Properties, sameProperties } from "../core/properties.js";
import { UINT63_MAX } from "../core/uint63.js";
import { checkCount, checkOptions, checkSignal } from "./argument-checks.js";
import type { WaitOptions } from "./domain.js";
import { DomainClosedError, ServiceUnpublishedError } from "./errors.js";
import { ignorable, PendingConditions } from "./pending-conditions.js";
import { type PropertiesInput, toServiceProperties } from "./service-properties.js";

/** How a service stands at one server. */
export interface ServerPublication {
  /** Of the server. */
  readonly address: string;
  /**
   * `published`: the server has the service as it is now. `refused`: it refused to take it, and is asked again. `pending`:
   * it has not answered yet, or there is no connection to it.
   */
  readonly state: "pending" | "published" | "refused";
  /** Refused: a `RequestError` with the server's reason. */
  readonly error?: Error;
}

/** A service of this process. It stands on every server, now and after every reconnect, until it is unpublished. */
export interface PublishedService {
  /** Random, of 63 bits. */
  readonly id: bigint;
  /** Rises by one with each change; starts at 0. */
  readonly generation: bigint;
  readonly properties: Properties;
  readonly ttlSeconds: bigint;
  /** How it stands at each server of the domain; empty once it was unpublished or the domain was left. */
  readonly servers: readonly ServerPublication[];
  /**
   * Resolves when at least so many servers (default: 1) have the service as it is then. Servers that refuse it may yet
   * take it, so they do not make this reject: see `servers`, or `onRefused` of `attach`. Rejects with the signal's
   * reason, a `ServiceUnpublishedError` or a `DomainClosedError`; a rejection that nobody looks at harms nobody.
   */
  published(options?: WaitOptions): Promise<void>;
  /**
   * Replaces all properties; no effect if they are equal. Throws what `publish` throws, and a `ServiceUnpublishedError`
   * or `DomainClosedError` when there is nothing to change any more.
   */
  modify(properties: PropertiesInput): void;
  /** How long the service outlives this process, in whole seconds, 0 … 2^63-1. */
  setTtl(seconds: number | bigint): void;
  /** Takes the service back. Twice is harmless. */
  unpublish(): void;
}

/** What a handle needs of its domain. */
export interface Publisher {
  readonly isClosed: boolean;
  changed(service: Service, before: Service): void;
  withdrawn(service: Service): void;
  /** One per server. */
  publications(serviceId: bigint): readonly ServerPublication[];
}

export class LocalService implements PublishedService {
  private gone = false;
  /** Made when somebody waits. */
  private conditions: PendingConditions | undefined;

  constructor(
    private readonly publisher: Publisher,
    private service: Service,
  ) {}

  /** Its state now; another object after each change. */
  get current(): Service {
    return this.service;
  }

  get id(): bigint {
    return this.service.id;
  }

  get generation(): bigint {
    return this.service.generation;
  }

  get properties(): Properties {
    return this.service.properties;
  }

  get ttlSeconds(): bigint {
    return this.service.ttlSeconds;
  }

  modify(input: PropertiesInput): void {
    this.mustExist();
    const properties = toServiceProperties(input);
    if (!sameProperties(properties, this.service.properties)) this.change({ properties });
  }

  setTtl(seconds: number | bigint): void {
    this.mustExist();
    const ttlSeconds = toTtl(seconds);
    if (ttlSeconds !== this.service.ttlSeconds) this.change({ ttlSeconds });
  }

  unpublish(): void {
    if (this.gone || this.publisher.isClosed) return;
    this.gone = true;
    this.conditions?.fail(new ServiceUnpublishedError(this.id));
    this.publisher.withdrawn(this.service);
  }

  get servers(): readonly ServerPublication[] {
    return this.gone || this.publisher.isClosed ? [] : this.publisher.publications(this.id);
  }

  published(options?: WaitOptions): Promise<void> {
    const { servers = 1, signal } = checkOptions("published(): options", options);
    checkCount("published(): servers", servers);
    checkSignal("published(): signal", signal);
    const gone = this.whyGone();
    if (gone) return ignorable(Promise.reject(gone));
    this.conditions ??= new PendingConditions();
    const isPublished = () => this.servers.filter(({ state }) => state === "published").length >= servers;
    return this.conditions.until(isPublished, signal);
  }

  /** A server has it: somebody may have waited for that. */
  look(): void {
    this.conditions?.look();
  }

  /** The domain is left. */
  left(): void {
    this.conditions?.fail(new DomainClosedError());
  }

  private mustExist(): void {
    const gone = this.whyGone();
    if (gone) throw gone;
  }

  private whyGone(): Error | undefined {
    if (this.publisher.isClosed) return new DomainClosedError();
    return this.gone ? new ServiceUnpublishedError(this.id) : undefined;
  }

  private change(to: Partial<Service>): void {
    const before = this.service;
    this.service = { ...before, ...to, generation: before.generation + 1n };
    this.publisher.changed(this.service, before);
  }
}

/** Throws a `RangeError` unless it is a whole number of seconds, 0 … 2^63-1. */
export function toTtl(seconds: number | bigint): bigint {
  const isWhole = typeof seconds === "bigint" || Number.isSafeInteger(seconds);
  if (!isWhole || seconds < 0 || seconds > UINT63_MAX) {
    throw new RangeError(`TTL ${seconds} is no whole number of seconds (0 to ${UINT63_MAX} accepted)`);
  }
  return BigInt(seconds);
}
