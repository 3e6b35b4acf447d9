/**
 * The sessions in payloads/: what devices of each convention say, and the services that come of it. Files hold lists of
 * `{title, options?, steps}`; a step is one of
 * `{topic, payload, retain?}` (said now), `{topic, payload, kept: true}` (replayed by the broker), `{wait: seconds}`,
 * `{broker: "lost"|"back"|"back-empty"}`, `{services}` (by name, each with exactly these properties besides name and src),
 * `{names}`, `{dropped}` (counts by reason) and `{asked}`.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CONVENTIONS, type ConventionsOptions } from "../../../../src/gateway/mqtt/conventions/conventions.js";
import { root } from "../../../support/root.js";
import { Desk } from "./desk.js";

interface Step {
  readonly topic?: string;
  readonly payload?: unknown;
  readonly retain?: boolean;
  readonly kept?: boolean;
  readonly wait?: number;
  readonly broker?: "lost" | "back" | "back-empty";
  readonly services?: Record<string, Record<string, readonly (string | number)[]>>;
  readonly names?: readonly string[];
  readonly dropped?: Record<string, number>;
  readonly asked?: readonly string[];
}

interface Session {
  readonly title: string;
  readonly options?: Partial<ConventionsOptions>;
  readonly ask?: boolean;
  readonly steps: readonly Step[];
}

const folder = join(root, "test/gateway/mqtt/conventions/payloads");
const sorted = (values: readonly (string | number)[]) => [...values].sort();

function carryOut(desk: Desk, step: Step): void {
  if (step.topic !== undefined) {
    if (step.kept) desk.replay(step.topic, step.payload ?? "");
    else desk.say(step.topic, step.payload ?? "", step.retain ?? false);
  }
  if (step.wait !== undefined) desk.wait(step.wait);
  if (step.broker === "lost") desk.lose();
  else if (step.broker !== undefined) desk.back(step.broker === "back");
  if (step.names) assert.equal(desk.names(), [...step.names].sort());
  if (step.dropped) assert.equal(desk.dropped.counts, step.dropped);
  if (step.asked) assert.equal(desk.asked, step.asked);
  if (!step.services) return;
  const shown = desk.shown();
  assert.equal(Object.keys(shown).sort(), Object.keys(step.services).sort());
  for (const [name, properties] of Object.entries(step.services)) {
    const values = (of: typeof properties) =>
      Object.fromEntries(Object.entries(of).map(([key, list]) => [key, sorted(list)]));
    assert.equal(values(shown[name]), values(properties));
  }
}

for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
  const test = suite(`conventions: ${file}`);
  for (const { title, options, ask, steps } of JSON.parse(readFileSync(join(folder, file), "utf8")) as Session[]) {
    test(title, () => {
      const desk = new Desk({ conventions: CONVENTIONS, ...options }, ask);
      for (const [at, step] of steps.entries()) {
        try {
          carryOut(desk, step);
        } catch (error) {
          (error as Error).message = `step ${at + 1} of ${steps.length}: ${(error as Error).message}`;
          throw error;
        }
      }
      desk.stop();
      assert.equal(desk.clock.timers(), []);
      assert.is(desk.log.count(/^error/), 0, desk.log.lines.join("\n"));
    });
  }
  test.run();
}
