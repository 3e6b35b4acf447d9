/** The command behind `npm run soak`. */

import { parseArgs } from "node:util";
import { Arena } from "../fuzz/sessions/arena.js";
import { COLLECTOR, Meter, type Sample } from "./meter.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "2" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    json: { type: "boolean", default: false },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  console.log("usage: npm run soak -- [--minutes M] [--seed N] [--json]");
  process.exit(2);
}

const CLIENTS = 32;
/** As long as it takes the server to have been everywhere: V8's heap grows once, and stays so. */
const WARM_UP_MS = 30_000;
/** Everybody goes and others come this often, so that in between there is a moment to look at what is left. */
const ROUND_MS = 60_000;
/** Longer than pafd waits until it gives memory back. */
const SETTLED_AFTER_MS = 7_000;
const SETTLING_LIMIT_MS = 60_000;
/** Of the baseline. */
const MEMORY_LIMIT = 1.1;

const say = (text: string) => void (values.json ? process.stderr.write(`${text}\n`) : console.log(text));
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const MIB = 1024 * 1024;
const mib = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB`;

const results: { readonly name: string; readonly good: boolean; readonly detail: string }[] = [];
function check(name: string, good: boolean, detail: string): void {
  results.push({ name, good, detail });
  say(`${good ? "ok  " : "FAIL"} ${name}: ${detail}`);
}

const describe = (sample: Sample): string =>
  `resident ${mib(sample.resident)}, anonymous ${mib(sample.anonymous)}, ${sample.descriptors} descriptors, ${sample.timers} timers`;

/** Has garbage collected and samples until memory has not fallen for a while; the witness stays alive meanwhile. */
async function settled(arena: Arena, meter: Meter): Promise<Sample> {
  const began = performance.now();
  let best = await meter.sample();
  for (let fellAt = began, now = began; now - fellAt < SETTLED_AFTER_MS && now - began < SETTLING_LIMIT_MS; ) {
    meter.collect();
    await sleep(1000);
    if (performance.now() - arena.witness.lastWordMs > 10_000) await arena.witness.stayAlive();
    const sample = await meter.sample();
    now = performance.now();
    if (sample.anonymous < best.anonymous * 0.998) fellAt = now;
    if (sample.anonymous < best.anonymous || sample.timers !== best.timers) best = sample;
  }
  return best;
}

async function soak(arena: Arena): Promise<void> {
  const meter = new Meter(arena.pafd);
  const samples: (Sample & { readonly second: number })[] = [];
  const began = performance.now();
  let rounds = 0;
  let told = 0;
  const fight = async (ms: number) => {
    const until = performance.now() + ms;
    await arena.battle({
      clients: CLIENTS,
      firstNumber: rounds++ * CLIENTS,
      goesOn: () => performance.now() < until,
      pace: async (random) => {
        await sleep(random.below(20));
      },
      meanwhile: () => {
        if (performance.now() - told < 5000) return;
        told = performance.now();
        void meter
          .sample()
          .then((sample) => {
            const second = Math.round((performance.now() - began) / 1000);
            samples.push({ second, ...sample });
            const { sent, connections } = arena.tally;
            say(
              `${second} s: ${describe(sample)}; ${sent} messages, ${connections} connections, ${arena.witness.transactions} by the witness`,
            );
          })
          // If pafd has ended, that shows elsewhere.
          .catch(() => {});
      },
    });
  };
  say(`seed ${seed}; warming up for ${WARM_UP_MS / 1000} s`);
  await fight(WARM_UP_MS);
  const baseline = await settled(arena, meter);
  say(`baseline: ${describe(baseline)}`);
  for (let left = minutes * 60_000; left > 0; left -= ROUND_MS) await fight(Math.min(left, ROUND_MS));
  const after = await settled(arena, meter);
  const { sent, mutated, connections, dropped } = arena.tally;
  const { p50, p99, max } = arena.witness.pingTimes();
  check(
    "the witness",
    true,
    `${arena.witness.transactions} transactions as they must be (pings: median ${p50.toFixed(1)} ms, 99 % ${p99.toFixed(1)} ms, longest ${max.toFixed(1)} ms)`,
  );
  check(
    "load",
    true,
    `${sent} messages (${mutated} bad), ${connections} connections (${dropped} ended by the server), nothing of them left`,
  );
  const compare = (name: string, was: number, is: number) => check(name, is === was, `${was} before, ${is} after`);
  compare("descriptors", baseline.descriptors, after.descriptors);
  compare("timers", baseline.timers, after.timers);
  const grown = (is: number, was: number) =>
    `${mib(was)} before, ${mib(is)} after (${((is / was - 1) * 100).toFixed(1)} %)`;
  check(
    "anonymous memory",
    after.anonymous <= baseline.anonymous * MEMORY_LIMIT,
    grown(after.anonymous, baseline.anonymous),
  );
  check(
    "resident memory",
    after.resident <= baseline.resident * MEMORY_LIMIT,
    grown(after.resident, baseline.resident),
  );
  if (values.json) console.log(JSON.stringify({ seed, minutes, baseline, after, samples, results }, null, 2));
}

Arena.with(seed, soak, { environment: COLLECTOR, logLevel: "info" })
  .catch((error: Error) => check("to the end", false, error.stack ?? error.message))
  .finally(() => {
    const failed = results.filter(({ good }) => !good).length;
    say(`${results.length - failed} passed, ${failed} failed`);
    process.exit(failed > 0 ? 1 : 0);
  });
