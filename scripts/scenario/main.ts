/** The command behind `npm run scenario`. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { missingForNetwork, UNSHARE } from "./network.js";
import { printFigures, printStories } from "./print.js";
import { runScenario } from "./run.js";
import { work } from "./worker.js";

/** Set for the process that is root of a network of its own. */
const INSIDE = "PATHFINDER_EDGE_SCENARIO_INSIDE";
const WORKER = "worker";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    servers: { type: "string", default: "3" },
    quiet: { type: "boolean", default: false },
  },
});
const [minutes, seed, servers] = [Number(values.minutes), Number(values.seed), Number(values.servers)];

async function conduct(network: boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "pathfinder-scenario-"));
  try {
    console.log(`seed ${seed}: ${servers} servers, 20 producers and 20 consumers, faults for ${minutes} minutes`);
    const report = await runScenario({
      seed,
      durationMs: minutes * 60_000,
      servers,
      producers: 20,
      consumers: 20,
      folder,
      worker: [process.execPath, "--enable-source-maps", process.argv[1]!, WORKER],
      network,
      progress: (text) => void (values.quiet || console.log(text)),
    });
    const { violations, failures } = report;
    const again = `repeat with: npm run scenario -- --minutes ${minutes} --servers ${servers} --seed ${seed}`;
    if (violations.length > 0) console.log(printStories(report));
    for (const failure of failures) console.log(`FAIL ${failure}`);
    console.log(printFigures(report));
    if (violations.length + failures.length > 0) {
      console.log(`FAIL ${violations.length} violations, ${failures.length} other failures; ${again}`);
      return 1;
    }
    console.log(`ok   no violation`);
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (positionals[0] === WORKER) work();
else if (!(minutes > 0) || !Number.isSafeInteger(seed) || !(servers >= 2 && servers <= 3) || positionals.length > 0) {
  console.log("usage: npm run scenario -- [--minutes M] [--seed N] [--servers 2|3] [--quiet]");
  process.exitCode = 2;
} else {
  const missing = process.env[INSIDE] ? undefined : missingForNetwork();
  if (process.env[INSIDE] || missing) {
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
    const { status } = spawnSync("unshare", args, { stdio: "inherit", env: { ...process.env, [INSIDE]: "1" } });
    process.exitCode = status ?? 1;
  }
}
