/**
 * `npm test [-- WORD …]`: sets up, then runs every test/**\/*.test.ts (whose path contains one of the WORDs, if given),
 * each in a process of its own, two at a time. Ends with the line `N passed, N failed[, N skipped]`.
 * In CI (CI=true) a skipped test is a failed one: no peer may be missing there.
 */
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setUp } from "./build.mjs";
import { DIST, filesBelow, ROOT } from "./setup.mjs";

/** Of this run alone: several may go on at the same time. */
const OUT = join(ROOT, `.cache/test-${process.pid}`);
const FILE_LIMIT_MS = 300_000;
const CI = process.env.CI === "true";
const words = process.argv.slice(2);

await setUp();
const files = filesBelow(join(ROOT, "test")).filter(
  (name) => name.endsWith(".test.ts") && (words.length === 0 || words.some((word) => name.includes(word))),
);
if (files.length === 0) {
  console.log(`no test file matches ${words.join(" ")}\n0 passed, 0 failed`);
  process.exit(1);
}
process.on("exit", () => rmSync(OUT, { recursive: true, force: true }));
const { build } = await import("esbuild");
await build({
  entryPoints: files.map((name) => join(ROOT, "test", name)),
  outdir: OUT,
  outbase: join(ROOT, "test"),
  bundle: true,
  packages: "external",
  // An ES module, which Node.js 18 can not require: it is bundled.
  alias: { "get-east-asian-width": join(ROOT, "node_modules/get-east-asian-width/index.js") },
  platform: "node",
  target: "node18",
  format: "cjs",
  sourcemap: "inline",
  define: { PATHFINDER_EDGE_VERSION: '"0.0.0-test"' },
  logLevel: "warning",
});

const totals = { passed: 0, failed: 0, skipped: 0 };
const failedFiles = [];

/** Runs one compiled test file and adds what uvu counted. A crash or a time-out counts as one failed test. */
function runFile(name) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--enable-source-maps", join(OUT, name.replace(/\.ts$/, ".js"))], {
      cwd: ROOT,
      env: { ...process.env, PATHFINDER_EDGE_ROOT: ROOT, PATHFINDER_EDGE_ADDON: join(DIST, "pathfinder-edge.node") },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const began = process.hrtime.bigint();
    const watchdog = setTimeout(() => {
      output += `\nno end after ${FILE_LIMIT_MS / 1000} s\n`;
      child.kill("SIGKILL");
    }, FILE_LIMIT_MS);
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));
    child.on("close", (code) => {
      clearTimeout(watchdog);
      const count = (word) =>
        [...output.matchAll(new RegExp(`^ *${word}: +(\\d+)`, "gm"))].reduce((n, m) => n + +m[1], 0);
      const total = count("Total");
      const passed = count("Passed");
      const skipped = count("Skipped");
      let failed = total - passed;
      if (failed === 0 && (code !== 0 || total + skipped === 0)) failed = 1; // a crash, or a file without tests
      if (CI) failed += skipped;
      totals.passed += passed;
      totals.failed += failed;
      totals.skipped += CI ? 0 : skipped;
      const seconds = (Number(process.hrtime.bigint() - began) / 1e9).toFixed(1);
      console.log(
        `${failed ? "FAIL" : "ok  "} ${name} (${passed} passed${skipped ? `, ${skipped} skipped` : ""}, ${seconds} s)`,
      );
      if (failed) failedFiles.push(name);
      if (failed || skipped) console.log(output);
      resolve();
    });
  });
}

const queue = [...files];
await Promise.all(
  [0, 1].map(async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) await runFile(name);
  }),
);
if (failedFiles.length > 0) console.log(`failed: ${failedFiles.join(", ")}`);
console.log(`${totals.passed} passed, ${totals.failed} failed${totals.skipped ? `, ${totals.skipped} skipped` : ""}`);
process.exitCode = totals.failed > 0 ? 1 : 0;
