/** The story of one thing as one board saw it, for whoever has to find out what went wrong; and the figures of a run. */

import type { Violation } from "./oracle.js";
import type { SiteReport } from "./run.js";
import { seconds } from "./times.js";

/** More would not be read. */
const MOST_STORIES = 3;
const BEFORE_MS = 90_000;
const AFTER_MS = 20_000;

export function printStories({ violations, things, views, troubles, beganAt }: SiteReport): string {
  const stories = new Map<string, Violation[]>();
  for (const one of violations) {
    const key = `${one.key} ${one.board}`;
    stories.set(key, [...(stories.get(key) ?? []), one]);
  }
  const texts = [...stories.values()].slice(0, MOST_STORIES).map((those) => {
    const { key, board, at } = those[0]!;
    const lines = those.map((one) => ({ at: one.at, text: `!! ${one.rule}: ${one.text}` }));
    const thing = things.find((one) => one.key === key);
    for (const { at, ...deed } of thing?.deeds ?? []) lines.push({ at, text: `did: ${JSON.stringify(deed)}` });
    for (const view of views) {
      for (const one of view.told) {
        if (one.key === key) lines.push({ at: one.at, text: `  ${view.board}: ${one.type} ${one.version ?? ""}` });
      }
    }
    for (const { part, what, from, to } of troubles) {
      lines.push({ at: from, text: `    ${part}: ${what}` }, { at: to, text: `    ${part}: ${what} is over` });
    }
    const story = lines
      .filter((one) => one.at > at - BEFORE_MS && one.at < at + AFTER_MS)
      .sort((a, b) => a.at - b.at)
      .map((one) => `  ${((one.at - beganAt) / 1000).toFixed(3).padStart(9)} ${one.text}`);
    return [`${key}, at home at ${thing?.home ?? "?"}, as ${board} saw it:`, ...story].join("\n");
  });
  const more = stories.size - texts.length;
  return [...texts, ...(more > 0 ? [`and ${more} more stories`] : [])].join("\n");
}

export function printFigures({ things, views, troubles, convergedMs, idle, idleLimit, lostMs }: SiteReport): string {
  const kinds = new Map<string, number>();
  for (const { part, what } of troubles) kinds.set(`${what} ${part}`, (kinds.get(`${what} ${part}`) ?? 0) + 1);
  const faults = [...kinds].sort().map(([what, count]) => `${count} ${what}`);
  const deeds = things.reduce((sum, thing) => sum + thing.deeds.length, 0);
  const told = views.map(({ board, told }) => `${board} ${told.length}`);
  return `${troubles.length} faults (${faults.join(", ")})
${things.length} devices and services did ${deeds} things; matches: ${told.join(", ")}
converged ${seconds(convergedMs)} after the last fault; then idle: north carried ${idle.north} messages, south ${idle.south} (at most ${idleLimit})${
    lostMs === undefined
      ? ""
      : `
nothing of what was lost in the end was shown ${seconds(lostMs)} later`
  }`;
}
