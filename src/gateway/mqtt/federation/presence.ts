/**
 * What a board says of itself, retained: `<state>;<instance>;<age>;<heartbeat>;<services>[;<namesake>]`, and its will
 * `0;<instance>`. The instance tells one process from all others; its age in seconds grows with every word, by its own
 * monotonic clock, so that a word which a broker or a bridge had kept can be told from a new one, whatever its retain flag
 * says (a bridge that reconnects hands on what it kept as if it were new). No two boards' clocks are compared.
 */

import { AnnouncementError, show } from "../announced.js";

export interface Word {
  /** `complete`: it has told all its services. */
  readonly state: "arriving" | "complete";
  readonly instance: string;
  readonly ageSeconds: number;
  /** Until its next word at the latest. */
  readonly heartbeatSeconds: number;
  /** How many it tells. */
  readonly services: number;
  /** The instance of a board of the same name, which it has heard. */
  readonly namesake: string | undefined;
}

/** It is gone: in order, or its broker says so. Of which instance, or `undefined`: of whichever. */
export interface Farewell {
  readonly state: "gone";
  readonly instance: string | undefined;
}

export const HEARTBEAT = {
  /** Between two words of a board, unless it is configured. */
  defaultSeconds: 60,
  /** Boards together say so little that each of them is woken once in this time on average. */
  perBoardSeconds: 2,
  /** Somebody who says that it speaks more seldom is believed this. */
  mostSeconds: 3600,
  /** The highest age that can be said. */
  oldestSeconds: 9_999_999_999,
} as const;

const INSTANCE = "[0-9a-f]{12}";
const WORD = new RegExp(`^([12]);(${INSTANCE});([0-9]{1,10});([0-9]{1,4});([0-9]{1,9})(?:;(${INSTANCE}))?$`);
const FAREWELL = new RegExp(`^0;(${INSTANCE})$`);

/** Longer than any that is understood. */
export const WORD_BYTES = 80;

export function instanceOf(random: () => number): string {
  return Math.floor(random() * 2 ** 48)
    .toString(16)
    .padStart(12, "0");
}

export const farewellOf = (instance: string): string => `0;${instance}`;

export function writeWord({ state, instance, ageSeconds, heartbeatSeconds, services, namesake }: Word): string {
  const last = namesake === undefined ? "" : `;${namesake}`;
  return `${state === "complete" ? 1 : 2};${instance};${ageSeconds};${heartbeatSeconds};${services}${last}`;
}

/** Throws an `AnnouncementError`. */
export function readWord(text: string): Word | Farewell {
  if (text === "") return { state: "gone", instance: undefined };
  const [, gone] = FAREWELL.exec(text) ?? [];
  if (gone !== undefined) return { state: "gone", instance: gone };
  const [, state, instance, age, heartbeat, services, namesake] = WORD.exec(text) ?? [];
  if (state === undefined) {
    throw new AnnouncementError(
      `presence ${show(text)}: expected 0;<instance> or 1;<instance>;<age>;<heartbeat>;<services> or 2;…`,
    );
  }
  return {
    state: state === "1" ? "complete" : "arriving",
    instance,
    ageSeconds: Number(age),
    heartbeatSeconds: Math.min(Math.max(1, Number(heartbeat)), HEARTBEAT.mostSeconds),
    services: Number(services),
    namesake,
  };
}
