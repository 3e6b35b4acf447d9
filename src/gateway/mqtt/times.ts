/** The times of part D.5, and those of the connection to the broker. */

export const TIMES = {
  /** From a will to the loss of the service: a take-over or reconnect gives `0`, then `1`. */
  graceMs: 10_000,
  /** A replayed announcement must be confirmed within the lesser of its TTL and this. */
  provisionalMs: 600_000,
  /** After the broker came back: devices spread their reconnects over 30 s. */
  settleMs: 30_000,
  /** A sleeper is given this much of the time it announced. */
  sleepFactor: 1.5,
  /** Leftovers are cleared after so many TTLs, but not before `leastRememberedMs`. */
  clearFactor: 4,
  leastRememberedMs: 3_600_000,
  /** A timer this late shows that the whole process stood still. */
  stalledMs: 5_000,

  /** Before a gateway acts at all: what the broker keeps is being heard (D.7). */
  listenMs: 3_000,
  /** From a gateway's coming or going to the change of who acts: a random time in between (D.7). */
  leastTakeoverMs: 2_000,
  mostTakeoverMs: 5_000,
  /** Who no longer acts for a device gives it up so long after: the new one has published it by then. */
  handOverMs: 10_000,
  /** After a change of who acts: others notice it up to 3 s later than we, and give back `handOverMs` after that. */
  reassertMs: 15_000,
  /** What we said of ourselves comes back to us within this. */
  ownEchoMs: 10_000,
  /** The least time between two announcements of a gateway. */
  reannounceMs: 1_000,
  /** Between two replies (D.4). */
  replyMs: 20,

  /** Between attempts to connect: doubling from the first to the last, then half to all of it by chance. */
  firstRetryMs: 1_000,
  lastRetryMs: 60_000,
  /** A connection that lasted this long was a good one: the next retry is the first one again. */
  stableMs: 30_000,
  /** From the begin of an attempt to the broker's answer to CONNECT. */
  connectMs: 20_000,
  /** For the broker's answer to a subscription; then the next one is asked for all the same. */
  answerMs: 20_000,
  /** For leaving in order when the gateway stops. */
  disconnectMs: 2_000,
} as const;
