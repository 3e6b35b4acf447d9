/**
 * The load of `npm run bench -- churn`, as a process of its own: `churn-client.mjs PORT FOLDER RATE SECONDS` makes RATE
 * TLS connections a second, each with a full handshake and a hello, and closes them. Prints what it did as JSON.
 */
import { clientIdentity, openTls, tlsHello } from "./tls-client.mjs";

const [port, folder, rate, seconds] = process.argv.slice(2);
const identity = clientIdentity(folder);
const total = Math.round(Number(rate) * Number(seconds));
const times = [];
const failures = new Map();
let begun = 0;
let done = 0;

async function one(id) {
  const began = performance.now();
  try {
    const client = await openTls(Number(port), identity);
    await tlsHello(client, 1_000_000 + id);
    client.close();
    times.push(performance.now() - began);
  } catch (error) {
    failures.set(error.message, (failures.get(error.message) ?? 0) + 1);
  }
  if (++done === total) finish();
}

function finish() {
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
  const took = (performance.now() - start) / 1000;
  console.log(
    JSON.stringify({
      made: times.length,
      perSecond: times.length / took,
      p50: at(0.5),
      p99: at(0.99),
      failures: [...failures],
    }),
  );
  process.exit(0);
}

const start = performance.now();
// As many as are due by now; if this process falls behind, it catches up.
setInterval(() => {
  const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * Number(rate)));
  while (begun < due) void one(begun++);
}, 5);
