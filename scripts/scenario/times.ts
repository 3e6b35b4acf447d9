/**
 * The limits that servers and clients of a scenario are given, and the times that follow from them (libpaf-client.md 5, 7
 * and 8, pathfinder-protocol.md 9). All in milliseconds unless the name says seconds.
 */

/** Idle limits of both sides, in seconds. The lower one is the client's limit for connecting and hello as well. */
export const IDLE_SECONDS = { min: 1, max: 3 };
export const RECONNECT_MAX_SECONDS = 0.5;
export const RESCAN_SECONDS = 0.5;
/** Of the services: never below the lower one, so that a loss of milliseconds can not matter. */
export const TTL_SECONDS = { min: 3, max: 6 };

/** How long a client remembers that something has gone (libpaf-client.md, 7.4). */
export const REMEMBERED = 30_000;

/** What processes that share few cores with others may lose anywhere. */
const SLACK = 2500;

/** A client that waits for a server that says nothing would stand still for longer. */
export const LONGEST_STALL = SLACK;

/** From a change to its arrival at a consumer over a server that both are connected to. */
export const PROPAGATION = SLACK;
/** A TTL is told in whole seconds, and orphan times cross two processes' clocks. */
export const TTL_TOLERANCE = 1000;
/** The query comes after at most 0.55 of the longest idle time and 0.1 s, the answer may take 0.5 of it. */
export const SILENCE_NOTICED = 1.05 * IDLE_SECONDS.max * 1000 + 100;
/** From the end of a silence until whoever says that there is a connection is right: what was lost in it is noticed. */
export const SILENCE_KNOWN = SILENCE_NOTICED + 1000;
/** The period is drawn once, up to half longer. */
export const RESCAN_MAX = 1.5 * RESCAN_SECONDS * 1000;
/**
 * From the end of a trouble between a client and a server until everything the client has is there again: it notices that
 * the connection is dead; an attempt that began before takes its whole limit; it waits; the server still keeps the old
 * connection and asks it (half of the idle time); it waits once more.
 */
export const RECOVERY =
  SILENCE_NOTICED +
  IDLE_SECONDS.min * 1000 +
  RECONNECT_MAX_SECONDS * 1000 +
  0.5 * IDLE_SECONDS.max * 1000 +
  RECONNECT_MAX_SECONDS * 1000 +
  SLACK;

/**
 * How long a withdrawn service with this TTL may still be shown if no server stood still meanwhile: a server may notice late
 * that it lost the producer, a consumer may notice late that it lost that server, and the TTL begins then.
 */
export const lingers = (ttlSeconds: number): number => 2 * SILENCE_NOTICED + ttlSeconds * 1000 + PROPAGATION;

/** From the last fault until every consumer shows exactly what is published. */
export const CONVERGENCE = Math.max(RECOVERY, lingers(TTL_SECONDS.max));

/** Absolute and the same in all processes of this machine. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** For the client library (libpaf-client.md 4). */
export const CLIENT_ENVIRONMENT: Readonly<Record<string, string>> = {
  PAF_RESCAN: String(RESCAN_SECONDS),
  PAF_RECONNECT_MIN: "0.01",
  PAF_RECONNECT_MAX: String(RECONNECT_MAX_SECONDS),
  PAF_IDLE_MIN: String(IDLE_SECONDS.min),
  PAF_IDLE_MAX: String(IDLE_SECONDS.max),
};
