/** `npm run check`: formatter, linter, types, and the direction of imports. Exits 1 if any of them complains. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { ROOMS } from "./imports.mjs";
import { filesBelow, installPackages, ROOT } from "./setup.mjs";

/** What a file imports: static, for its side effects, dynamic, or required. */
function importsOf(text) {
  const statement =
    /^(?:import|export)\b[^"'`;(]*\bfrom "([^"]+)"|^import "([^"]+)"|\b(?:import|require)\("([^"]+)"\)/gm;
  return [...text.matchAll(statement)].map((match) => match[1] ?? match[2] ?? match[3]);
}

/** Every import that leaves its room in a direction `ROOMS` does not allow, as one line each. */
export function strayImports(root = join(ROOT, "src")) {
  const stray = [];
  for (const name of filesBelow(root)) {
    if (!name.endsWith(".ts")) continue;
    const file = join(root, name);
    const room = name.split("/")[0];
    const rules = ROOMS[room];
    if (!rules && name.includes("/")) stray.push(`${relative(ROOT, file)}: no such room: ${room}`);
    if (!rules) continue; // a file directly below src/ is an entry point and may use every room
    for (const target of importsOf(readFileSync(file, "utf8"))) {
      const place = `${relative(ROOT, file)}: imports "${target}"`;
      if (!target.startsWith(".")) {
        if (!rules.node) stray.push(`${place}; ${room} is pure`);
        continue;
      }
      const to = relative(root, resolve(dirname(file), target)).split("/")[0];
      if (to !== room && !rules.imports.includes(to)) {
        stray.push(`${place}; ${room} may import ${rules.imports.join(", ") || "nothing"}`);
      }
    }
  }
  return stray;
}

function run(title, command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: ROOT, encoding: "utf8" });
  if (status !== 0) process.stdout.write(`${title}:\n${stdout}${stderr}`);
  return status === 0;
}

if (process.argv[1]?.endsWith("/check.mjs")) {
  await installPackages();
  const bin = (name) => join(ROOT, "node_modules/.bin", name);
  const stray = strayImports();
  for (const line of stray) console.log(line);
  const good = [
    stray.length === 0,
    run("format and lint", bin("biome"), ["check", "--error-on-warnings", "."]),
    run("types", bin("tsc"), ["--noEmit"]),
  ].every(Boolean);
  console.log(good ? "check: formatter, linter, types and imports are in order" : "check: failed");
  process.exitCode = good ? 0 : 1;
}
