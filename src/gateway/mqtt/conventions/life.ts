/**
 * What an announcement can be, what can happen to it, and what follows: part D.5 for conventions whose devices tell their
 * presence in topics of their own, or not at all. sightings.ts carries it out.
 *
 * It differs from the native convention (device-states.ts) where foreign devices do: what they announce is said once and
 * kept by the broker, nothing renews it, and a will that the broker keeps is as good as a live one.
 */

export type Phase =
  /** Nothing is known; what becomes this is forgotten. */
  | "new"
  /** Only a presence was heard; there is nothing to show yet. */
  | "up-unannounced"
  | "down-unannounced"
  /** Not shown yet: announced, but what the broker keeps of its presence may still be on its way. */
  | "unsettled"
  /** Shown. Heard live, or its presence says that it is there. */
  | "present"
  /** Shown. Taken from a message of unknown age that the broker kept, and no presence is known. */
  | "provisional"
  /** Shown. Its will was heard; it may be back in a moment. */
  | "grace"
  /** Not shown: its presence says that it is not there. */
  | "gone"
  /** Not shown: silent for too long. */
  | "expired";

export type Input =
  /** An announcement, heard live. */
  | "announced"
  /** An announcement that the broker kept: as it was already known, or telling something else. */
  | "replayed"
  | "replayed-changed"
  /** An announcement of one that is not shown, while the broker may still replay its presence. */
  | "announced-early"
  /** The announcement was withdrawn. */
  | "cleared"
  /** The presence: heard live, or kept by the broker. A kept "down" is as good as a live one. */
  | "up"
  | "up-replayed"
  | "down"
  /** There is no presence (any more). */
  | "unknown"
  /** It said something else, live. */
  | "alive"
  /** The time that an `await-…` effect set has come. */
  | "deadline";

export type Effect =
  /** Tells the devices what was announced, of a device that is there, or is not. */
  | "show"
  | "hide"
  /** The announcement is no more. */
  | "forget"
  /** Waits for what the broker keeps of its presence; then it is `announced` or `replayed-changed`, as it was heard. */
  | "await-replay"
  /** Sets the deadline: how long it may be silent; 600 s; the grace; 1 h. */
  | "await-silence"
  | "await-confirmation"
  | "await-return"
  | "await-forget"
  | "await-nothing";

export interface Transition {
  readonly next: Phase;
  readonly effects: readonly Effect[];
}

export type Transitions = { readonly [input in Input]: Transition };

const to = (next: Phase, ...effects: Effect[]): Transition => ({ next, effects });

const LIVE = to("present", "show", "await-silence");
const EARLY = to("unsettled", "await-replay", "hide");
const ADOPTED = to("provisional", "show", "await-confirmation");
const GRACE = to("grace", "await-return");
const GONE = to("gone", "hide", "await-nothing");
const FORGOTTEN = to("new", "forget");

const unannounced = (same: Phase, announced: Transition, replayed: Transition, early = EARLY): Transitions => ({
  "announced-early": early,
  announced,
  replayed,
  "replayed-changed": replayed,
  cleared: to(same),
  up: to("up-unannounced", "await-forget"),
  "up-replayed": to("up-unannounced", "await-forget"),
  down: to("down-unannounced", "await-forget"),
  unknown: to("new"),
  alive: to(same),
  deadline: to("new"),
});

export const LIFE: { readonly [phase in Phase]: Transitions } = {
  new: unannounced("new", LIVE, ADOPTED),
  "up-unannounced": unannounced("up-unannounced", LIVE, LIVE, LIVE),
  // some announce what is not there: Zigbee2MQTT tells Home Assistant of each device when it starts
  "down-unannounced": unannounced("down-unannounced", GONE, GONE, GONE),
  unsettled: {
    "announced-early": to("unsettled", "hide"),
    announced: LIVE,
    replayed: ADOPTED,
    "replayed-changed": ADOPTED,
    cleared: FORGOTTEN,
    up: LIVE,
    "up-replayed": LIVE,
    down: GONE, // it was never shown
    unknown: to("unsettled"),
    alive: LIVE,
    deadline: to("unsettled"),
  },
  present: {
    "announced-early": to("present"),
    announced: LIVE,
    replayed: to("present", "show"),
    "replayed-changed": to("present", "show"),
    cleared: FORGOTTEN,
    up: LIVE,
    "up-replayed": to("present", "show"),
    down: GRACE,
    unknown: LIVE,
    alive: LIVE,
    deadline: to("expired", "hide", "await-nothing"),
  },
  provisional: {
    "announced-early": to("provisional"),
    announced: LIVE,
    replayed: to("provisional", "show"), // says nothing about its age
    "replayed-changed": ADOPTED,
    cleared: FORGOTTEN,
    up: LIVE,
    "up-replayed": LIVE,
    down: GRACE,
    unknown: to("provisional"),
    alive: LIVE,
    deadline: to("expired", "hide", "await-nothing"),
  },
  grace: {
    "announced-early": to("grace"),
    announced: to("grace", "show"),
    replayed: to("grace", "show"),
    "replayed-changed": to("grace", "show"),
    cleared: FORGOTTEN,
    up: LIVE,
    "up-replayed": LIVE,
    down: to("grace"),
    unknown: LIVE,
    alive: to("grace"),
    deadline: GONE,
  },
  gone: {
    "announced-early": to("gone"),
    announced: to("gone", "hide"),
    replayed: to("gone", "hide"),
    "replayed-changed": to("gone", "hide"),
    cleared: FORGOTTEN,
    up: LIVE,
    "up-replayed": LIVE,
    down: to("gone"),
    unknown: ADOPTED,
    alive: to("gone"),
    deadline: to("gone"),
  },
  expired: {
    "announced-early": EARLY,
    announced: LIVE,
    replayed: to("expired", "hide"),
    "replayed-changed": ADOPTED, // the broker heard it while we were not there
    cleared: FORGOTTEN,
    up: LIVE,
    "up-replayed": LIVE, // it was said while we were not there
    down: GONE,
    unknown: to("expired"),
    alive: LIVE,
    deadline: to("expired"),
  },
};

/** The phases in which the device is shown. */
export const SHOWN: ReadonlySet<Phase> = new Set(["present", "provisional", "grace"]);
