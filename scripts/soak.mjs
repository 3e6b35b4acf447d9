/**
 * `npm run soak [-- --minutes M --seed N --json]`: a real pafd under load for as long as asked (default: two minutes), with
 * clients that come and go, misbehave, stop reading and leave orphans behind, and a witness that checks every answer.
 * Memory, descriptors and timers are watched; when everybody has left they must be back where they were. Ends with the
 * line `N passed, N failed`.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setUp } from "./build.mjs";
import { DIST, ROOT } from "./setup.mjs";

await setUp();
const { build } = await import("esbuild");
const outfile = join(ROOT, ".cache/soak.cjs");
await build({
  entryPoints: [join(ROOT, "scripts/soak/main.ts")],
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
