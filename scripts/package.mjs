/**
 * What the npm package holds beside the commands, made before `npm pack` by its `prepack`: the library for `require` and
 * `import`, its declarations, what compiling the addon needs, and the licences of what is bundled.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setUp } from "./build.mjs";
import { rollDeclarations } from "./declarations.mjs";
import { DIST, fail, filesBelow, HEADERS, ROOT, say } from "./setup.mjs";

/** The library as one CommonJS file, and a module that passes its exports on: both kinds of program get the same classes. */
async function library() {
  const { build } = await import("esbuild");
  const outfile = join(DIST, "index.cjs");
  const { metafile } = await build({
    entryPoints: [join(ROOT, "src/client/index.ts")],
    outfile,
    bundle: true,
    platform: "node",
    target: "node18",
    format: "cjs",
    minify: true,
    lineLimit: 160, // Node.js prints the line in which an uncaught error was thrown
    metafile: true,
    logLevel: "warning",
  }).catch(() => fail("the library could not be bundled"));
  const foreign = Object.keys(metafile.inputs).filter((name) => name.includes("node_modules/"));
  if (foreign.length > 0) fail(`the library has to do without packages, but imports ${foreign.join(", ")}`);
  const names = Object.keys(createRequire(outfile)(outfile)).sort();
  writeFileSync(
    join(DIST, "index.mjs"),
    `import library from "./index.cjs";\nexport const { ${names.join(", ")} } = library;\n`,
  );
}

function declarations() {
  const types = join(DIST, "types");
  rmSync(types, { recursive: true, force: true });
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  const { status, stdout } = spawnSync(tsc, ["--project", join(ROOT, "scripts/types.tsconfig.json")], {
    encoding: "utf8",
  });
  if (status !== 0) fail(`the declarations could not be made:\n${stdout}`);
  const text = rollDeclarations(join(types, "client/index.d.ts"));
  rmSync(types, { recursive: true });
  mkdirSync(types);
  writeFileSync(join(types, "index.d.ts"), text);
  // For `import`, TypeScript wants declarations of a module.
  writeFileSync(join(types, "index.d.mts"), 'export * from "./index.js";\n');
}

/** The packages whose code is in the bundle of the commands, and those whose headers are in the addon. */
function licences() {
  const { inputs } = JSON.parse(readFileSync(join(ROOT, ".cache/bundle-meta.json"), "utf8"));
  const bundled = Object.keys(inputs).flatMap(
    (name) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(name)?.[1] ?? [],
  );
  const folders = [...new Set([...bundled, "node_modules/node-addon-api", "node_modules/node-api-headers"])].sort();
  const texts = folders.map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8"));
    const file = readdirSync(join(ROOT, folder)).find((entry) => /^licen[cs]e/i.test(entry));
    const text =
      file === undefined ? "(the package has no licence file)" : readFileSync(join(ROOT, folder, file), "utf8");
    return `${name} ${version} (${license})\n\n${text.trim()}\n`;
  });
  writeFileSync(join(DIST, "THIRD-PARTY-LICENCES"), texts.join(`\n${"=".repeat(80)}\n\n`));
}

function headers() {
  const include = join(DIST, "include");
  rmSync(include, { recursive: true, force: true });
  mkdirSync(include, { recursive: true });
  for (const folder of HEADERS.map((name) => join(ROOT, "node_modules", name))) {
    for (const name of filesBelow(folder).filter((name) => /^[^/]+\.h$/.test(name))) {
      copyFileSync(join(folder, name), join(include, name));
    }
  }
}

await setUp();
await library();
declarations();
licences();
headers();
say("the package is complete");
