/** In which order the addresses of a name are tried, with attempts that are played; real sockets: multi-homed.test.ts. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tryAddresses } from "../../src/transport/address-tracks.js";
import type { DnsAlgorithm } from "../../src/transport/index.js";

const test = suite("address tracks");

/**
 * Plays a race: `plan` says what becomes of each address: "ok", "fails", or "hangs" until it is aborted. `story` is what
 * was done in which order; the head start ends when nothing else happens any more.
 */
async function play(
  algorithm: DnsAlgorithm,
  plan: Readonly<Record<string, "ok" | "fails" | "hangs">>,
  signal?: AbortSignal,
) {
  const story: string[] = [];
  const outcome = await tryAddresses(
    Object.keys(plan),
    {
      algorithm,
      signal,
      wait: (delayMs, stop) =>
        new Promise<void>((resolve) => {
          story.push(`wait ${delayMs}`);
          stop.addEventListener("abort", () => resolve());
          setTimeout(resolve, 5);
        }),
    },
    (host, stop) => {
      if (stop.aborted) return Promise.reject(new Error(`aborted ${host}`));
      story.push(host);
      return new Promise<string>((resolve, reject) => {
        stop.addEventListener("abort", () => {
          story.push(`abort ${host}`);
          reject(new Error(`aborted ${host}`));
        });
        if (plan[host] === "ok") resolve(host);
        if (plan[host] === "fails") reject(new Error(`no ${host}`));
      });
    },
  ).catch((error: Error) => error.message);
  // An attempt that has ended takes no notice of what comes later.
  const isNews = (line: string) => !line.startsWith("abort ") || plan[line.slice(6)] === "hangs";
  return { outcome, story: story.filter(isNews) };
}

for (const [algorithm, plan, outcome, story] of [
  ["single", { "1.1.1.1": "ok", "::1": "ok" }, "1.1.1.1", ["1.1.1.1"]],
  ["single", { "1.1.1.1": "fails", "::1": "ok" }, "no 1.1.1.1", ["1.1.1.1"]],
  ["sequential", { "::1": "fails", "1.1.1.1": "fails", "::2": "ok", "::3": "ok" }, "::2", ["::1", "1.1.1.1", "::2"]],
  ["sequential", { "::1": "fails", "1.1.1.1": "fails" }, "no 1.1.1.1", ["::1", "1.1.1.1"]],
  ["happy_eyeballs", { "1.1.1.1": "ok", "::1": "ok" }, "::1", ["::1", "wait 200"]],
  ["happy_eyeballs", { "1.1.1.1": "fails", "1.1.1.2": "ok" }, "1.1.1.2", ["1.1.1.1", "1.1.1.2"]],
  ["happy_eyeballs", { "::1": "fails", "::2": "ok" }, "::2", ["::1", "::2"]],
  ["happy_eyeballs", { "::1": "hangs", "1.1.1.1": "ok" }, "1.1.1.1", ["::1", "wait 200", "1.1.1.1", "abort ::1"]],
  ["happy_eyeballs", { "::1": "fails", "1.1.1.1": "ok" }, "1.1.1.1", ["::1", "wait 200", "1.1.1.1"]],
  [
    "happy_eyeballs",
    { "::1": "fails", "1.1.1.1": "fails", "::2": "hangs", "1.1.1.2": "ok" },
    "1.1.1.2",
    ["::1", "wait 200", "::2", "1.1.1.1", "1.1.1.2", "abort ::2"],
  ],
  ["happy_eyeballs", { "::1": "fails", "1.1.1.1": "fails" }, "no ::1", ["::1", "wait 200", "1.1.1.1"]],
  ["happy_eyeballs", { "1.1.1.1": "fails", "::1": "fails" }, "no 1.1.1.1", ["::1", "wait 200", "1.1.1.1"]],
] as const) {
  test(`${algorithm}, ${JSON.stringify(plan)}: ${outcome}`, async () => {
    assert.equal(await play(algorithm, plan), { outcome, story: [...story] });
  });
}

test("aborted before it begins, and while all hang", async () => {
  const before = new AbortController();
  before.abort();
  assert.equal((await play("happy_eyeballs", { "::1": "ok", "1.1.1.1": "ok" }, before.signal)).outcome, "aborted ::1");
  const later = new AbortController();
  setTimeout(() => later.abort(), 20);
  const { outcome, story } = await play("happy_eyeballs", { "::1": "hangs", "1.1.1.1": "hangs" }, later.signal);
  assert.is(outcome, "aborted ::1");
  assert.equal(story.slice(-2).sort(), ["abort 1.1.1.1", "abort ::1"]);
});
test.run();
