/** What may be set of an mDNS gateway, and what a mistake in it says. */

import { NameError } from "./names.js";
import type { PublishRule } from "./responder/publish-rule.js";
import { type BrowseName, parseBrowseName } from "./service-names.js";

/** All have defaults but `types`; what each limit does when it is reached is in docs/mdns.md. */
export interface MdnsGatewayOptions {
  /** Service types such as `_http._tcp` (or subtypes: `_printer._sub._http._tcp`), or whatever the link offers. */
  readonly types: readonly string[] | "all";
  /** Part of each service's id and of its `src`. Gateways on one link should use one scope. Default: `local`. */
  readonly scope?: string | undefined;
  /** Names of the interfaces to use. Default: all but loopback. They may come later. */
  readonly interfaces?: readonly string[] | undefined;
  /**
   * How often to look for interfaces that came or went, where the system does not tell (`MdnsEnvironment`). A link that
   * broke is tried again after this time, then after twice as long, and so on up to 64 times. Default: 5.
   */
  readonly interfacePollSeconds?: number | undefined;
  /** Default: 4500. */
  readonly maxTtlSeconds?: number | undefined;
  /** Instances per interface, and services in the directory. Default: 4096. */
  readonly maxInstances?: number | undefined;
  /** Learnt types per interface, if `types` is "all". Default: 256. */
  readonly maxTypes?: number | undefined;
  /** Default: four times `maxInstances`. */
  readonly maxRecordsPerInterface?: number | undefined;
  /** Records from one source address. Default: 2048; a host has three for each service, and some for itself. */
  readonly maxRecordsPerHost?: number | undefined;
  /** What of the directory is published. Default: nothing. */
  readonly publish?: readonly PublishRule[] | undefined;
  /** Names this gateway in what it publishes; its host is `pf-NAME.local`. Default: the machine's host name. */
  readonly gatewayName?: string | undefined;
  /** Services published at most. Default: 512. */
  readonly maxPublished?: number | undefined;
  /** Where the names are kept that were taken because somebody else had the wanted ones. Default: in memory only. */
  readonly namesFile?: string | undefined;
}

export class MdnsOptionError extends Error {}

/** The name to browse for, of the `i`th of `types`. */
export function browseOption(type: string, i: number): BrowseName {
  try {
    return parseBrowseName(type);
  } catch (error) {
    if (error instanceof NameError) throw new MdnsOptionError(`types[${i}]: ${error.message}`);
    throw error;
  }
}

/** A limit: the value, or the preset if there is none. */
export function positive(name: string, value: number | undefined, preset: number): number {
  if (value === undefined) return preset;
  if (Number.isFinite(value) && value > 0) return value;
  throw new MdnsOptionError(`${name}: ${value} is not a number above 0`);
}
