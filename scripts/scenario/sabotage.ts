/**
 * Clients that do it wrong on purpose, so that one can see whether the oracle notices (`--sabotage KIND`): in a worker, between
 * the library and what is reported of it.
 */

import type { Told } from "./history.js";

export const SABOTAGES = {
  /** Nothing is ever said to have gone. */
  ghosts: "gone",
  /** What is shown is said to have gone as soon as a link is lost, and to be back at once. */
  hasty: "held",
  /** After a change the version before is told again. */
  backwards: "forward",
  /** What appeared appears again. */
  twice: "order",
  /** Changes are not told. */
  stale: "shown",
} as const;

export type Sabotage = keyof typeof SABOTAGES;

export const isSabotage = (text: string): text is Sabotage => text in SABOTAGES;

/** For the workers. */
export const SABOTAGE_VARIABLE = "PATHFINDER_EDGE_SCENARIO_SABOTAGE";

/** Stands between one subscription and what is told of it. */
export class Saboteur {
  private readonly shown = new Map<string, Told>();

  constructor(
    private readonly tell: (told: Told) => void,
    private readonly kind = process.env[SABOTAGE_VARIABLE],
  ) {}

  told(told: Told): void {
    const before = this.shown.get(told.serviceId);
    if (told.type === "disappeared") this.shown.delete(told.serviceId);
    else this.shown.set(told.serviceId, told);
    if (this.kind === "ghosts" && told.type === "disappeared") return;
    if (this.kind === "stale" && told.type === "modified") return;
    this.tell(told);
    if (this.kind === "twice" && told.type === "appeared") this.tell(told);
    if (this.kind === "backwards" && told.type === "modified") this.tell({ ...before!, type: "modified", at: told.at });
  }

  linkLost(at: number): void {
    if (this.kind !== "hasty") return;
    for (const one of this.shown.values()) {
      this.tell({ at, type: "disappeared", serviceId: one.serviceId });
      this.tell({ ...one, at, type: "appeared" });
    }
  }
}
