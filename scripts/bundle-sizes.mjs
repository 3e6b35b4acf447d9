/** Prints what each package that is bundled adds to the bundle, with what it brings along: the table of the README. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setUp } from "./build.mjs";
import { ROOT } from "./setup.mjs";

await setUp();
const read = (name) => JSON.parse(readFileSync(join(ROOT, name), "utf8"));
const { packages } = read("package-lock.json");
const [{ inputs, bytes: total }] = Object.values(read(".cache/bundle-meta.json").outputs);

const bytes = new Map();
for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
  const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? "our own code";
  bytes.set(name, (bytes.get(name) ?? 0) + bytesInOutput);
}

/** A package and everything it needs, by name. */
function closure(name, seen = new Set()) {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const next of Object.keys(packages[`node_modules/${name}`]?.dependencies ?? {})) closure(next, seen);
  return seen;
}

const shared = new Set();
const rows = Object.keys(packages[""].devDependencies)
  .filter((name) => bytes.has(name))
  .map((name) => [name, closure(name)]);
for (const [name, needs] of rows) {
  let sum = 0;
  let also = 0;
  for (const other of needs) {
    const inOthers = rows.some(([row, theirs]) => row !== name && theirs.has(other));
    if (other === name || !inOthers) sum += bytes.get(other) ?? 0;
    else also += bytes.get(other) ?? 0;
    if (inOthers) shared.add(other);
  }
  console.log(`${name.padEnd(20)} ${String(sum).padStart(8)}   (and ${also} shared with another one)`);
}
const sharedBytes = [...shared]
  .filter((name) => !rows.some(([row]) => row === name))
  .reduce((n, name) => n + (bytes.get(name) ?? 0), 0);
console.log(`${"shared by several".padEnd(20)} ${String(sharedBytes).padStart(8)}`);
console.log(`${"our own code".padEnd(20)} ${String(bytes.get("our own code")).padStart(8)}`);
console.log(`${"the bundle".padEnd(20)} ${String(total).padStart(8)}`);
