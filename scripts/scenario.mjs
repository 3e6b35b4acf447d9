/**
 * `npm run scenario [-- --minutes M --seed N --servers 2|3 --quiet]`: real servers of one domain are killed, frozen, cut off
 * and removed at random (default: for five minutes) while 20 producers and 20 consumers of the client library run; an oracle
 * checks all that the consumers are told (scripts/scenario/oracle.ts has the rules). A failure prints the story of the
 * service and the command that repeats the faults. As root, or where user namespaces are allowed, with a network of
 * namespaces; else without partitions.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setUp } from "./build.mjs";
import { DIST, ROOT } from "./setup.mjs";

await setUp();
const { build } = await import("esbuild");
/** Of this run alone: several may go on at the same time. */
const outfile = join(ROOT, `.cache/scenario-${process.pid}.cjs`);
process.on("exit", () => rmSync(outfile, { force: true }));
await build({
  entryPoints: [join(ROOT, "scripts/scenario/main.ts")],
  outfile,
  bundle: true,
  packages: "external",
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
