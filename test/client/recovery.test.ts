/** Servers that restart one after the other, or stand still: what an attached program notices of it. */

import { monitorEventLoopDelay } from "node:perf_hooks";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { rollingRestart } from "../../scripts/scenario/rolling-restart.js";
import { IDLE_SECONDS, SILENCE_NOTICED } from "../../scripts/scenario/times.js";
import { attach } from "../../src/client/index.js";
import { eventually, startPafd } from "../support/pafd.js";
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

test("a frozen server: noticed within the idle limit, and meanwhile all goes on over the other one", async () => {
  const addresses = [0, 1].map(() => `ux:${freshName()}`);
  const servers = await Promise.all(addresses.map((address) => startPafd([address])));
  const configuration = { servers: addresses.map((address) => ({ address })) };
  const env = { PAF_IDLE_MIN: String(IDLE_SECONDS.min), PAF_IDLE_MAX: String(IDLE_SECONDS.max) };
  const [producer, consumer] = [attach(configuration, { env }), attach(configuration, { env })];
  const links = () =>
    [producer, consumer].map((domain) => domain.links.find(({ address }) => address === addresses[0]));
  const operational = () => links().filter((link) => link?.state === "operational").length;
  const delay = monitorEventLoopDelay({ resolution: 10 });
  try {
    const told: string[] = [];
    let version = 0n;
    consumer.subscribe(undefined, (match) => {
      told.push(match.type);
      if ("properties" in match) version = match.properties.get("version")![0] as bigint;
    });
    const service = producer.publish({ version }, { ttlSeconds: IDLE_SECONDS.max });
    await eventually(operational, (count) => count === 2, "links to the server");
    delay.enable();
    servers[0]!.child.kill("SIGSTOP");
    const frozen = performance.now();
    const changes = await (async () => {
      for (let n = 1; ; n++) {
        service.modify({ version: n });
        await eventually(
          () => version,
          (shown) => shown === BigInt(n),
          `version ${n} at the consumer`,
        );
        if (operational() === 0) return n;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    const noticedMs = performance.now() - frozen;
    delay.disable();
    console.log(
      `noticed after ${noticedMs.toFixed(0)} ms, ${changes} changes meanwhile; longest stall of the event loop ${(delay.max / 1e6).toFixed(0)} ms`,
    );
    // Both with room for a machine that does much else.
    assert.ok(noticedMs < 2 * SILENCE_NOTICED, `noticed after ${noticedMs} ms`);
    assert.ok(delay.max / 1e6 < SILENCE_NOTICED / 2, `the event loop stood still for ${delay.max / 1e6} ms`);
    servers[0]!.child.kill("SIGCONT");
    await eventually(operational, (count) => count === 2, "links to the server");
    assert.not(told.includes("disappeared"));
  } finally {
    await Promise.all([producer.close(), consumer.close()]);
    await Promise.all(servers.map((server) => server.kill()));
  }
});

test.run();
