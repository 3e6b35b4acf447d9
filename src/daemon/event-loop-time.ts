/** The daemon's time is that of the client library: one clock and one native timer per process. */

export { eventLoopTimers, LONGEST_DELAY_MS, systemClock } from "../client/event-loop.js";
