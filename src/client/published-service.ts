/** A service of this process, and the handle to it. */

import type { Service } from "../core/directory-access.js";
import { type Properties, sameProperties } from "../core/properties.js";
import { UINT63_MAX } from "../core/uint63.js";
import { DomainClosedError, ServiceUnpublishedError } from "./errors.js";
import { type PropertiesInput, toServiceProperties } from "./service-properties.js";

export interface PublishedService {
  /** Random, of 63 bits. */
  readonly id: bigint;
  /** Rises by one with each change; starts at 0. */
  readonly generation: bigint;
  readonly properties: Properties;
  readonly ttlSeconds: bigint;
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
}

export class LocalService implements PublishedService {
  private gone = false;

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
    this.publisher.withdrawn(this.service);
  }

  private mustExist(): void {
    if (this.publisher.isClosed) throw new DomainClosedError();
    if (this.gone) throw new ServiceUnpublishedError(this.id);
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
