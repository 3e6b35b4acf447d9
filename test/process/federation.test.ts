/** Two real servers that are one directory over a real broker, where somebody says whatever comes to mind. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "mqtt";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { disturbedPayload, disturbedTopic, FEDERATION_TOPICS } from "../../scripts/fuzz/federation.js";
import { SeededRandom } from "../../scripts/fuzz/random.js";
import { attach } from "../../src/client/index.js";
import { Consumer } from "../client/attached.js";
import { MOSQUITTO_MISSING, Mosquitto } from "../peers/mosquitto.js";
import { startPafd, withFolder } from "../support/pafd.js";
import { endSoon, freshName } from "../support/transport-peers.js";

const MESSAGES = 20_000;
/** Of these so many are on their way at a time. */
const AT_ONCE = 200;

if (MOSQUITTO_MISSING && process.env.CI === "true") throw new Error(`${MOSQUITTO_MISSING} is missing`);
const check: typeof test.skip = MOSQUITTO_MISSING ? test.skip : test;
if (MOSQUITTO_MISSING)
  console.log(`skipped: ${MOSQUITTO_MISSING} is not installed (apt install mosquitto mosquitto-clients openssl)`);
test.after(endSoon);

async function say(mosquitto: Mosquitto, seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const client = connect(`mqtt://${mosquitto.host}:${mosquitto.port}`, { reconnectPeriod: 0 });
  await new Promise((resolve) => client.once("connect", resolve));
  for (let left = MESSAGES; left > 0; left -= AT_ONCE) {
    const sent = Array.from({ length: AT_ONCE }, () => {
      const topic = disturbedTopic(random, random.pick(FEDERATION_TOPICS));
      return client.publishAsync(topic, disturbedPayload(random), { qos: 1, retain: random.below(2) === 0 });
    });
    await Promise.all(sent);
  }
  await client.endAsync();
}

check(`${MESSAGES} disturbed messages on the federation's topics do not stop it`, () =>
  withFolder(async (folder) => {
    const mosquitto = await Mosquitto.started({ lines: ["max_queued_messages 0"] });
    const names = ["attic", "cellar"];
    const addresses = names.map(() => `ux:${freshName()}`);
    const boards = await Promise.all(
      names.map((board, i) => {
        const file = join(folder, `${board}.yaml`);
        const gateway = `{type: federation, url: "mqtt://${mosquitto.host}:${mosquitto.port}", board: ${board}}`;
        writeFileSync(file, `domains: [{sockets: ["${addresses[i]}"]}]\ngateways: [${gateway}]\n`);
        return startPafd(["-s", "-n", "-f", file]);
      }),
    );
    const clients = addresses.map((address) => attach({ servers: [{ address }] }));
    try {
      for (const board of boards) await board.says("services told");
      await say(mosquitto, 1);
      const consumers = clients.map((client) => new Consumer(client, "(after=*)"));
      for (const client of clients) client.publish({ name: "lamp", after: "the storm" });
      for (const consumer of consumers) await consumer.sees(2);
      for (const board of boards) {
        assert.not.match(board.log, /ERROR|Internal error/);
        assert.ok(board.log.split("\n").length < 100, `${board.log.split("\n").length} lines in the log`);
        assert.equal(await board.stop(), { code: 0, signal: null });
      }
    } finally {
      for (const client of clients) client.abandon();
      for (const board of boards) await board.kill();
      await mosquitto.end();
    }
  }),
);

test.run();
