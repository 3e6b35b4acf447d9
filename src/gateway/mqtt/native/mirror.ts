/** One mirror: what the broker is known to keep in its topic, and how that compares with what it should. */

import type { PublishOptions } from "../publish-size.js";
import type { KnownService } from "./known-services.js";

/** MQTT 5: a mirror that nobody renews goes after twice the TTL, but not before this. */
const LEAST_EXPIRY_SECONDS = 120;
const MOST_EXPIRY_SECONDS = 2 ** 31;

/** What is sent of one topic before the first of it comes back. */
const MAX_ECHOES = 8;

export interface Mirror {
  readonly topic: string;
  readonly kind: string;
  readonly id: string;
  service?: KnownService;
  /** There was a service, which has gone while we were looking. */
  gone: boolean;
  /** What the broker keeps, as far as was heard or sent; absent: nothing. */
  kept?: string;
  /** What waits in the queue. */
  queued?: string;
  /** When `kept` was last sent, for renewing it. */
  sentMs: number;
  /** MQTT 3.1.1: what we sent and have not heard back yet. */
  echoes?: string[];
}

/** The broker keeps this now; empty: nothing. */
export function keeps(mirror: Mirror, payload: string): void {
  if (payload === "") delete mirror.kept;
  else mirror.kept = payload;
}

export function mirrorOptions(mirror: Mirror, payload: string, version: 4 | 5): PublishOptions {
  if (version === 4 || payload === "") return { retain: true };
  return { retain: true, messageExpirySeconds: expirySeconds(mirror) };
}

export function expirySeconds({ service }: Mirror): number {
  const twice = 2n * (service?.state.ttlSeconds ?? 0n);
  return Number(clamp(twice, BigInt(LEAST_EXPIRY_SECONDS), BigInt(MOST_EXPIRY_SECONDS)));
}

/** MQTT 3.1.1: what was sent will come back. */
export function expectEcho(mirror: Mirror, payload: string): void {
  mirror.echoes = [...(mirror.echoes ?? []), payload].slice(-MAX_ECHOES);
}

/**
 * Whether the broker keeps this, or the same in a later generation: gateways with directories of their own count
 * differently, and must not correct each other while one takes over from the other.
 */
export function isKept({ kept = "" }: Mirror, payload: string): boolean {
  if (kept === payload) return true;
  const [there, here] = [kept, payload].map((text) => /^([0-9]{1,19})(;.*)$/s.exec(text));
  return there?.[2] !== undefined && there[2] === here?.[2] && BigInt(there[1]) >= BigInt(here[1]);
}

/** Whether this is what we sent ourselves, and whatever came before it. */
export function isEcho(mirror: Mirror, text: string): boolean {
  const at = mirror.echoes?.indexOf(text) ?? -1;
  if (at < 0) return false;
  mirror.echoes?.splice(0, at + 1);
  return true;
}

function clamp(value: bigint, least: bigint, most: bigint): bigint {
  return value < least ? least : value > most ? most : value;
}
