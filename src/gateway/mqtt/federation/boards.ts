/** What a board of a federation can be, what can happen to it, and what follows, as a table; imports.ts carries it out. */

export type BoardPhase =
  /** Services of it were heard, but not that it is there: they are not shown. */
  | "unknown"
  /** It is there, and has not told everything yet. */
  | "arriving"
  /** It is there. What it does not tell does not exist. */
  | "present"
  /** It said (or the broker says for it) that it is gone, or we cannot hear it; it may be back in a moment. */
  | "grace"
  /** Its services are orphans: they last as long as their TTL. */
  | "gone";

export type BoardInput =
  | "says-arriving"
  | "says-complete"
  /** Its will, or an empty presence. */
  | "says-gone"
  /** Nothing new was heard of it for several of its heartbeats, although we did hear our broker. */
  | "silent"
  /** Our connection to the broker was lost. */
  | "broker-lost"
  /** The time that an `await-…` effect set has come. */
  | "deadline";

export type BoardEffect =
  /** Shows its services, and those that it tells. */
  | "show"
  /** What it has not told (again) is withdrawn after the settle time. */
  | "await-settled"
  /** The same, unless a settle time runs already: a board whose number of services keeps changing shall not put it off. */
  | "await-settled-too"
  | "sweep"
  | "await-return"
  | "orphan"
  /** Forgets it, and lets a live board remove what the broker keeps of it. */
  | "await-forget"
  | "forget"
  | "stop-timer";

interface Transition {
  readonly next: BoardPhase;
  readonly effects: readonly BoardEffect[];
}

const to = (next: BoardPhase, ...effects: BoardEffect[]): Transition => ({ next, effects });

const ARRIVING = to("arriving", "stop-timer", "show");
const PRESENT = to("present", "show", "await-settled");
const LOST = to("grace", "await-return");
const OVER = to("gone", "orphan", "await-forget");

/** A pair that is missing changes nothing. */
export const BOARD: { readonly [phase in BoardPhase]: { readonly [input in BoardInput]?: Transition } } = {
  unknown: {
    "says-arriving": ARRIVING,
    "says-complete": PRESENT,
    "says-gone": to("gone", "await-forget"),
    deadline: to("unknown", "forget"),
  },
  arriving: { "says-complete": to("present", "await-settled"), "says-gone": LOST, "broker-lost": LOST, silent: OVER },
  present: {
    "says-arriving": to("arriving", "stop-timer"),
    "says-complete": to("present", "await-settled-too"),
    "says-gone": LOST,
    "broker-lost": LOST,
    silent: OVER,
    deadline: to("present", "sweep"),
  },
  grace: {
    "says-arriving": ARRIVING,
    "says-complete": PRESENT,
    deadline: OVER,
  },
  gone: { "says-arriving": ARRIVING, "says-complete": PRESENT, deadline: to("gone", "forget") },
};
