/**
 * What a device can be, what can happen to it, and what follows: the life of one device (part D.5) as a table.
 * devices.ts carries it out.
 */

export type Phase =
  /** Nothing is known; a device that becomes this is forgotten. */
  | "new"
  /** Only a state was heard; there is nothing to publish yet. */
  | "up-unannounced"
  | "down-unannounced"
  | "asleep-unannounced"
  /** Published. Heard live, and not yet too long ago. */
  | "present"
  /** Published. Taken from a message of unknown age that the broker kept. */
  | "provisional"
  /** Published. Said how long it would sleep. */
  | "asleep"
  /** Published. Its will was heard; it may be back in a moment (take-over and reconnect give `0`, then `1`). */
  | "grace"
  /** In the directory as an orphan, until its TTL has passed. */
  | "orphaned"
  /** Not published: state `0`. The announcement is remembered. */
  | "gone"
  /** Not published: silent for too long. The announcement is remembered. */
  | "expired";

export type Input =
  /** An announcement, heard live. */
  | "announced"
  /** An announcement that the broker kept: as it was already known, or telling something else. */
  | "replayed"
  | "replayed-changed"
  /** An empty announcement. */
  | "cleared"
  /** State `1`, `0`, `z<seconds>`, each heard live or kept by the broker. */
  | "up"
  | "up-replayed"
  | "down"
  | "down-replayed"
  | "asleep"
  | "asleep-replayed"
  /** The time that an `await-…` effect set has come; the second one for kinds that are to run out as orphans. */
  | "deadline"
  | "deadline-orphan";

export type Effect =
  | "publish"
  /** The same, but what is known of it is old, or it sleeps: another gateway may know better. */
  | "adopt"
  | "withdraw"
  | "orphan"
  /** Sets the deadline: TTL; the lesser of TTL and 600 s; grace; 1.5 × sleep; 1 h. */
  | "await-ttl"
  | "await-confirmation"
  | "await-return"
  | "await-wake"
  | "await-forget"
  /** Sets the deadline to 4 × TTL, 1 h at least, if clearing is configured; otherwise there is none. */
  | "await-clearing"
  /** Removes what the broker keeps of it. */
  | "clear-retained";

export interface Transition {
  readonly next: Phase;
  readonly effects: readonly Effect[];
}

export type Transitions = { readonly [input in Input]?: Transition };

const to = (next: Phase, ...effects: Effect[]): Transition => ({ next, effects });
const nothing = (next: Phase): Transition => to(next);

const LIVE = to("present", "publish", "await-ttl");
const ADOPTED = to("provisional", "adopt", "await-confirmation");
const ASLEEP = to("asleep", "adopt", "await-wake");
const GRACE = to("grace", "await-return");
const FORGOTTEN = to("new");
const WITHDRAWN = to("new", "withdraw");

/** A state without an announcement is remembered for a while: the announcement may follow. */
const unannounced = (same: Phase): Transitions => ({
  announced: LIVE,
  "replayed-changed": ADOPTED,
  cleared: nothing(same),
  up: to("up-unannounced", "await-forget"),
  "up-replayed": to("up-unannounced", "await-forget"),
  down: to("down-unannounced", "await-forget"),
  "down-replayed": to("down-unannounced", "await-forget"),
  asleep: to("asleep-unannounced", "await-forget"),
  "asleep-replayed": to("asleep-unannounced", "await-forget"),
  deadline: FORGOTTEN,
});

const published = (same: Phase): Transitions => ({
  announced: LIVE,
  replayed: nothing(same), // says nothing about its age; a flapping connection must not keep a dead device alive
  "replayed-changed": ADOPTED, // it was heard by the broker while we were not there
  cleared: WITHDRAWN,
  up: LIVE,
  "up-replayed": nothing(same),
  down: GRACE,
  "down-replayed": GRACE,
  asleep: to("asleep", "await-wake"),
  "asleep-replayed": to("asleep", "await-wake"),
  deadline: to("expired", "withdraw", "await-clearing"),
});

/** A pair that is missing is not possible; devices.ts logs it. */
export const DEVICE: { readonly [phase in Phase]: Transitions } = {
  new: unannounced("new"),
  "up-unannounced": unannounced("up-unannounced"),
  "down-unannounced": { ...unannounced("down-unannounced"), "replayed-changed": to("gone", "await-clearing") },
  "asleep-unannounced": { ...unannounced("asleep-unannounced"), "replayed-changed": ASLEEP },
  present: published("present"),
  provisional: published("provisional"),
  asleep: {
    ...published("asleep"),
    "replayed-changed": to("asleep", "adopt"),
    "up-replayed": to("provisional", "await-confirmation"),
    "asleep-replayed": nothing("asleep"),
  },
  grace: {
    announced: LIVE,
    replayed: nothing("grace"),
    "replayed-changed": nothing("grace"),
    cleared: WITHDRAWN,
    up: LIVE,
    "up-replayed": ADOPTED,
    down: nothing("grace"), // the first will set the time
    "down-replayed": nothing("grace"),
    asleep: ASLEEP,
    "asleep-replayed": ASLEEP,
    deadline: to("gone", "withdraw", "await-clearing"),
    "deadline-orphan": to("orphaned", "orphan", "await-ttl"),
  },
  orphaned: {
    announced: LIVE,
    replayed: nothing("orphaned"),
    "replayed-changed": nothing("orphaned"),
    cleared: WITHDRAWN,
    up: LIVE,
    "up-replayed": ADOPTED,
    down: nothing("orphaned"),
    "down-replayed": nothing("orphaned"),
    asleep: ASLEEP,
    "asleep-replayed": ASLEEP,
    deadline: to("gone", "withdraw", "await-clearing"),
  },
  gone: {
    announced: LIVE,
    replayed: nothing("gone"),
    "replayed-changed": nothing("gone"),
    cleared: FORGOTTEN,
    up: LIVE,
    "up-replayed": ADOPTED,
    down: nothing("gone"),
    "down-replayed": nothing("gone"),
    asleep: ASLEEP,
    "asleep-replayed": ASLEEP,
    deadline: to("new", "clear-retained"),
  },
  expired: {
    announced: LIVE,
    replayed: nothing("expired"), // what the broker keeps lies as before
    "replayed-changed": ADOPTED,
    cleared: FORGOTTEN,
    up: LIVE,
    "up-replayed": nothing("expired"),
    down: nothing("gone"),
    "down-replayed": nothing("gone"),
    asleep: ASLEEP,
    "asleep-replayed": nothing("expired"),
    deadline: to("new", "clear-retained"),
  },
};

/** Phases whose service is in the directory with us as its owner: only their deadlines wait for a lost broker. */
export const PUBLISHED: ReadonlySet<Phase> = new Set<Phase>(["present", "provisional", "asleep", "grace"]);
