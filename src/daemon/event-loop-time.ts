/** The daemon's time is that of the client library: one clock and one native timer per process. */

export { eventLoopTimers, systemClock } from "../client/event-loop.js";
export { LONGEST_DELAY_MS } from "../client/longest-delay.js";
