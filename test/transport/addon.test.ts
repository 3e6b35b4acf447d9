import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DRIVER_SCENARIOS } from "../support/addon-scenarios.js";
import { root } from "../support/root.js";

for (const { name, status, says } of DRIVER_SCENARIOS) {
  test(`the addon alone: ${name}`, () => {
    const driver = join(root, "test/support/addon-driver.mjs");
    const addon = process.env.PATHFINDER_EDGE_ADDON!;
    const run = spawnSync(process.execPath, ["--expose-gc", driver, addon, name], {
      encoding: "utf8",
      timeout: 60_000,
    });
    assert.is(run.status, status, `${run.signal ?? ""} ${run.stdout}${run.stderr}`);
    assert.match(run.stdout + run.stderr, says);
  });
}

test.run();
