/** Builds the addon with the address and undefined-behaviour sanitizers; prints its path and that of libasan. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { buildAddon, ROOT } from "../../scripts/setup.mjs";

const out = await buildAddon({
  out: join(ROOT, ".cache/pathfinder-edge-asan.node"),
  extraFlags: [
    ...["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
    ...["-fno-omit-frame-pointer", "-g", "-O1"],
    ...process.argv.slice(2),
  ],
  strip: false,
});
const library = execFileSync(process.env.CXX ?? "g++", ["-print-file-name=libasan.so"], { encoding: "utf8" }).trim();
console.log(JSON.stringify({ addon: out, library }));
