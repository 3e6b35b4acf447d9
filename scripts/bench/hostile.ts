/** What hostile messages and filters cost; prints JSON. Run by scripts/bench.mjs. */

import { performance } from "node:perf_hooks";
import { FilterCompiler, matches } from "../../src/core/filter/program.js";
import { parseFilter } from "../../src/core/filter/syntax.js";
import { Scanner } from "../../src/wire/scanner.js";
import { filterFixture } from "../../test/support/filters.js";
import { HOSTILE_FILTERS, HOSTILE_PROPERTIES, ORDINARY, publishText } from "./hostile-inputs.js";

/** Milliseconds of the fastest of some runs. */
function fastestMs(run: () => void): number {
  let fastest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 7; i++) {
    const began = performance.now();
    run();
    fastest = Math.min(fastest, performance.now() - began);
  }
  return fastest;
}

const { builder } = filterFixture();
const scanner = new Scanner({ builder });
const scanMs = (text: string) => {
  const message = Buffer.from(text);
  return fastestMs(() => void scanner.scan(message, 0, message.length, 3));
};
scanMs(ORDINARY); // warms the code up
const ordinaryMs = scanMs(ORDINARY);
const results = [{ name: "an ordinary message of 65 KB", ms: ordinaryMs, floorMs: ordinaryMs }];
for (const [name, props] of HOSTILE_PROPERTIES) {
  results.push({ name, ms: scanMs(publishText(props)), floorMs: ordinaryMs });
}
for (const [name, filter, values] of HOSTILE_FILTERS) {
  const { store, hash, record } = filterFixture();
  const program = new FilterCompiler(store, hash).compile(parseFilter(filter));
  const service = record({ a: [...values] });
  results.push({
    name: `filter: ${name}`,
    ms: fastestMs(() => void matches(store, program, service)),
    floorMs: ordinaryMs,
  });
}
console.log(JSON.stringify(results));
