/** The command behind `npm run site`. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { MOSQUITTO_MISSING } from "../../test/peers/mosquitto.js";
import { LOSSES, type Loss, lossOf, planOf } from "./plan.js";
import { printFigures, printStories } from "./print.js";
import { describe, runSite } from "./run.js";
import { isSabotage, SABOTAGES } from "./sabotage.js";
import { seconds } from "./times.js";

const MOST_DEVICES = 100;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "3" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    devices: { type: "string", default: "15" },
    sabotage: { type: "string" },
    loss: { type: "string" },
    plan: { type: "boolean", default: false },
    quiet: { type: "boolean", default: false },
  },
});
const { sabotage, loss } = values;
const minutes = Number(values.minutes);
const seed = Number(values.seed);
const devices = Number(values.devices);

function usageProblem(): string | undefined {
  if (positionals.length > 0) return `unknown argument ${positionals[0]}`;
  if (!(minutes > 0)) return `--minutes ${values.minutes}; accepted is a number above 0`;
  if (!Number.isSafeInteger(seed)) return `--seed ${values.seed}; accepted is a whole number`;
  if (!(Number.isInteger(devices) && devices >= 1 && devices <= MOST_DEVICES)) {
    return `--devices ${values.devices}; accepted is 1 to ${MOST_DEVICES}`;
  }
  if (sabotage !== undefined && !isSabotage(sabotage)) {
    return `--sabotage ${sabotage}; accepted are ${Object.keys(SABOTAGES).join(", ")}`;
  }
  if (loss !== undefined && !isLoss(loss)) return `--loss ${loss}; accepted are ${LOSSES.join(", ")}`;
  return undefined;
}

const isLoss = (text: string): text is Loss => LOSSES.some((one) => one === text);
const wantedLoss = loss !== undefined && isLoss(loss) ? loss : undefined;

function printPlan(durationMs: number): void {
  for (const step of planOf({ seed, durationMs, devices })) {
    const what = "order" in step ? JSON.stringify(step.order) : `${describe(step.fault)} for ${seconds(step.lastsMs)}`;
    console.log(`${String(step.atMs).padStart(8)} ${what}`);
  }
  const { kind, parts } = lossOf(seed, wantedLoss);
  console.log(`in the end ${kind}: ${parts.join(" and ")}`);
}

async function conduct(durationMs: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "pathfinder-site-"));
  try {
    const falsified = sabotage ? `, sabotaged (${sabotage})` : "";
    console.log(
      `seed ${seed}: 3 boards, 2 bridged brokers, ${devices} devices, faults for ${minutes} minutes${falsified}`,
    );
    const report = await runSite({
      ...{ seed, durationMs, devices, folder, loss: lossOf(seed, wantedLoss) },
      ...(sabotage !== undefined && isSabotage(sabotage) ? { sabotage } : {}),
      progress: (text) => void (values.quiet || console.log(text)),
    });
    const { violations, failures } = report;
    if (violations.length > 0) console.log(printStories(report));
    for (const failure of failures) console.log(`FAIL ${failure}`);
    console.log(printFigures(report));
    if (violations.length + failures.length > 0) {
      const rules = [...new Set(violations.map(({ rule }) => rule))].sort().join(", ");
      const again = `--minutes ${minutes} --devices ${devices} --seed ${seed}${sabotage ? ` --sabotage ${sabotage}` : ""}${loss ? ` --loss ${loss}` : ""}`;
      console.log(
        `FAIL ${violations.length} violations${rules && ` (${rules})`}, ${failures.length} other failures; repeat with: npm run site -- ${again}`,
      );
      return 1;
    }
    console.log("ok   no violation");
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const problem = usageProblem();
if (problem) {
  console.log(`${problem}
usage: npm run site -- [--minutes M] [--seed N] [--devices N] [--sabotage ${Object.keys(SABOTAGES).join("|")}] [--loss ${LOSSES.join("|")}] [--plan] [--quiet]`);
  process.exitCode = 2;
} else if (values.plan) printPlan(minutes * 60_000);
else if (MOSQUITTO_MISSING) {
  // In CI nothing is skipped.
  console.log(`${process.env.CI === "true" ? "FAIL" : "skipped:"} ${MOSQUITTO_MISSING} is not installed`);
  process.exitCode = process.env.CI === "true" ? 1 : 0;
} else {
  conduct(minutes * 60_000).then(
    (status) => {
      process.exitCode = status;
    },
    (error: Error) => {
      console.log(`FAIL ${error.stack}`);
      process.exitCode = 1;
    },
  );
}
