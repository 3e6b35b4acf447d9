/**
 * What 2,000 MQTT devices of the native convention and 500 of Home Assistant's cost a gateway, over a real mosquitto; prints
 * JSON. Run by scripts/bench.mjs.
 *
 * The gateway is a real pafd, from which a client in this process hears. The floor is a bare mqtt.js subscriber in a process
 * of its own that receives the same messages and does nothing with them. A third process, with the same gateway and a
 * counting clock, tells which timers wake it.
 */

import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync, type MqttClient } from "mqtt";
import { attach } from "../../src/client/index.js";
import { Mosquitto } from "../../test/peers/mosquitto.js";
import { eventually, startPafd } from "../../test/support/pafd.js";
import { play, type Role, type Wakes } from "./mqtt-peer.js";
import { anonymousMiB, cpuNs, switches } from "./usage.mjs";

const NATIVE = 2000;
const HOME_ASSISTANT = 500;
/** Devices that announce themselves in one go, and the pause between two goes: mosquitto drops what nobody reads. */
const BURST = 50;
const PAUSE_MS = 50;
const SETTLE_MS = 3000;
const IDLE_SECONDS = 60;
/** After which V8 has collected the garbage of before. */
const CALM_SECONDS = 30;
/** The argument with which this program is one of the processes beside. */
const PEER = "peer";

interface Result {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly floor?: number;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** `devices` announcements, each of some messages, at an even rate. */
async function announce(client: MqttClient, devices: number, messages: (i: number) => readonly [string, string][]) {
  for (let i = 0; i < devices; i++) {
    for (const [topic, payload] of messages(i)) client.publish(topic, payload, { retain: true });
    if (i % BURST === BURST - 1) await sleep(PAUSE_MS);
  }
}

const device = (i: number): string => `a1b2c3${i.toString(16).padStart(6, "0")}`;
const native = (i: number, version: number): [string, string] => [
  `sd1/a/${device(i)}`,
  `${["lamp", "sensor", "switch"][i % 3]};600;room=room${i % 40};fw#${version};url=coap://10.0.${i >> 8}.${i & 255}`,
];
const homeAssistant = (i: number): [string, string] => [
  `homeassistant/device/bench${i}/config`,
  JSON.stringify({
    dev: { ids: `bench${i}`, name: `Bench ${i}`, mf: "Hand-made", mdl: "B1", sw: "1.0", cns: [["mac", mac(i)]] },
    o: { name: "bench", sw: "1" },
    cmps: {
      temperature: { p: "sensor", device_class: "temperature", unit_of_measurement: "°C", unique_id: `bench${i}_t` },
      relay: { p: "switch", unique_id: `bench${i}_r`, command_topic: `bench/${i}/set` },
    },
    state_topic: `bench/${i}/state`,
    availability_topic: `bench/${i}/status`,
  }),
];
const mac = (i: number): string =>
  `02:00:00:00:${(i >> 8).toString(16).padStart(2, "0")}:${(i & 255).toString(16).padStart(2, "0")}`;

/** With which Node.js runs the program. */
const flagsOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/cmdline`, "utf8")
    .split("\0")
    .filter((word) => word.startsWith("--"));

class Peer {
  private constructor(private readonly child: ReturnType<typeof fork>) {}

  /** `flags`: of Node.js. */
  static async start(role: Role, flags: readonly string[] = []): Promise<Peer> {
    const child = fork(process.argv[1]!, [PEER, JSON.stringify(role)], { stdio: "inherit", execArgv: [...flags] });
    await once(child, "message");
    return new Peer(child);
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** What it has counted since the last time. */
  async counts(): Promise<Wakes> {
    const told = once(this.child, "message");
    this.child.send("counts");
    return (await told)[0] as Wakes;
  }

  stop(): void {
    this.child.kill("SIGKILL");
  }
}

async function bench(folder: string, broker: Mosquitto): Promise<Result[]> {
  const results: Result[] = [];
  const url = `mqtt://${broker.host}:${broker.port}`;
  const socket = `ux:bench-mqtt-${process.pid}`;
  const file = join(folder, "pafd.yaml");
  writeFileSync(
    file,
    `domains: [{name: bench, sockets: ["${socket}"]}]
gateways: [{type: mqtt, url: "${url}", client_id: bench, site: bench, conventions: [native, homeassistant]}]
`,
  );
  const pafd = await startPafd(["-f", file]);
  const floor = await Peer.start({ role: "floor", url });
  const client = attach({ servers: [{ address: socket }] });
  const publisher = await connectAsync(url);
  const shown = new Set<bigint>();
  let changes = 0;
  client.subscribe("(src=mqtt:bench)", ({ type, serviceId }) => {
    changes++;
    if (type === "disappeared") shown.delete(serviceId);
    else shown.add(serviceId);
  });
  let peer: Peer | undefined;
  try {
    await pafd.says("connected (MQTT");
    await sleep(SETTLE_MS);
    results.push({ name: "mqtt: anonymous memory, no device", value: anonymousMiB(pafd.pid), unit: "MiB" });

    /** CPU microseconds of either process for each announcement, until the directory shows what is to be shown. */
    const measure = async (what: string, count: number, work: () => Promise<void>, done: () => boolean) => {
      const [cpu, floorCpu] = [cpuNs(pafd.pid), cpuNs(floor.pid)];
      await work();
      await eventually(done, Boolean, `${what}: ${shown.size} services, ${changes} changes`);
      await sleep(SETTLE_MS);
      const of = (pid: number, before: number) => (cpuNs(pid) - before) / count / 1000;
      const [value, least] = [of(pafd.pid, cpu), of(floor.pid, floorCpu)];
      results.push({ name: `mqtt: ${what}`, value, unit: "µs CPU", floor: least });
    };
    const settled = () => true;
    await measure(
      `${NATIVE} devices announced (state and announcement)`,
      NATIVE,
      () => announce(publisher, NATIVE, (i) => [[`sd1/s/${device(i)}`, "1"], native(i, 1)]),
      () => shown.size === NATIVE,
    );
    results.push({ name: `mqtt: anonymous memory, ${NATIVE} devices`, value: anonymousMiB(pafd.pid), unit: "MiB" });
    await measure(
      "the same announced again",
      NATIVE,
      () => announce(publisher, NATIVE, (i) => [native(i, 1)]),
      settled,
    );
    const before = changes;
    await measure(
      "something else announced",
      NATIVE,
      () => announce(publisher, NATIVE, (i) => [native(i, 2)]),
      () => changes >= before + NATIVE,
    );
    await measure(
      `${HOME_ASSISTANT} devices of Home Assistant`,
      HOME_ASSISTANT,
      () => announce(publisher, HOME_ASSISTANT, (i) => [homeAssistant(i), [`bench/${i}/status`, "online"]]),
      () => shown.size === NATIVE + HOME_ASSISTANT,
    );
    results.push({
      name: `mqtt: anonymous memory, ${NATIVE} + ${HOME_ASSISTANT} devices`,
      value: anonymousMiB(pafd.pid),
      unit: "MiB",
    });

    peer = await Peer.start({ role: "gateway", url }, flagsOf(pafd.pid));
    await sleep(CALM_SECONDS * 1000);
    await peer.counts();
    const woken = (pid: number) => switches(pid, "voluntary");
    const wokenBefore = woken(pafd.pid);
    const cpu = cpuNs(pafd.pid);
    const own = woken(peer.pid);
    await sleep(IDLE_SECONDS * 1000);
    const each = (value: number) => value / IDLE_SECONDS;
    results.push({
      name: "mqtt: idle wake-ups of pafd a second (all threads)",
      value: each(woken(pafd.pid) - wokenBefore),
      unit: "/s",
    });
    results.push({ name: "mqtt: idle CPU of pafd", value: each((cpuNs(pafd.pid) - cpu) / 1e6) * 60, unit: "ms/min" });
    const { timers, pending } = await peer.counts();
    results.push({
      name: "  the gateway alone, in a process of its own",
      value: each(woken(peer.pid) - own),
      unit: "/s",
    });
    for (const [name, count] of Object.entries(timers)) {
      results.push({ name: `    of these: timer "${name}"`, value: each(count), unit: "/s" });
    }
    for (const [name, count] of Object.entries(pending)) {
      results.push({ name: `    timers that wait: "${name}"`, value: count, unit: "" });
    }
    return results;
  } finally {
    peer?.stop();
    floor.stop();
    client.abandon();
    publisher.end(true);
    await pafd.kill();
  }
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "pathfinder-bench-mqtt-"));
  const broker = await Mosquitto.started();
  try {
    console.log(JSON.stringify(await bench(folder, broker)));
  } finally {
    await broker.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[2] === PEER) play(JSON.parse(process.argv[3]!));
else {
  main().catch((error: Error) => {
    console.error(error.message);
    process.exit(1);
  });
}
