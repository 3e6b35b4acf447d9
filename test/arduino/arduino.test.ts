/** The sketch for Arduino-class boards is type-correct C++, and does what the convention says. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../support/root.js";

const test = suite("arduino sketch");
const isCompilerHere = spawnSync("g++", ["--version"]).status === 0;
if (!isCompilerHere && process.env.CI === "true") throw new Error("g++ is missing");
const check: typeof test.skip = isCompilerHere ? test : test.skip;
if (!isCompilerHere) console.log("skipped: g++ is not installed (apt install g++)");

check("it compiles without a warning, announces, asks, understands the answer, renews and sleeps", () => {
  const folder = mkdtempSync(join(tmpdir(), "paf-arduino-"));
  try {
    const program = join(folder, "sketch");
    const sketch = join(root, "examples/arduino/pathfinder_node/pathfinder_node.ino");
    const here = join(root, "test/arduino");
    const warnings = ["-Wall", "-Wextra", "-Wno-unused-function", "-Werror"];
    const safe = ["-fsanitize=address,undefined", "-fno-sanitize-recover"];
    const options = ["-std=c++11", ...warnings, ...safe, "-I", join(here, "stub"), `-DSKETCH="${sketch}"`];
    const compiled = spawnSync("g++", [...options, join(here, "run-sketch.cpp"), "-o", program], { encoding: "utf8" });
    assert.is(compiled.status, 0, compiled.stderr);
    const { stdout, stderr, status } = spawnSync(program, { encoding: "utf8", timeout: 60_000 });
    assert.is(status, 0, stderr);
    assert.equal(stdout.trim().split("\n"), [
      "connect n-a1b2c3d4e5f6 - will sd1/s/a1b2c3d4e5f6=0 qos 1 retained",
      "publish sd1/s/a1b2c3d4e5f6=1 retained",
      "publish sd1/a/a1b2c3d4e5f6=lamp;600;room=kitchen;fw#3;url=coap://10.0.0.17 retained",
      "subscribe sd1/r/a1b2c3d4e5f6",
      "publish sd1/q/a1b2c3d4e5f6=1;1;(&(k=switch)(room=kitchen))",
      "publish sd1/q/a1b2c3d4e5f6=2;1;(&(k=switch)(room=kitchen))",
      "publish sd1/q/a1b2c3d4e5f6=3;1;(&(k=switch)(room=kitchen))",
      "switch found at coap://10.0.0.18/a;b%",
      "peer coap://10.0.0.18/a;b%",
      "publish sd1/a/a1b2c3d4e5f6=lamp;600;room=kitchen;fw#3;url=coap://10.0.0.17 retained",
      "publish sd1/s/a1b2c3d4e5f6=z240 retained",
      "disconnect",
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
