/**
 * `npm run fuzz [-- --target NAME --seed N --count N]`: mutated input for the parsers, compared with plain references.
 * A failure prints the command that repeats it. Without --seed each run tries other cases.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { installPackages, ROOT } from "./setup.mjs";

await installPackages();
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
  env: { ...process.env, PATHFINDER_EDGE_ROOT: ROOT },
});
process.exitCode = status ?? 1;
