import { spawnSync } from "node:child_process";
import { isAbsolute, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DRIVER_SCENARIOS } from "../support/addon-scenarios.js";
import { root } from "../support/root.js";

/*
 * The addon under the address, leak and undefined-behaviour sanitizers. Node.js itself is not instrumented and leaks at
 * exit by design, so of the leaks only those count whose allocation was made by the addon.
 */
const test = suite("the addon under sanitizers");
const support = join(root, "test/support");

function build(): { addon: string; library: string } {
  const run = spawnSync(process.execPath, [join(support, "build-addon-asan.mjs")], { encoding: "utf8" });
  assert.is(run.status, 0, run.stderr);
  return JSON.parse(run.stdout);
}

const { addon, library } = build();
const missing = isAbsolute(library) ? undefined : "the compiler has no libasan.so (apt install libasan8 or its like)";
if (missing !== undefined) {
  if (process.env.CI === "true") throw new Error(`${missing}, and CI skips nothing`);
  console.log(`skipped: sanitizers: ${missing}`);
}

/** Leaks whose innermost frame, below the sanitizer's and the standard library's own, is the addon's. */
function leaksOfTheAddon(report: string): string[] {
  return report.split("\n\n").filter((part) => {
    if (!/(Direct|Indirect) leak/.test(part)) return false;
    const frames = part.split("\n").filter((line) => /^ *#/.test(line) && !/libsanitizer|include\/c\+\+/.test(line));
    return /\/native\/|node-addon-api|pathfinder-edge-asan\.node/.test(frames[0] ?? "");
  });
}

for (const { name, status, says } of DRIVER_SCENARIOS) {
  (missing === undefined ? test : test.skip)(name, () => {
    const run = spawnSync(process.execPath, ["--expose-gc", join(support, "addon-driver.mjs"), addon, name], {
      encoding: "utf8",
      timeout: 120_000,
      maxBuffer: 64 * 1024 * 1024,
      env: {
        ...process.env,
        LD_PRELOAD: library,
        ASAN_OPTIONS: "exitcode=99:detect_stack_use_after_return=1",
        LSAN_OPTIONS: "exitcode=0:max_leaks=0:print_suppressions=0",
        UBSAN_OPTIONS: "print_stacktrace=1",
      },
    });
    const output = run.stdout + run.stderr;
    assert.not.match(output, /AddressSanitizer:(?! \d+ byte\(s\) leaked)/, "memory error");
    assert.not.match(output, "runtime error");
    assert.equal(leaksOfTheAddon(run.stderr), []);
    assert.is(run.status, status, `${run.signal ?? ""} ${output.slice(0, 4_000)}`);
    assert.match(output, says);
  });
}

test.run();
