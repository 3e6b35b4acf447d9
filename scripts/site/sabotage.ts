/**
 * What is falsified on purpose, so that one can see whether the oracle notices (`--sabotage KIND`): between what the client on
 * the first board is told and what the oracle hears of it, or on a broker.
 */

import type { Told } from "./history.js";

export const SABOTAGES = {
  /** Nothing is ever said to have gone. */
  ghosts: "gone",
  /** From time to time something is said to have gone, and to be back at once. */
  flap: "held",
  /** Every fifth thing is not told of. */
  blind: "shown",
  /** What changes is not told. */
  stale: "shown",
  /** Another version is told than there was. */
  forged: "true",
  /** Properties are told that nobody else is told. */
  differing: "differs",
  /** Somebody publishes 20 messages a second on a broker all the time, as two gateways that answer each other would. */
  echo: "idle",
} as const;

export type Sabotage = keyof typeof SABOTAGES;

export const isSabotage = (text: string): text is Sabotage => text in SABOTAGES;

const FLAPS_EVERY = 40;

/** Passes on what a client is told, or something else. */
export function sabotaged(kind: Sabotage | undefined, tell: (told: Told) => void): (told: Told) => void {
  let count = 0;
  return (told) => {
    const isThere = told.type !== "disappeared";
    if (kind === "ghosts" && !isThere) return;
    if (kind === "stale" && told.type === "modified") return;
    if (kind === "blind" && Number(told.serviceId) % 5 === 0) return;
    if (kind === "forged" && told.type === "modified") tell({ ...told, version: told.version! + 1000 });
    else if (kind === "differing" && isThere) tell({ ...told, text: `${told.text} (as we see it)` });
    else tell(told);
    if (kind === "flap" && isThere && ++count % FLAPS_EVERY === 0) {
      tell({ at: told.at, type: "disappeared", serviceId: told.serviceId, key: told.key });
      tell({ ...told, type: "appeared" });
    }
  };
}
