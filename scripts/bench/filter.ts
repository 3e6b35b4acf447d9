/** Filter evaluations per second, and bytes allocated per evaluation; prints JSON. Run by scripts/bench.mjs. */

import { PerformanceObserver } from "node:perf_hooks";
import { FilterCompiler, matches } from "../../src/core/filter/program.js";
import { parseFilter } from "../../src/core/filter/syntax.js";
import { filterFixture } from "../../test/support/filters.js";

const { store, hash, record } = filterFixture();
const compiler = new FilterCompiler(store, hash);
const service = record({ name: "service-7", address: "tcp:192.0.2.17:4711", color: ["green", "red"], load: 42 });
const EVALUATIONS = 2_000_000;
let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ["gc"] });

const results: { name: string; perSecond: number; bytes: number }[] = [];
for (const [name, text] of [
  ["equality", "(name=service-7)"],
  ["conjunction of four", "(&(name=service-7)(color=red)(load>10)(!(load>50)))"],
  ["substring", "(address=tcp:*:47*1)"],
] as const) {
  const program = compiler.compile(parseFilter(text));
  let matched = 0;
  const run = () => {
    for (let i = 0; i < EVALUATIONS; i++) if (matches(store, program, service)) matched++;
  };
  run();
  const heap = process.memoryUsage().heapUsed;
  const began = performance.now();
  run();
  const seconds = (performance.now() - began) / 1000;
  const allocated = process.memoryUsage().heapUsed - heap;
  await new Promise((resolve) => setImmediate(resolve));
  if (matched !== 2 * EVALUATIONS) throw new Error(`${text} does not match`);
  // A collection in between would hide allocations; with a large young generation there is none to be expected.
  if (collections > 0 && allocated < 0) throw new Error("a garbage collection fell into the measurement");
  // Reading the heap's size allocates some hundred bytes itself.
  results.push({ name, perSecond: EVALUATIONS / seconds, bytes: Math.round(Math.max(0, allocated) / EVALUATIONS) });
}
console.log(JSON.stringify(results));
