/** The command behind `npm run fuzz`: long runs, and the repetition of one case. */

import { parseArgs } from "node:util";
import { fuzz, TARGETS, type TargetName } from "./targets.js";

const { values } = parseArgs({
  options: {
    target: { type: "string", multiple: true, default: Object.keys(TARGETS) },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    count: { type: "string", default: "1000000" },
  },
});
const [seed, count] = [Number(values.seed), Number(values.count)];
const unknown = values.target.filter((name) => !Object.hasOwn(TARGETS, name));
if (unknown.length > 0 || !Number.isSafeInteger(seed) || !Number.isSafeInteger(count)) {
  console.log(`usage: npm run fuzz -- [--target ${Object.keys(TARGETS).join("|")}]… [--seed N] [--count N]`);
  process.exit(2);
}
for (const target of values.target as TargetName[]) {
  const began = performance.now();
  let valid: number;
  try {
    valid = fuzz(target, count, seed);
  } catch (error) {
    console.log((error as Error).message);
    process.exit(1);
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(`${target}: ${count} cases from seed ${seed} in ${seconds.toFixed(1)} s (${valid} valid), nothing wrong`);
}
