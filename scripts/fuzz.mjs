/**
 * `npm run fuzz [-- --target NAME --seed N --count N]`: mutated input for the parsers, compared with plain references.
 * `npm run fuzz -- sessions [--messages N --clients N --seed N]`: whole sessions, disturbed, against a real pafd.
 * A failure prints the command that repeats it. Without --seed each run tries other cases.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setUp } from "./build.mjs";
import { DIST, ROOT } from "./setup.mjs";

await setUp();
const { build } = await import("esbuild");
const outfile = join(ROOT, ".cache/fuzz.cjs");
await build({
  entryPoints: [join(ROOT, "scripts/fuzz/main.ts")],
  outfile,
  bundle: true,
  platform: "node",
  target: "node18",
  format: "cjs",
  sourcemap: "inline",
  logLevel: "warning",
});
const { status } = spawnSync(process.execPath, ["--enable-source-maps", outfile, ...process.argv.slice(2)], {
  stdio: "inherit",
  env: { ...process.env, PATHFINDER_EDGE_ROOT: ROOT, PATHFINDER_EDGE_ADDON: join(DIST, "pathfinder-edge.node") },
});
process.exitCode = status ?? 1;
