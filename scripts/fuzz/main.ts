/** The command behind `npm run fuzz`: long runs, and the repetition of one case; or whole sessions against a server. */

import { parseArgs } from "node:util";
import { floodGateway } from "./mdns.js";
import { fuzzSessions, sessionReport } from "./sessions/run.js";
import { fuzz, TARGETS, type TargetName } from "./targets.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    messages: { type: "string", default: "1000000" },
    clients: { type: "string", default: "48" },
    seconds: { type: "string", default: "60" },
    rate: { type: "string", default: "10000" },
    target: { type: "string", multiple: true, default: Object.keys(TARGETS) },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    count: { type: "string", default: "1000000" },
  },
});
/** Cases after which whatever they left in the queue of microtasks may run and be freed. */
const CASES_AT_ONCE = 500;
const [seed, count] = [Number(values.seed), Number(values.count)];
const [messages, clients] = [Number(values.messages), Number(values.clients)];
const [seconds, perSecond] = [Number(values.seconds), Number(values.rate)];
const COMMANDS = { sessions, mdns };
const unknown = values.target.filter((name) => !Object.hasOwn(TARGETS, name));
const whole = [seed, count, messages, clients, seconds, perSecond].every(Number.isSafeInteger);
const command = positionals[0] as keyof typeof COMMANDS | undefined;
if (unknown.length > 0 || !whole || positionals.length > 1 || (command && !Object.hasOwn(COMMANDS, command))) {
  console.log(`usage: npm run fuzz -- [--target ${Object.keys(TARGETS).join("|")}]… [--seed N] [--count N]
       npm run fuzz -- sessions [--messages N] [--clients N] [--seed N]
       npm run fuzz -- mdns [--seconds N] [--rate N] [--seed N]`);
  process.exit(2);
}
if (command) COMMANDS[command]();
else void allCases(values.target as TargetName[]);

function sessions(): void {
  const progress = (text: string) => console.log(text);
  end(fuzzSessions({ messages, clients, seed, progress }).then((report) => sessionReport(report, seed)));
}

function mdns(): void {
  end(floodGateway({ seconds, perSecond, seed }).then((report) => `${report}\nnothing wrong (seed ${seed})`));
}

/** Prints the outcome; the exit code tells whether it is a report or a failure. */
function end(run: Promise<string>): void {
  run.then(
    (report) => {
      console.log(report);
      process.exit(0);
    },
    (error: Error) => {
      console.log(error.message);
      process.exit(1);
    },
  );
}

async function allCases(targets: readonly TargetName[]): Promise<void> {
  for (const target of targets) await cases(target);
}

async function cases(target: TargetName): Promise<void> {
  const began = performance.now();
  let valid = 0;
  try {
    for (let done = 0; done < count; done += CASES_AT_ONCE) {
      valid += fuzz(target, Math.min(CASES_AT_ONCE, count - done), seed + done);
      await new Promise(setImmediate);
    }
  } catch (error) {
    console.log((error as Error).message);
    process.exit(1);
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(`${target}: ${count} cases from seed ${seed} in ${seconds.toFixed(1)} s (${valid} valid), nothing wrong`);
}
