/**
 * What 500 mDNS instances cost a gateway; prints JSON. Run by scripts/bench.mjs.
 *
 * A hand-made responder in a namespace of its own answers for them, each on a host of its own: every SRV and address must
 * be refreshed by itself. The floor, on a third host, hears and decodes the same packets and does nothing with them.
 */

import { Browser } from "../../src/gateway/mdns/browser.js";
import type { HeardRecord } from "../../src/gateway/mdns/records.js";
import { parseBrowseName } from "../../src/gateway/mdns/service-names.js";
import { MdnsLab, type Usage } from "../mdns/lab.js";

const INSTANCES = 500;
const TYPE = "_bench._tcp";
/** From the announcement on, until every instance is in the directory. */
const BEGIN_SECONDS = 25;
/** One and a quarter lives of SRV and address records. */
const STEADY_SECONDS = 150;

interface Result {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly floor?: number;
  readonly reach?: string;
}

const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function overSockets(): Promise<Result[]> {
  const published = new Set<string>();
  let tellPublished = () => {};
  const complete = new Promise<void>((resolve) => (tellPublished = resolve));
  let withdrawn = 0;
  const lab = await MdnsLab.start(({ event, properties }) => {
    if (event === "publish") published.add(String(properties?.name?.[0]));
    if (event === "unpublish") withdrawn++;
    if (published.size === INSTANCES) tellPublished();
  });
  try {
    for (const [name, number] of [
      ["g", 1],
      ["i", 2],
      ["f", 3],
      ["r", 4],
    ] as const)
      await lab.host(name, number);
    const options = { maxRecordsPerHost: 4 * 1024 };
    const gateway = await lab.gateway("g", { ...options, types: [TYPE] });
    const idle = await lab.gateway("i", { ...options, types: ["_other._tcp"] });
    const floor = await lab.peer("f", { role: "floor", address: "10.77.0.3" });
    await sleep(3);
    const all = async (): Promise<Each> => [
      await lab.usage("g", gateway),
      await lab.usage("i", idle),
      await lab.usage("f", floor),
    ];
    const began = await all();
    const beganMs = performance.now();
    await lab.peer("r", { role: "responder", address: "10.77.0.4", services: INSTANCES, type: TYPE });
    await Promise.race([complete, sleep(BEGIN_SECONDS)]);
    const seconds = (performance.now() - beganMs) / 1000;
    if (published.size < INSTANCES) throw new Error(`${published.size} of ${INSTANCES} instances after ${seconds} s`);
    await sleep(BEGIN_SECONDS - seconds);
    const begun = await all();
    await lab.woken(gateway);
    await lab.woken(idle);
    await sleep(STEADY_SECONDS);
    const ended = await all();
    const causes = [await lab.woken(gateway), await lab.woken(idle)] as const;
    if (withdrawn > 0) throw new Error(`${withdrawn} instances were withdrawn`);
    return results(seconds, began, begun, ended, causes);
  } finally {
    await lab.stop();
  }
}

type Each = readonly [gateway: Usage, idle: Usage, floor: Usage];
/** How often each timer fired. */
type Causes = Readonly<Record<string, number>>;

function results(
  seconds: number,
  began: Each,
  begun: Each,
  ended: Each,
  [kept, idle]: readonly [Causes, Causes],
): Result[] {
  const cpu = (i: number, from: Each, to: Each) => to[i].cpuMs - from[i].cpuMs;
  const wakes = (i: number) => (ended[i].switches - begun[i].switches) / STEADY_SECONDS;
  const packets = (i: number) => (ended[i].received - begun[i].received) / STEADY_SECONDS;
  const causes = (i: number, timers: Causes): Result[] => [
    { name: "    of these: packets received", value: packets(i) * 60, unit: "/min" },
    ...Object.entries(timers).map(([name, count]) => ({
      name: `    of these: timer "${name}"`,
      value: (count / STEADY_SECONDS) * 60,
      unit: "/min",
    })),
  ];
  return [
    { name: `mdns: ${INSTANCES} instances all published after`, value: seconds * 1000, unit: "ms" },
    { name: "mdns: CPU for that", value: cpu(0, began, begun), unit: "ms", floor: cpu(2, began, begun) },
    {
      name: "mdns: CPU a minute while they are kept",
      value: (cpu(0, begun, ended) / STEADY_SECONDS) * 60,
      unit: "ms",
      floor: (cpu(2, begun, ended) / STEADY_SECONDS) * 60,
    },
    {
      name: "mdns: packets a minute",
      value: packets(0) * 60,
      unit: "",
    },
    { name: "mdns: anonymous memory", value: ended[0].anonymousMiB, unit: "MiB", floor: ended[2].anonymousMiB },
    { name: "  without instances", value: ended[1].anonymousMiB, unit: "MiB", floor: ended[2].anonymousMiB },
    { name: "mdns: wake-ups a second (every thread)", value: wakes(0), unit: "", floor: wakes(2) },
    ...causes(0, kept),
    { name: "  without instances", value: wakes(1), unit: "", floor: wakes(2) },
    ...causes(1, idle),
  ];
}

/** The whole of an instance, of its own host. */
function recordsOf(i: number): HeardRecord[] {
  const name = `service ${i}.${TYPE}.local`;
  const host = `host-${i}.local`;
  return [
    { name: `${TYPE}.local`, ttlSeconds: 4500, flush: false, data: { type: "PTR", target: name } },
    { name, ttlSeconds: 120, flush: true, data: { type: "SRV", priority: 0, weight: 0, port: 80, target: host } },
    { name, ttlSeconds: 4500, flush: true, data: { type: "TXT", strings: [Buffer.from("v=1")] } },
    { name: host, ttlSeconds: 120, flush: true, data: { type: "A", address: `10.77.${1 + (i >> 8)}.${i & 255}` } },
  ];
}

/** Microseconds that a browser takes for the announcement of one of `count` instances that it knows. */
function receiveUs(count: number): number {
  let nowMs = 0;
  const browser = new Browser({
    interfaceName: "eth0",
    browse: [parseBrowseName(TYPE)],
    limits: { ttlSeconds: 4500, records: 65536, recordsPerSource: 65536, instances: 16384, types: 16 },
    clock: { monotonicMs: () => nowMs, unixSeconds: () => nowMs / 1000 },
    timers: { after: () => ({ cancel() {} }) },
    random: Math.random,
    acceptsAddress: () => true,
    families: () => [4],
    send() {},
    onDropped() {},
    onChange() {},
  });
  const all = Array.from({ length: count }, (_, i) => recordsOf(i));
  for (const records of all) browser.receive(records, "10.77.0.4");
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 7; round++) {
    const began = performance.now();
    for (let i = 0; i < 10_000; i++) {
      nowMs += 0.01;
      browser.receive(all[i % count], "10.77.0.4");
    }
    fastest = Math.min(fastest, (performance.now() - began) / 10);
  }
  return fastest;
}

async function main(): Promise<void> {
  receiveUs(10); // warms the code up
  const few = receiveUs(10);
  const results = await overSockets();
  for (const count of [INSTANCES, 4000]) {
    results.push({ name: `mdns: a packet, ${count} instances known`, value: receiveUs(count), unit: "µs", floor: few });
  }
  console.log(JSON.stringify(results));
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
