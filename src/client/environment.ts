/** The PAF_* variables as settings (libpaf-client.md, 4). Read anew where the table there says so: that costs nothing. */

import { parseCFloat } from "./c-float.js";
import { LONGEST_DELAY_SECONDS } from "./longest-delay.js";

export interface EnvironmentSettings {
  readonly domainsDirectory: string;
  /** Zero: no rescan. */
  readonly rescanSeconds: number;
  /** 0.001 or more: an attempt that fails at once must not be repeated at once for ever. */
  readonly reconnectMinSeconds: number;
  /** Not below `reconnectMinSeconds`. */
  readonly reconnectMaxSeconds: number;
  /** 1 or more. */
  readonly idleMinSeconds: number;
  /** Not below `idleMinSeconds`. */
  readonly idleMaxSeconds: number;
  /** A whole number of 0 or more. */
  readonly ttlSeconds: number;
  readonly debug: boolean;
}

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_DOMAINS_DIRECTORY = "/run/paf/domains.d";
const DEFAULT_TTL_SECONDS = 30;
const SHORTEST_RECONNECT_SECONDS = 0.001;
const SHORTEST_IDLE_SECONDS = 1;

/** A text that is no number, or NaN, is ignored in favour of the default. */
function seconds(text: string | undefined, fallback: number): number {
  const value = text === undefined ? undefined : parseCFloat(text);
  return value === undefined || Number.isNaN(value) ? fallback : value;
}

/** Longer times than a timer can wait, also infinite ones, count as that. */
function bounded(value: number, atLeast: number, atMost = LONGEST_DELAY_SECONDS): number {
  return Math.min(Math.max(value, atLeast), atMost);
}

/** A fraction is cut off, but not down to 0. What is negative is no TTL: the default. */
function ttl(text: string | undefined): number {
  const value = seconds(text, DEFAULT_TTL_SECONDS);
  if (value < 0) return DEFAULT_TTL_SECONDS;
  return value > 0 && value < 1 ? 1 : bounded(Math.trunc(value), 0, Number.MAX_SAFE_INTEGER);
}

/** Never throws: what is not understood is as if it were not there. */
export function readEnvironment(env: Environment): EnvironmentSettings {
  const reconnectMinSeconds = bounded(seconds(env.PAF_RECONNECT_MIN, 0.01), SHORTEST_RECONNECT_SECONDS);
  const idleMinSeconds = bounded(seconds(env.PAF_IDLE_MIN, 4), SHORTEST_IDLE_SECONDS);
  return {
    domainsDirectory: env.PAF_DOMAINS ?? DEFAULT_DOMAINS_DIRECTORY,
    rescanSeconds: bounded(seconds(env.PAF_RESCAN, 5), 0),
    reconnectMinSeconds,
    reconnectMaxSeconds: bounded(seconds(env.PAF_RECONNECT_MAX, 5), reconnectMinSeconds),
    idleMinSeconds,
    idleMaxSeconds: bounded(seconds(env.PAF_IDLE_MAX, 30), idleMinSeconds),
    ttlSeconds: ttl(env.PAF_TTL),
    debug: env.PAF_DEBUG === "1" || env.PAF_DEBUG === "true",
  };
}
