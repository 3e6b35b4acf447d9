/**
 * What happens when at a site, drawn from a seed: the same seed gives the same plan. At first only boards are in trouble, so
 * that the strict rules of the oracle apply (a broker's trouble excuses much for long); then any of the five is, and the
 * bridge.
 */

import { SeededRandom } from "../fuzz/random.js";

export const BOARDS = ["attic", "cellar", "yard"] as const;
/** Each board's broker, and that of a device: its number in this list, modulo two. */
export const BROKERS = ["north", "south"] as const;
/** What joins the brokers. */
export const BRIDGE = "bridge";
export type Part = (typeof BOARDS)[number] | (typeof BROKERS)[number] | typeof BRIDGE;
export const brokerOf = (number: number): (typeof BROKERS)[number] => BROKERS[number % BROKERS.length]!;

export const FAULTS = ["kill", "terminate", "freeze"] as const;

/** Of the bridge: its connection ends, or carries nothing. */
export const BRIDGE_FAULTS = ["cut", "freeze"] as const;

export interface Fault {
  readonly kind: (typeof FAULTS)[number] | (typeof BRIDGE_FAULTS)[number];
  readonly part: Part;
}

/**
 * What is lost in the end, when all agree: a board for good, a board and its broker for good, the bridge, or a broker that
 * freezes; the last two come back when all that was behind them must have gone.
 */
export const LOSSES = ["board", "half", "bridge", "frozen"] as const;
export type Loss = (typeof LOSSES)[number];

export interface LossPlan {
  readonly kind: Loss;
  readonly parts: readonly Part[];
  /** Who still hears of each other: a board shows what is at home in its world. */
  readonly worlds: readonly (readonly Part[])[];
}

const NORTHERN: readonly Part[] = ["north", ...BOARDS.filter((_, number) => brokerOf(number) === "north")];
const SOUTHERN: readonly Part[] = ["south", ...BOARDS.filter((_, number) => brokerOf(number) === "south")];

/** Drawn from the seed, too, unless it is given. */
export function lossOf(seed: number, wanted?: Loss): LossPlan {
  const random = new SeededRandom(seed + 2);
  const kind = wanted ?? random.pick(LOSSES);
  if (kind === "board") {
    const board = random.pick(BOARDS);
    return { kind, parts: [board], worlds: [[...BROKERS, ...BOARDS.filter((one) => one !== board)]] };
  }
  if (kind === "half") return { kind, parts: SOUTHERN, worlds: [NORTHERN] };
  if (kind === "bridge") return { kind, parts: [BRIDGE], worlds: [NORTHERN, SOUTHERN] };
  return { kind, parts: ["south"], worlds: [NORTHERN, SOUTHERN.filter((part) => part !== "south")] };
}

export type Order =
  /** Comes (back): connects and announces itself. */
  | { readonly kind: "come"; readonly device: number }
  | { readonly kind: "change"; readonly device: number }
  /** Says so, and is back after three quarters of it; `wakes` false: never by itself. */
  | { readonly kind: "sleep"; readonly device: number; readonly seconds: number; readonly wakes: boolean }
  | { readonly kind: "die" | "leave"; readonly device: number }
  | { readonly kind: "publish" | "modify" | "unpublish"; readonly board: number; readonly key: string };

export type Step = { readonly atMs: number } & (
  | { readonly fault: Fault; readonly lastsMs: number }
  | { readonly order: Order }
);

export interface PlanOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly devices: number;
  /** Default: true. */
  readonly brokersToo?: boolean;
}

/** Of the time, in which only boards are in trouble. */
const BOARDS_ONLY = 0.4;
const FAULT_EVERY_MS = { min: 1500, max: 5000 };
const SHORT_MS = 7000;
/** Longer than a gateway's connection survives in silence. */
const LONG_MS = { min: 16_000, max: 20_000 };
/** Boards in trouble at once: one of them at least has to take over. */
const MOST_BOARDS = 2;

/** A device that did something does nothing for so long: more than five changes a minute would be held (D.6). */
const DEVICE_RESTS_MS = { min: 32_000, max: 60_000 };
const AWAY_MS = { min: 3000, max: 40_000 };
export const SLEEP_SECONDS = { min: 8, max: 20 };
const SERVICE_EVERY_MS = { min: 2000, max: 6000 };
const SERVICES_PER_BOARD = 3;
/** More than five changes of one in a minute would be held. */
const MOST_CHANGES = { count: 4, withinMs: 65_000 };

/** The steps in the order of time. Everything is over before `durationMs`. */
export function planOf(options: PlanOptions): Step[] {
  const { seed } = options;
  const steps = [
    ...faults(options, new SeededRandom(seed)),
    ...services(options, new SeededRandom(seed + 1)),
    ...Array.from({ length: options.devices }, (_, device) => [
      ...deeds(options, device, new SeededRandom(~seed + 1000 * device)),
    ]).flat(),
  ];
  return steps.filter(({ atMs }) => atMs < options.durationMs).sort((a, b) => a.atMs - b.atMs);
}

function* faults({ durationMs, brokersToo = true }: PlanOptions, random: SeededRandom): Generator<Step> {
  const free = new Map<Part, number>();
  const isFree = (part: Part, atMs: number) => (free.get(part) ?? 0) <= atMs;
  for (let atMs = 1000; atMs < durationMs; atMs += between(random, FAULT_EVERY_MS)) {
    const troubled = BOARDS.filter((board) => !isFree(board, atMs)).length;
    const boards = troubled < MOST_BOARDS ? BOARDS : [];
    const brokers = brokersToo && atMs > durationMs * BOARDS_ONLY ? ([...BROKERS, BRIDGE] as const) : [];
    const kind = random.pick(FAULTS);
    const long = random.below(5) === 0;
    const wantedMs = long ? between(random, LONG_MS) : 200 + random.below(SHORT_MS);
    const chance = random.unit();
    const able = [...boards, ...brokers].filter((part) => isFree(part, atMs));
    const part = able[Math.floor(chance * able.length)];
    if (!part) continue;
    const lastsMs = Math.min(wantedMs, durationMs - atMs - 1);
    free.set(part, atMs + lastsMs + 1000);
    const isCut = part === BRIDGE && kind !== "freeze";
    yield { atMs, lastsMs, fault: { kind: isCut ? "cut" : kind, part } };
  }
}

function* deeds({ durationMs }: PlanOptions, device: number, random: SeededRandom): Generator<Step> {
  yield { atMs: 0, order: { kind: "come", device } };
  let atMs = between(random, { min: 500, max: DEVICE_RESTS_MS.max });
  while (atMs < durationMs) {
    const dice = random.below(100);
    if (dice < 40) yield { atMs, order: { kind: "change", device } };
    else if (dice < 65) {
      const wakes = random.below(4) > 0;
      const seconds = between(random, SLEEP_SECONDS);
      yield { atMs, order: { kind: "sleep", device, seconds, wakes } };
      if (wakes) atMs += seconds * 1000;
      else yield { atMs: (atMs += between(random, AWAY_MS) + 30_000), order: { kind: "come", device } };
    } else {
      yield { atMs, order: { kind: dice < 85 ? "die" : "leave", device } };
      // Some never come back.
      if (random.below(4) === 0) return;
      yield { atMs: (atMs += between(random, AWAY_MS)), order: { kind: "come", device } };
    }
    atMs += between(random, DEVICE_RESTS_MS);
  }
}

function* services({ durationMs }: PlanOptions, random: SeededRandom): Generator<Step> {
  const published: string[][] = BOARDS.map(() => []);
  const changesMs = new Map<string, number[]>();
  let serial = 0;
  const publish = (board: number): Order => {
    const key = `service${serial++}`;
    published[board]!.push(key);
    return { kind: "publish", board, key };
  };
  for (let board = 0; board < BOARDS.length; board++) {
    for (let i = 0; i < 2; i++) yield { atMs: 0, order: publish(board) };
  }
  for (let atMs = 500; atMs < durationMs; atMs += between(random, SERVICE_EVERY_MS)) {
    const board = random.below(BOARDS.length);
    const mine = published[board]!;
    const dice = random.below(10);
    const key = mine[random.below(Math.max(1, mine.length))];
    if (key === undefined || (dice < 3 && mine.length < SERVICES_PER_BOARD)) {
      yield { atMs, order: publish(board) };
    } else if (dice < 5) {
      mine.splice(mine.indexOf(key), 1);
      yield { atMs, order: { kind: "unpublish", board, key } };
    } else {
      const recent = (changesMs.get(key) ?? []).filter((oneMs) => oneMs > atMs - MOST_CHANGES.withinMs);
      if (recent.length >= MOST_CHANGES.count) continue;
      changesMs.set(key, [...recent, atMs]);
      yield { atMs, order: { kind: "modify", board, key } };
    }
  }
}

const between = (random: SeededRandom, { min, max }: { min: number; max: number }): number =>
  min + random.below(max - min + 1);
