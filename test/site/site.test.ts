/**
 * The short form of `npm run site`: real boards and bridged brokers, some faults, and the oracle finds nothing. The faults
 * are those of boards, so that it takes less than a minute: after a broker's trouble gateways may wait for a minute.
 */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { printStories } from "../../scripts/site/print.js";
import { runSite } from "../../scripts/site/run.js";
import { MOSQUITTO_MISSING } from "../peers/mosquitto.js";
import { withFolder } from "../support/pafd.js";

const DURATION_MS = 6000;

if (MOSQUITTO_MISSING && process.env.CI === "true") throw new Error(`${MOSQUITTO_MISSING} is missing`);
const check: typeof test.skip = MOSQUITTO_MISSING ? test.skip : test;
if (MOSQUITTO_MISSING)
  console.log(`skipped: ${MOSQUITTO_MISSING} is not installed (apt install mosquitto mosquitto-clients openssl)`);

check("three boards and two brokers: nobody notices that boards are killed", async () => {
  await withFolder(async (folder) => {
    const log: string[] = [];
    const report = await runSite({
      ...{ seed: 2, durationMs: DURATION_MS, devices: 10, idleSeconds: 6, folder },
      brokersToo: false,
      progress: (text) => log.push(text),
    });
    assert.ok(report.troubles.length > 1);
    assert.equal(report.failures, [], log.join("\n"));
    assert.equal(report.violations, [], printStories(report));
  });
});

test.run();
