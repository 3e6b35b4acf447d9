/**
 * `npm run bench [-- CASE …] [--json] [--seconds N]`: what the server costs, as ratios to a floor measured in the same
 * run: the same bytes echoed by the addon with no protocol in between, by a process of its own. Cases: ping, publish,
 * fan-out, filter, hostile, memory, idle, start, fairness, churn (for --seconds, default 20, with either kind of key),
 * recovery (of servers that are restarted one after the other, and of the client library), mdns (500 instances on one
 * gateway, in namespaces; the floor is a process that hears and decodes the same packets. Takes three minutes), mqtt (2,000
 * devices and 500 of Home Assistant's over a mosquitto; the floor is a bare mqtt.js subscriber).
 * CPU is that of the server process alone, all its threads; the load comes from this process.
 */
import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { NODE_FLAGS, setUp } from "./build.mjs";
import { DIST, ROOT } from "./setup.mjs";

await setUp();
const { build } = await import("esbuild");
const { Client } = await import("./bench/seqpacket.mjs");
const { benchChurn } = await import("./bench/churn.mjs");
const { benchFairness } = await import("./bench/fairness.mjs");
const { anonymousMiB, cpuNs, start, switches } = await import("./bench/process.mjs");

const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false }, seconds: { type: "string", default: "20" } },
});
const { json } = values;
const wants = (name) => wanted.length === 0 || wanted.includes(name);
const ROUNDS = 5;
const results = [];

/** Prints one figure: its value, and where it has one its ratio to the floor and the target. */
function report(name, value, unit, { floor, reach } = {}) {
  const ratio = floor === undefined ? undefined : value / floor;
  results.push({ name, value, unit, ...(floor === undefined ? {} : { floor, ratio }), ...(reach ? { reach } : {}) });
  if (json) return;
  const ratioText = ratio === undefined ? "" : `${ratio.toFixed(2).padStart(6)} × floor (${floor.toFixed(0)})`;
  console.log(
    `${name.padEnd(46)} ${value.toFixed(value < 100 ? 1 : 0).padStart(8)} ${unit.padEnd(10)} ${ratioText.padEnd(24)} ${reach ?? ""}`,
  );
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
let serial = 0;

/** `command`: how pafd is called. */
const startServer = ([program, ...args] = [join(DIST, "pafd")]) => {
  const name = `pathfinder-bench-${process.pid}-${serial++}`;
  return start(name, program, [...args, "-n", "-l", "critical", `ux:${name}`]).then((server) => ({ ...server, name }));
};
const startFloor = () => {
  const name = `pathfinder-floor-${process.pid}-${serial++}`;
  return start(name, process.execPath, [...NODE_FLAGS, join(ROOT, "scripts/bench/floor.mjs"), name]).then((server) => ({
    ...server,
    name,
  }));
};

async function hello(name, id) {
  const client = new Client(name);
  await client.request(
    `{"ta-cmd": "hello", "ta-id": 0, "msg-type": "request", "client-id": ${id}, "protocol-minimum-version": 2, "protocol-maximum-version": 2}`,
  );
  return client;
}

/** CPU nanoseconds of process `pid` per operation while `work(count)` runs; the median of some rounds after a warm-up. */
async function cpuPerOperation(pid, count, work) {
  await work(count);
  const rounds = [];
  for (let i = 0; i < ROUNDS; i++) {
    const before = cpuNs(pid);
    await work(count);
    rounds.push((cpuNs(pid) - before) / count);
  }
  return median(rounds);
}

/** The floor for a message of these bytes. */
async function floorFor(message, window, count) {
  const floor = await startFloor();
  const client = new Client(floor.name);
  const cost = await cpuPerOperation(floor.pid, count, (n) => client.run(n, window, () => message));
  client.close();
  await floor.stop();
  return cost;
}

let taId = 1;
const pingMessage = () => Buffer.from(`{"ta-cmd": "ping", "ta-id": ${taId++ % 100_000}, "msg-type": "request"}`);

async function benchPing() {
  for (const [window, count, reach] of [
    [32, 100_000, "≤ 1.5 × (C reference 2.7 ×)"],
    [1, 20_000, "≤ 2 × (C reference 5 ×)"],
  ]) {
    const floor = await floorFor(pingMessage(), window, count);
    const server = await startServer();
    const client = await hello(server.name, 1);
    const cost = await cpuPerOperation(server.pid, count, (n) => client.run(n, window, pingMessage));
    report(`ping, window ${window}`, cost, "ns CPU", { floor, reach });
    client.close();
    await server.stop();
  }
}

let generation = 1;
/** A publish of four properties; services 1 … 1000 in turn, with rising generations. */
const publishMessage = (name) => () => {
  const n = generation++;
  return Buffer.from(
    `{"ta-cmd": "publish", "ta-id": ${n % 100_000}, "msg-type": "request", "service-id": ${(n % 1000) + 1}, "generation": ${n}, ` +
      `"service-props": {"name": ["${name}"], "address": ["tcp:192.0.2.17:${n % 60_000}"], "color": ["green"], "load": [${n % 97}]}, "ttl": 30}`,
  );
};

async function subscribeMany(client, count) {
  await client.run(
    count,
    32,
    (i) =>
      Buffer.from(
        `{"ta-cmd": "subscribe", "ta-id": ${i + 1}, "msg-type": "request", "subscription-id": ${i + 1}, "filter": "(name=service-${i})"}`,
      ),
    (answer) => answer.includes('"accept"'),
  );
}

async function benchPublish() {
  const floor = await floorFor(publishMessage("service-7")(), 32, 50_000);
  for (const filters of [100, 1000, 10_000]) {
    for (const [which, name, reach] of [
      ["none", "elsewhere", "≤ 4 × (C reference about 250 × at 10,000)"],
      ["one", "service-7", "≤ 6 ×"],
    ]) {
      const server = await startServer();
      const subscriber = await hello(server.name, 1);
      await subscribeMany(subscriber, filters);
      subscriber.onMessages = () => {};
      const publisher = await hello(server.name, 2);
      const cost = await cpuPerOperation(server.pid, 30_000, (n) => publisher.run(n, 32, publishMessage(name)));
      report(`publish, ${filters} filters, ${which} matches`, cost, "ns CPU", { floor, reach });
      subscriber.close();
      publisher.close();
      await server.stop();
    }
  }
}

async function benchFanOut() {
  const server = await startServer();
  const subscriber = await hello(server.name, 1);
  for (let i = 1; i <= 100; i++) {
    await subscriber.request(
      `{"ta-cmd": "subscribe", "ta-id": ${i}, "msg-type": "request", "subscription-id": ${i}, "filter": "(name=service-7)"}`,
    );
  }
  const publisher = await hello(server.name, 2);
  const publishes = 1000;
  let example;
  const round = async () => {
    let seen = 0;
    const all = new Promise((resolve) => {
      subscriber.onMessages = (n, read) => {
        example ??= Buffer.from(read(0));
        seen += n;
        if (seen === publishes * 100) resolve();
      };
    });
    await Promise.all([publisher.run(publishes, 4, publishMessage("service-7")), all]);
  };
  await round();
  const costs = [];
  for (let i = 0; i < ROUNDS; i++) {
    const before = cpuNs(server.pid);
    await round();
    costs.push((cpuNs(server.pid) - before) / (publishes * 100));
  }
  subscriber.close();
  publisher.close();
  await server.stop();
  const floor = await floorFor(example, 32, 50_000);
  report("notification, fan-out to 100 subscriptions", median(costs), "ns CPU", {
    floor,
    reach: "≤ 1 × (C reference 3 ×)",
  });
}

/** Runs a TypeScript benchmark of pure code in a process of its own; returns what it printed as JSON. */
async function runPure(name, ...options) {
  const outfile = join(ROOT, `.cache/bench-${name}.mjs`);
  const entryPoints = [join(ROOT, `scripts/bench/${name}.ts`)];
  await build({ entryPoints, outfile, bundle: true, platform: "node", format: "esm", logLevel: "error" });
  const stdio = ["ignore", "pipe", "inherit"];
  return JSON.parse(spawnSync(process.execPath, [...options, outfile], { encoding: "utf8", stdio }).stdout);
}

async function benchFilter() {
  for (const { name, perSecond, bytes } of await runPure("filter", "--max-semi-space-size=64")) {
    report(`filter ${name}`, perSecond / 1e6, "M/s");
    report(`filter ${name}: allocated per evaluation`, bytes, "bytes", { reach: "0" });
  }
}

/** Here the floor is the scanning of an ordinary message of the same size, in microseconds. */
async function benchHostile() {
  for (const { name, ms, floorMs } of await runPure("hostile")) {
    report(name, ms * 1000, "µs", { floor: floorMs * 1000 });
  }
}

/** Anonymous memory of a server, empty and with 10,000 services and 10,000 subscriptions, in MiB. */
async function memoryOf(command) {
  const server = await startServer(command);
  const empty = anonymousMiB(server.pid);
  const subscriber = await hello(server.name, 1);
  await subscribeMany(subscriber, 10_000);
  subscriber.onMessages = () => {};
  const publisher = await hello(server.name, 2);
  await publisher.run(10_000, 32, (i) =>
    Buffer.from(
      `{"ta-cmd": "publish", "ta-id": ${i}, "msg-type": "request", "service-id": ${i + 1}, "generation": 0, ` +
        `"service-props": {"name": ["service-${i}"], "address": ["tcp:192.0.2.17:${i}"], "color": ["green"], "load": [${i % 97}]}, "ttl": 30}`,
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const full = anonymousMiB(server.pid);
  subscriber.close();
  publisher.close();
  await server.stop();
  return { empty, full };
}

async function benchMemory() {
  const { empty, full } = await memoryOf();
  report("anonymous memory, empty", empty, "MiB");
  report("anonymous memory, 10,000 services + subscr.", full, "MiB", { reach: "≤ 35 (C reference 20)" });
  const plain = await memoryOf([process.execPath, join(DIST, "pathfinder-edge.cjs"), "pafd"]);
  report("  the same without the launcher's settings", plain.full, "MiB");
}

async function benchIdle() {
  const server = await startServer();
  // V8 collects garbage once, some eight seconds after the start-up's allocations have ceased.
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  const before = switches(server.pid);
  await new Promise((resolve) => setTimeout(resolve, 30_000));
  report("wake-ups in 30 idle seconds, gateways off", switches(server.pid) - before, "", { reach: "0" });
  await server.stop();
}

async function benchStart() {
  const times = [];
  const empty = [];
  for (let i = 0; i < 9; i++) {
    const server = await startServer();
    times.push(server.startMs);
    await server.stop();
    const began = performance.now();
    spawnSync(process.execPath, [...NODE_FLAGS, "-e", "0"]);
    empty.push(performance.now() - began);
  }
  report("start-up until it accepts", median(times), "ms");
  report("  for comparison: node -e 0", median(empty), "ms");
}

/** A TypeScript benchmark that starts processes of its own; returns what it printed as JSON. */
async function runProcesses(name, ...args) {
  const outfile = join(ROOT, `.cache/bench-${name}.cjs`);
  const entryPoints = [join(ROOT, `scripts/bench/${name}.ts`)];
  await build({
    entryPoints,
    outfile,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "cjs",
    logLevel: "error",
  });
  const env = { ...process.env, PATHFINDER_EDGE_ROOT: ROOT, PATHFINDER_EDGE_ADDON: join(DIST, "pathfinder-edge.node") };
  const stdio = ["ignore", "pipe", "inherit"];
  const { stdout, status } = spawnSync(process.execPath, [outfile, ...args], { encoding: "utf8", stdio, env });
  if (status !== 0) throw new Error(`the benchmark ${name} ended with ${status}`);
  return JSON.parse(stdout);
}

async function benchGateway(kind) {
  for (const { name, value, unit, floor, reach } of await runProcesses(kind))
    report(name, value, unit, { floor, reach });
}

/** Two servers, 10,000 services of one producer, one consumer; both clients are in one process. */
async function benchRecovery() {
  const { recoveries, told } = await runProcesses("recovery", "10000");
  for (const [i, { recoveryMs, absentMs, serverCpuMs, clientCpuMs }] of recoveries.entries()) {
    report(`rolling restart, server ${i}: away`, absentMs, "ms");
    report("  until it has 10,000 services again", recoveryMs, "ms");
    report("  CPU of the server for that", serverCpuMs, "ms");
    report("  CPU of producer and consumer", clientCpuMs, "ms");
  }
  report("matches delivered meanwhile", told, "", { reach: "0" });
}

if (!json) console.log(`${cpus()[0].model}, ${cpus().length} cores, Node.js ${process.version}\n`);
if (wants("ping")) await benchPing();
if (wants("publish")) await benchPublish();
if (wants("fan-out")) await benchFanOut();
if (wants("filter")) await benchFilter();
if (wants("hostile")) await benchHostile();
if (wants("memory")) await benchMemory();
if (wants("idle")) await benchIdle();
if (wants("start")) await benchStart();
if (wants("fairness")) await benchFairness(startServer, hello, report);
if (wants("recovery")) await benchRecovery();
if (wants("mdns")) await benchGateway("mdns");
if (wants("mqtt")) await benchGateway("mqtt");
if (wants("churn")) await benchChurn(Number(values.seconds), report);
if (json) console.log(JSON.stringify({ node: process.version, cpu: cpus()[0].model, results }, null, 2));
