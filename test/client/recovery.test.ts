/** Servers that restart one after the other, or stand still: what an attached program notices of it. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DOMAIN } from "../../scripts/scenario/domain-file.js";
import { rollingRestart } from "../../scripts/scenario/rolling-restart.js";
import { freePort, Server } from "../../scripts/scenario/server.js";
import { IDLE_SECONDS, LONGEST_STALL, SILENCE_NOTICED } from "../../scripts/scenario/times.js";
import { accessOf, hasPackets, missingForTransports, TRANSPORTS } from "../../scripts/scenario/transports.js";
import { attach } from "../../src/client/index.js";
import { eventually } from "../support/pafd.js";
import { endSoon, freshName } from "../support/transport-peers.js";

test.after(endSoon);

test("a rolling restart of both servers with 10,000 services: nothing is told to anybody", async () => {
  const { recoveries, told } = await rollingRestart(10_000);
  assert.is(recoveries.length, 2);
  assert.equal(told, []);
  for (const { recoveryMs, clientCpuMs } of recoveries) {
    console.log(
      `everything there again after ${recoveryMs.toFixed(0)} ms; ${clientCpuMs.toFixed(0)} ms CPU of the clients`,
    );
  }
});

/** Measures how long the event loop of this process, which has the clients in it, stands still at most. */
function watchStalls(): () => number {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  return () => {
    delay.disable();
    return delay.max / 1e6;
  };
}

test("whoever blocks the event loop is noticed", async () => {
  const longestStall = watchStalls();
  await sleep(50);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LONGEST_STALL + 50);
  await sleep(50);
  assert.ok(longestStall() > LONGEST_STALL);
});

/** Wakes the process after that long, so that who waits for it fails instead of waiting for ever. */
function wakeAtLast(pid: number): ChildProcess {
  const program = `setTimeout(() => process.kill(${pid}, "SIGCONT"), ${WAKE_MS})`;
  return spawn(process.execPath, ["-e", program], { stdio: "ignore" });
}

const WAKE_MS = 25_000;
/** More than a socket takes while nobody reads. */
const FLOOD = { services: 40, bytes: 25_000 };
/** Attempts to connect to the frozen server that are waited for. */
const ATTEMPTS = 2;

for (const transport of TRANSPORTS) {
  const missing = missingForTransports([transport]);
  if (missing) {
    console.log(`skipped: a frozen server (${transport}): ${missing}`);
    continue;
  }
  test(`a frozen server (${transport}): noticed within the idle limit, and meanwhile all goes on over the other one`, async () => {
    const at = async () => (hasPackets(transport) ? `127.0.0.1:${await freePort()}` : freshName());
    const access = [accessOf(transport, await at()), accessOf(transport, await at())];
    const folder = mkdtempSync(join(tmpdir(), "pathfinder-edge-test-"));
    const servers = access.map((one, number) => new Server(number, one, folder));
    for (const server of servers) await server.start();
    const env = { PAF_IDLE_MIN: String(IDLE_SECONDS.min), PAF_IDLE_MAX: String(IDLE_SECONDS.max), PAF_DOMAINS: folder };
    writeFileSync(join(folder, DOMAIN), JSON.stringify({ servers: access.map(({ entry }) => entry) }));
    const [producer, consumer] = [attach(DOMAIN, { env }), attach(DOMAIN, { env })];
    const links = () =>
      [producer, consumer].map((one) => one.links.find(({ address }) => address === access[0]!.address));
    const operational = () => links().filter((link) => link?.state === "operational").length;
    let sleeper: ChildProcess | undefined;
    try {
      const told: string[] = [];
      let version = 0n;
      consumer.subscribe("(version=*)", (match) => {
        told.push(match.type);
        if ("properties" in match) version = match.properties.get("version")![0] as bigint;
      });
      const service = producer.publish({ version }, { ttlSeconds: IDLE_SECONDS.max });
      await eventually(operational, (count) => count === 2, "links to the server");
      const longestStall = watchStalls();
      servers[0]!.signal("SIGSTOP");
      sleeper = wakeAtLast(servers[0]!.pid);
      const frozen = performance.now();
      for (let i = 0; i < FLOOD.services; i++) producer.publish({ flood: "x".repeat(FLOOD.bytes) });
      let noticedMs: number | undefined;
      let changes = 0;
      let attempts = 0;
      let before: string | undefined;
      while (attempts < ATTEMPTS) {
        service.modify({ version: ++changes });
        await eventually(
          () => version,
          (shown) => shown === BigInt(changes),
          `version ${changes} at the consumer`,
        );
        if (operational() === 0) noticedMs ??= performance.now() - frozen;
        const state = links()[1]?.state;
        if (noticedMs !== undefined && state === "waiting" && before !== state) attempts++;
        before = state;
        await sleep(20);
      }
      const stallMs = longestStall();
      console.log(
        `${transport}: noticed after ${noticedMs!.toFixed(0)} ms, ${changes} changes meanwhile; longest stall of the event loop ${stallMs.toFixed(0)} ms`,
      );
      // Both with room for a machine that does much else.
      assert.ok(noticedMs! < 2 * SILENCE_NOTICED, `noticed after ${noticedMs} ms`);
      assert.ok(stallMs < LONGEST_STALL, `the event loop stood still for ${stallMs} ms`);
      servers[0]!.signal("SIGCONT");
      await eventually(operational, (count) => count === 2, "links to the server");
      assert.not(told.includes("disappeared"));
    } finally {
      sleeper?.kill("SIGKILL");
      await Promise.all([producer.close(), consumer.close()]);
      await Promise.all(servers.map((server) => server.kill()));
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

test.run();
