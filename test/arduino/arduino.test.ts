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

/** What the sketch does with the story of run-sketch.cpp: seconds, and what is sent. Chance always gives the middle. */
const STORIES = {
  query: `
seed set
seeds differ: 1
1.5 connect n-a1b2c3d4e5f6 - will sd1/s/a1b2c3d4e5f6=0 qos 1 retained
1.5 publish sd1/s/a1b2c3d4e5f6=1 retained
1.5 publish sd1/a/a1b2c3d4e5f6=lamp;600;room=kitchen;fw#3;url=coap://10.0.0.17 retained
1.5 subscribe sd1/r/a1b2c3d4e5f6
1.5 publish sd1/q/a1b2c3d4e5f6=1;1;(&(k=switch)(room=kitchen))
4.9 publish sd1/q/a1b2c3d4e5f6=2;1;(&(k=switch)(room=kitchen))
39.8 publish sd1/q/a1b2c3d4e5f6=3;1;(&(k=switch)(room=kitchen))
switch found at coap://10.0.0.18/a;b%
peer coap://10.0.0.18/a;b%
41.0 subscribe sd1/m/switch/5f3a9c0047d21e08
switch found at coap://10.0.0.19
the switch is gone
42.0 unsubscribe sd1/m/switch/5f3a9c0047d21e08
42.5 publish sd1/q/a1b2c3d4e5f6=4;1;(&(k=switch)(room=kitchen))
switch found at coap://10.0.0.20
43.0 subscribe sd1/m/switch/5f3a9c0047d21e09
58.0 connect n-a1b2c3d4e5f6 - will sd1/s/a1b2c3d4e5f6=0 qos 1 retained
58.0 publish sd1/s/a1b2c3d4e5f6=1 retained
58.0 publish sd1/a/a1b2c3d4e5f6=lamp;600;room=kitchen;fw#3;url=coap://10.0.0.17 retained
58.0 subscribe sd1/r/a1b2c3d4e5f6
58.0 subscribe sd1/m/switch/5f3a9c0047d21e09
58.0 publish sd1/q/a1b2c3d4e5f6=5;1;(&(k=switch)(room=kitchen))
358.0 publish sd1/a/a1b2c3d4e5f6=lamp;600;room=kitchen;fw#3;url=coap://10.0.0.17 retained
658.0 publish sd1/a/a1b2c3d4e5f6=lamp;600;room=kitchen;fw#3;url=coap://10.0.0.17 retained
734.1 publish sd1/q/a1b2c3d4e5f6=6;1;(&(k=switch)(room=kitchen))
737.5 publish sd1/q/a1b2c3d4e5f6=7;1;(&(k=switch)(room=kitchen))
744.3 publish sd1/q/a1b2c3d4e5f6=8;1;(&(k=switch)(room=kitchen))
757.8 publish sd1/q/a1b2c3d4e5f6=9;1;(&(k=switch)(room=kitchen))
peer coap://10.0.0.20
the switch is gone
nobody answers
759.1 unsubscribe sd1/m/switch/5f3a9c0047d21e09
784.8 publish sd1/q/a1b2c3d4e5f6=10;1;(&(k=switch)(room=kitchen))
838.8 publish sd1/q/a1b2c3d4e5f6=11;1;(&(k=switch)(room=kitchen))
906.3 publish sd1/q/a1b2c3d4e5f6=12;1;(&(k=switch)(room=kitchen))
no broker
924.0 connect n-a1b2c3d4e5f6 - will sd1/s/a1b2c3d4e5f6=0 qos 1 retained
939.0 connect n-a1b2c3d4e5f6 - will sd1/s/a1b2c3d4e5f6=0 qos 1 retained
969.0 connect n-a1b2c3d4e5f6 - will sd1/s/a1b2c3d4e5f6=0 qos 1 retained
999.0 connect n-a1b2c3d4e5f6 - will sd1/s/a1b2c3d4e5f6=0 qos 1 retained
1029.0 connect n-a1b2c3d4e5f6 - will sd1/s/a1b2c3d4e5f6=0 qos 1 retained
1029.0 publish sd1/s/a1b2c3d4e5f6=1 retained
1029.0 publish sd1/a/a1b2c3d4e5f6=lamp;600;room=kitchen;fw#3;url=coap://10.0.0.17 retained
1029.0 subscribe sd1/r/a1b2c3d4e5f6
1029.0 publish sd1/q/a1b2c3d4e5f6=13;1;(&(k=switch)(room=kitchen))
1032.4 publish sd1/q/a1b2c3d4e5f6=14;1;(&(k=switch)(room=kitchen))
1039.2 publish sd1/q/a1b2c3d4e5f6=15;1;(&(k=switch)(room=kitchen))
1049.1 publish sd1/s/a1b2c3d4e5f6=z240 retained
1049.1 disconnect
`,
  mirror: `
seed set
seeds differ: 1
1.5 connect n-a1b2c3d4e5f6 - will sd1/s/a1b2c3d4e5f6=0 qos 1 retained
1.5 publish sd1/s/a1b2c3d4e5f6=1 retained
1.5 publish sd1/a/a1b2c3d4e5f6=lamp;600;room=kitchen;fw#3;url=coap://10.0.0.17 retained
1.5 subscribe sd1/m/switch/+
switch found at coap://10.0.0.18
switch found at coap://10.0.0.19
the switch is gone
4.0 unsubscribe sd1/m/switch/+
4.0 subscribe sd1/m/switch/+
switch found at coap://10.0.0.21
the switch is gone
5.0 unsubscribe sd1/m/switch/+
5.0 subscribe sd1/m/switch/+
switch found at coap://10.0.0.19
20.9 connect n-a1b2c3d4e5f6 - will sd1/s/a1b2c3d4e5f6=0 qos 1 retained
20.9 publish sd1/s/a1b2c3d4e5f6=1 retained
20.9 publish sd1/a/a1b2c3d4e5f6=lamp;600;room=kitchen;fw#3;url=coap://10.0.0.17 retained
the switch is gone
20.9 subscribe sd1/m/switch/+
`,
};

for (const [at, [how, story]] of Object.entries(STORIES).entries()) {
  check(`by ${how}: compiles without a warning, announces, finds a peer, notices that it is gone, looks again`, () => {
    const folder = mkdtempSync(join(tmpdir(), "paf-arduino-"));
    try {
      const program = join(folder, "sketch");
      const sketch = join(root, "examples/arduino/pathfinder_node/pathfinder_node.ino");
      const here = join(root, "test/arduino");
      const warnings = ["-Wall", "-Wextra", "-Wno-unused-function", "-Werror"];
      const safe = ["-fsanitize=address,undefined", "-fno-sanitize-recover"];
      const what = [`-DSKETCH="${sketch}"`, `-DFIND_BY_MIRROR=${at}`];
      const options = ["-std=c++11", ...warnings, ...safe, "-I", join(here, "stub"), ...what];
      const compiled = spawnSync("g++", [...options, join(here, "run-sketch.cpp"), "-o", program], {
        encoding: "utf8",
      });
      assert.is(compiled.status, 0, compiled.stderr);
      const { stdout, stderr, status } = spawnSync(program, { encoding: "utf8", timeout: 60_000 });
      assert.is(status, 0, stderr);
      assert.is(stdout.trim(), story.trim());
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

test.run();
