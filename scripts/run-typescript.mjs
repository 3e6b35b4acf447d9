/** Sets up, then runs a TypeScript program of this project with this process's arguments and exit code. */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setUp } from "./build.mjs";
import { DIST, ROOT } from "./setup.mjs";

/** `program`: below scripts/. */
export async function runTypeScript(program) {
  await setUp();
  const { build } = await import("esbuild");
  /** Of this run alone: several may go on at the same time. */
  const outfile = join(ROOT, `.cache/${program.replaceAll("/", "-")}-${process.pid}.cjs`);
  process.on("exit", () => rmSync(outfile, { force: true }));
  await build({
    entryPoints: [join(ROOT, "scripts", program)],
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
}
