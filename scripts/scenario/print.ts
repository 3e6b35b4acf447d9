/** The story of one service, as far as one consumer is concerned: for whoever has to find out what went wrong. */

import { seconds } from "./faults.js";
import type { Violation } from "./oracle.js";
import type { ScenarioReport } from "./run.js";

/** More would not be read. */
const MOST_STORIES = 3;
const BEFORE_MS = 30_000;

export function printStories({ violations, evidence, troubles, beganAt }: ScenarioReport): string {
  const stories = new Map<string, Violation[]>();
  for (const one of violations) {
    const key = `${one.serviceId} ${one.consumer}`;
    stories.set(key, [...(stories.get(key) ?? []), one]);
  }
  const texts = [...stories.values()].slice(0, MOST_STORIES).map((those) => {
    const { consumer, serviceId, at } = those[0]!;
    const life = evidence.lives.get(serviceId);
    const subscription = evidence.subscriptions.find((one) => one.consumer === consumer)!;
    const lines: { readonly at: number; readonly text: string }[] = those.map((one) => ({
      at: one.at,
      text: `!! ${one.rule}: ${one.text}`,
    }));
    lines.push({ at: subscription.from, text: "subscribed" });
    for (const { at, version, ttlSeconds } of life?.versions ?? []) {
      lines.push({ at, text: `published: version ${version}, TTL ${ttlSeconds} s` });
    }
    if (life?.end) lines.push({ at: life.end.at, text: life.end.how });
    for (const one of subscription.told) {
      if (one.serviceId !== serviceId) continue;
      lines.push({ at: one.at, text: `  told: ${one.type}${one.version === undefined ? "" : ` ${one.version}`}` });
    }
    for (const { server, host, what, from, to } of troubles.all) {
      if (host && host !== life?.host && host !== subscription.host) continue;
      const who = server < 0 ? "" : `server ${server}${host ? ` towards ${host}` : ""}`;
      lines.push({ at: from, text: `    ${who}: ${what}` }, { at: to, text: `    ${who}: ${what} is over` });
    }
    for (const { who, address, state, at } of evidence.links) {
      if (who !== life?.producer && who !== subscription.client) continue;
      lines.push({ at, text: `      ${who} to ${address}: ${state}` });
    }
    const story = lines
      .filter((one) => one.at > at - BEFORE_MS && one.at < at + BEFORE_MS)
      .sort((a, b) => a.at - b.at)
      .map((one) => `  ${((one.at - beganAt) / 1000).toFixed(3).padStart(9)} ${one.text}`);
    const title = `${life?.key ?? "?"} (${serviceId}) of ${life?.host}, as told to ${consumer} on ${subscription.host}, filter ${subscription.filter.text}:`;
    return [title, ...story].join("\n");
  });
  const more = stories.size - texts.length;
  return [...texts, ...(more > 0 ? [`and ${more} more stories`] : [])].join("\n");
}

export function printFigures(report: ScenarioReport): string {
  const { evidence, troubles, convergedMs, loopDelayMs, closeMs, loss } = report;
  const changes = [...evidence.lives.values()].reduce((sum, { versions }) => sum + versions.length, 0);
  const kinds = new Map<string, number>();
  for (const { what } of troubles.all) kinds.set(what, (kinds.get(what) ?? 0) + 1);
  const faults = [...kinds].map(([what, count]) => `${count} ${what}`).join(", ");
  return `${troubles.all.length} faults (${faults}; packets are lost by ${loss})
${evidence.lives.size} services, ${changes} versions of them, ${evidence.subscriptions.length} subscriptions, ${evidence.matches} matches
converged ${seconds(convergedMs)} after the last fault; closed within ${seconds(closeMs)}; longest stall of an event loop ${seconds(loopDelayMs)}`;
}
