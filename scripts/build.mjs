/** `npm run build`: packages, addon, bundle and launchers, each only when something it is made from has changed. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildAddon, DIST, digestOf, fail, filesBelow, installPackages, ROOT, say, unlessCurrent } from "./setup.mjs";

const COMMANDS = ["pafd", "pafc"];

/**
 * V8 settings that keep the heap of a small daemon small (`npm run bench -- memory` shows what they are worth), and let it
 * collect garbage when a rush of clients is over.
 */
export const NODE_FLAGS = ["--max-semi-space-size=1", "--v8-pool-size=1", "--expose-gc"];

/**
 * A launcher runs the bundle that lies beside it, wherever dist/ was copied and through any chain of symbolic links.
 * It is a shell script because V8 and malloc read their settings before any JavaScript runs.
 */
const launcher = (command) => `#!/bin/sh
# Runs "${command}" of the bundle beside this file. NODE names another Node.js.
here=$(dirname -- "$(readlink -f -- "$0")")
export MALLOC_ARENA_MAX="\${MALLOC_ARENA_MAX:-1}" MALLOC_TRIM_THRESHOLD_="\${MALLOC_TRIM_THRESHOLD_:-65536}"
say() { echo "${command}: $1" >&2; }
command -v "\${NODE:=node}" >/dev/null || { say "Node.js is not there: no program '$NODE'; on Debian: apt install nodejs"; exit 127; }
[ -f "$here/pathfinder-edge.cjs" ] || { say "$here/pathfinder-edge.cjs is missing; copy or link dist/ as a whole"; exit 127; }
exec "$NODE" ${NODE_FLAGS.join(" ")} "$here/pathfinder-edge.cjs" ${command} "$@"
`;

/** Bundles src/ into dist/pathfinder-edge.cjs and writes the launchers beside it, unless they are current. */
export async function bundle() {
  const version = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version;
  const sources = filesBelow(join(ROOT, "src")).filter((name) => name.endsWith(".ts"));
  const inputs = ["package.json", "package-lock.json", "scripts/build.mjs", ...sources.map((name) => `src/${name}`)];
  const digest = digestOf(inputs.flatMap((name) => [name, readFileSync(join(ROOT, name))]));
  const out = join(DIST, "pathfinder-edge.cjs");
  const products = [out, ...COMMANDS.map((command) => join(DIST, command))];
  await unlessCurrent(join(ROOT, ".cache/bundle"), digest, products, async () => {
    say("bundling …");
    const { build } = await import("esbuild");
    const result = await build({
      entryPoints: [join(ROOT, "src/main.ts")],
      outfile: out,
      bundle: true,
      platform: "node",
      target: "node18",
      format: "cjs",
      minify: true,
      lineLimit: 160, // Node.js prints the line in which an uncaught error was thrown
      legalComments: "none",
      metafile: true,
      define: { PATHFINDER_EDGE_VERSION: JSON.stringify(version) },
      logLevel: "warning", // prints each error with its place
    }).catch(() => fail("the bundle could not be made"));
    mkdirSync(join(ROOT, ".cache"), { recursive: true });
    writeFileSync(join(ROOT, ".cache/bundle-meta.json"), JSON.stringify(result.metafile));
    for (const command of COMMANDS) {
      writeFileSync(join(DIST, command), launcher(command));
      chmodSync(join(DIST, command), 0o755);
    }
  });
  return out;
}

/** Everything a command of this project needs. Says nothing when all is current. */
export async function setUp() {
  await installPackages();
  await buildAddon();
  await bundle();
}

if (process.argv[1]?.endsWith("/build.mjs")) {
  await setUp();
  say(`dist/pafd and dist/pafc are current`);
}
