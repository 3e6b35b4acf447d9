/** The command behind `npm run scenario`. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describe } from "./faults.js";
import { missingForNetwork, UNSHARE } from "./network.js";
import { planOf } from "./plan.js";
import { printFigures, printStories } from "./print.js";
import { HOSTS, runScenario } from "./run.js";
import { isSabotage, SABOTAGE_VARIABLE, SABOTAGES } from "./sabotage.js";
import { isTransportChoice, missingForTransports, TRANSPORT_CHOICES, transportsOf } from "./transports.js";
import { work } from "./worker.js";

/** Set for the process that is root of a network of its own. */
const INSIDE = "PATHFINDER_EDGE_SCENARIO_INSIDE";
const WORKER = "worker";
/** Of producers, and of consumers. */
const MOST_CLIENTS = 200;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    servers: { type: "string", default: "3" },
    transport: { type: "string", default: "mixed" },
    clients: { type: "string", default: "20" },
    sabotage: { type: "string" },
    plan: { type: "boolean", default: false },
    quiet: { type: "boolean", default: false },
  },
});
const { transport, sabotage } = values;
const [minutes, seed, servers, clients] = [values.minutes, values.seed, values.servers, values.clients].map(Number) as [
  number,
  number,
  number,
  number,
];

function usageProblem(): string | undefined {
  if (positionals.length > 0) return `unknown argument ${positionals[0]}`;
  if (!(minutes > 0)) return `--minutes ${values.minutes}; accepted is a number above 0`;
  if (!Number.isSafeInteger(seed)) return `--seed ${values.seed}; accepted is a whole number`;
  if (servers !== 2 && servers !== 3) return `--servers ${values.servers}; accepted are 2 and 3`;
  if (!(Number.isInteger(clients) && clients >= 1 && clients <= MOST_CLIENTS)) {
    return `--clients ${values.clients}; accepted is 1 to ${MOST_CLIENTS} (producers, and as many consumers)`;
  }
  if (!isTransportChoice(transport)) return `--transport ${transport}; accepted are ${TRANSPORT_CHOICES.join(", ")}`;
  if (sabotage !== undefined && !isSabotage(sabotage)) {
    return `--sabotage ${sabotage}; accepted are ${Object.keys(SABOTAGES).join(", ")}`;
  }
  return undefined;
}

async function conduct(network: boolean): Promise<number> {
  if (!isTransportChoice(transport)) throw new TypeError(transport);
  const transports = transportsOf(transport, seed, servers);
  const missing = missingForTransports(transports);
  if (missing) throw new Error(missing);
  const durationMs = minutes * 60_000;
  const crowd = { producers: clients, consumers: clients };
  if (values.plan) {
    for (const step of planOf({ seed, durationMs, transports, ...crowd, hosts: HOSTS, network })) {
      const what = "order" in step ? JSON.stringify(step.order) : `${describe(step.fault)} for ${step.lastsMs} ms`;
      console.log(`${String(step.atMs).padStart(8)} ${what}`);
    }
    return 0;
  }
  if (sabotage) process.env[SABOTAGE_VARIABLE] = sabotage;
  const folder = mkdtempSync(join(tmpdir(), "pathfinder-scenario-"));
  try {
    console.log(
      `seed ${seed}: ${servers} servers (${transports.join(", ")}), ${clients} producers and ${clients} consumers, faults for ${minutes} minutes${sabotage ? `, clients sabotaged (${sabotage})` : ""}`,
    );
    const report = await runScenario({
      seed,
      durationMs,
      transports,
      ...crowd,
      folder,
      worker: [process.execPath, "--enable-source-maps", process.argv[1]!, WORKER],
      network,
      progress: (text) => void (values.quiet || console.log(text)),
    });
    const { violations, failures } = report;
    if (violations.length > 0) console.log(printStories(report));
    for (const failure of failures) console.log(`FAIL ${failure}`);
    console.log(printFigures(report));
    if (violations.length + failures.length > 0) {
      const rules = [...new Set(violations.map(({ rule }) => rule))].sort().join(", ");
      const again = `--minutes ${minutes} --servers ${servers} --transport ${transport} --clients ${clients} --seed ${seed}`;
      console.log(
        `FAIL ${violations.length} violations${rules && ` (${rules})`}, ${failures.length} other failures; repeat with: npm run scenario -- ${again}${sabotage ? ` --sabotage ${sabotage}` : ""}`,
      );
      return 1;
    }
    console.log(`ok   no violation`);
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const problem = positionals[0] === WORKER ? undefined : usageProblem();
if (positionals[0] === WORKER) work();
else if (problem) {
  console.log(`${problem}
usage: npm run scenario -- [--minutes M] [--seed N] [--servers 2|3] [--transport ${TRANSPORT_CHOICES.join("|")}] [--clients N]
       [--sabotage ${Object.keys(SABOTAGES).join("|")}] [--plan] [--quiet]`);
  process.exitCode = 2;
} else {
  const missing = process.env[INSIDE] ? undefined : missingForNetwork();
  if (missing && process.env.CI === "true") {
    console.log(`FAIL no network of namespaces, and CI skips nothing: ${missing}`);
    process.exitCode = 1;
  } else if (process.env[INSIDE] || missing || values.plan) {
    if (missing) console.log(`no partitions and no lost packets, all on one host: ${missing}`);
    conduct(missing === undefined).then(
      (status) => {
        process.exitCode = status;
      },
      (error: Error) => {
        console.log(`FAIL ${error.stack}`);
        process.exitCode = 1;
      },
    );
  } else {
    // In namespaces of its own, so that nothing can be left behind.
    const args = [...UNSHARE, process.execPath, ...process.execArgv, ...process.argv.slice(1), "--seed", String(seed)];
    const env = { ...process.env, [INSIDE]: "1" };
    const { status } = spawnSync("unshare", args, { stdio: "inherit", env });
    process.exitCode = status ?? 1;
  }
}
