/** Runs a suite in a network namespace of its own, whose loopback interface is up. */

import { spawnSync } from "node:child_process";
import { suite } from "uvu";

const INSIDE = "PATHFINDER_TEST_NAMESPACE";

/** Starts this test file again in a new namespace and runs the suite there; skips `what`, and says so, where none is allowed. */
export function runInNamespace(tests: { run(): void }, what: string): void {
  if (process.env[INSIDE]) {
    tests.run();
    return;
  }
  const unshare = process.getuid?.() === 0 ? "-n" : "-Urn";
  const inside = (script: string, ...args: string[]) =>
    spawnSync("unshare", [unshare, "sh", "-c", `ip link set lo up && ${script}`, ...args], {
      stdio: ["ignore", "inherit", "inherit"],
      timeout: 120_000,
      killSignal: "SIGKILL",
      env: { ...process.env, [INSIDE]: "1" },
    });
  if (inside("true").status === 0) {
    process.exitCode = inside('exec "$@"', "sh", process.execPath, ...process.execArgv, process.argv[1]).status ?? 1;
    return;
  }
  console.log(`skipped: ${what} (network namespaces are not allowed here, or no \`ip\`)`);
  const skipped = suite("in a namespace");
  skipped.skip(what, () => {});
  skipped.run();
}
