/** A match as the application gets it: easy to ask, and to log. */

import type { Properties, PropertyValue } from "../core/properties.js";
import type { MergedMatch } from "./match-merge.js";

/** Properties as JSON has them: an integer that a JSON reader may not hold exactly (beyond ±2^53) is a decimal text. */
export type JsonProperties = Readonly<Record<string, readonly (string | number)[]>>;

/** A match for JSON, as `pafc --json` writes it: ids are hexadecimal. */
export interface JsonMatch {
  readonly type: "appeared" | "modified" | "disappeared";
  readonly service: { readonly id: string; readonly properties?: JsonProperties };
}

/** A service that is there, and its properties as they are now. */
export interface MatchedService {
  readonly serviceId: bigint;
  readonly properties: Properties;
  /** The first value of a property, in no particular order if there are several; `undefined` if it has none. */
  first(name: string): PropertyValue | undefined;
}

/** A service has appeared, or was changed. */
export interface ServicePresent extends MatchedService {
  readonly type: "appeared" | "modified";
  /** For `JSON.stringify`, which can not write a `bigint` or a `Map`. */
  toJSON(): JsonMatch;
}

/** A service has gone. */
export interface ServiceGone {
  readonly type: "disappeared";
  readonly serviceId: bigint;
  /** For `JSON.stringify`, which can not write a `bigint`. */
  toJSON(): JsonMatch;
}

/** What an application is told of a service. */
export type DomainMatch = ServicePresent | ServiceGone;

class Present implements ServicePresent {
  constructor(
    readonly type: "appeared" | "modified",
    readonly serviceId: bigint,
    readonly properties: Properties,
  ) {}

  first(name: string): PropertyValue | undefined {
    return this.properties.get(name)?.[0];
  }

  toJSON(): JsonMatch {
    const { type, serviceId, properties } = this;
    return { type, service: { id: serviceId.toString(16), properties: jsonProperties(properties) } };
  }
}

class Gone implements ServiceGone {
  readonly type = "disappeared";
  constructor(readonly serviceId: bigint) {}

  toJSON(): JsonMatch {
    return { type: this.type, service: { id: this.serviceId.toString(16) } };
  }
}

export function domainMatch(match: MergedMatch): DomainMatch {
  if (match.type === "disappeared") return new Gone(match.serviceId);
  return new Present(match.type, match.serviceId, match.properties);
}

/** The properties as a plain object that `JSON.stringify` can write. */
export function jsonProperties(properties: Properties): JsonProperties {
  return Object.fromEntries([...properties].map(([name, values]) => [name, values.map(jsonValue)]));
}

function jsonValue(value: PropertyValue): string | number {
  if (typeof value === "string") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}
